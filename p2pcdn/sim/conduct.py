"""How a peer behaves: an honest one hands everything on, the others get between node and world.

Each is a wrapper around a real node at its link messages, so that it does everything else (joining,
greeting, playing) as everybody does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2pcdn.model import Span, chunk_length
from p2pcdn.sim.audience import Conduct
from p2pcdn.sim.media import RENDITION
from p2pcdn.sim.network import End
from p2pcdn.wire.chunk import Frame, frames_of
from p2pcdn.wire.link import Have, Hello, Holding, Want
from p2pcdn.wire.tracker import FromTracker, Leases, ToTracker

if TYPE_CHECKING:
    from p2pcdn.sim.shell import Shell

BOASTS = 6
"""Segments ahead of the play head that are announced though nobody holds them."""
WITHHELD = 0.99
"""How much of a segment somebody gives who then falls silent."""


class Honest:
    """Hands on what comes and goes. All others begin from here."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def message(self, end: End, message: object) -> None:
        """A link's other end says something."""
        self.shell.said(end, message)

    def frames(self, end: End, frames: list[Frame]) -> None:
        """A link's other end sends something."""
        self.shell.sent(end, frames)

    def carry(self, end: End, frames: list[Frame]) -> None:
        """The node sends something."""
        end.carry(frames)

    def hears(self, message: FromTracker) -> bool:
        """Whether the node is to hear what the tracker says."""
        return True

    def tell(self, message: ToTracker) -> None:
        """The node says something to the tracker."""
        self.shell.world.tracker.say(self.shell, message)

    def tick(self) -> None:
        """A second has passed."""


class Boaster(Honest):
    """Says that it holds whatever comes next, and keeps what it is asked for from its node."""

    def message(self, end: End, message: object) -> None:
        if isinstance(message, Want):
            self.wanted(end, message)
            return
        super().message(end, message)
        if isinstance(message, Hello):
            self._boast(end)

    def tick(self) -> None:
        for end in self.shell.links.open():
            self._boast(end)

    def wanted(self, end: End, want: Want) -> None:
        """Somebody has believed it, and gets no answer."""

    def _boast(self, end: End) -> None:
        player, media = self.shell.player, self.shell.world.media
        newest = min(media.newest(self.shell.world.clock.now), player.head + BOASTS)
        all_chunks = (Span(0, media.chunks - 1),)
        here = range(max(0, player.head - BOASTS), newest + 1)
        if here:
            end.say(Have(tuple(Holding(RENDITION, sequence, all_chunks) for sequence in here)))


class Garbage(Boaster):
    """Answers with bytes that are not what they should be."""

    def wanted(self, end: End, want: Want) -> None:
        size = chunk_length(self.shell.world.media.segment_bytes, want.chunk)
        end.carry(list(frames_of(want.want, b"\xff" * size)))


class Drip(Boaster):
    """Answers with a byte a second."""

    def wanted(self, end: End, want: Want) -> None:
        self._drop(end, want.want, 0)

    def _drop(self, end: End, want: int, offset: int) -> None:
        if not end.closed:
            end.carry([Frame(want, offset, b"\0")])
            self.shell.world.clock.after(1.0, self._drop, end, want, offset + 1)


class Silent(Honest):
    """Gives nothing of the end of a segment, though it says that it holds it."""

    def message(self, end: End, message: object) -> None:
        most = self.shell.world.media.chunks * WITHHELD - 1
        if not (isinstance(message, Want) and message.chunk >= most):
            super().message(end, message)


class Idle(Honest):
    """Takes leases, and does nothing."""

    def hears(self, message: FromTracker) -> bool:
        return not isinstance(message, Leases)


CONDUCTS: dict[Conduct, type[Honest]] = {
    Conduct.HONEST: Honest,
    Conduct.LIAR: Boaster,
    Conduct.GARBAGE: Garbage,
    Conduct.DRIP: Drip,
    Conduct.SILENT: Silent,
    Conduct.IDLE: Idle,
    Conduct.FREE: Honest,
}
