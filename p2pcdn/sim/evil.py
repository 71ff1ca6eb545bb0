"""Those who mean harm: they send wrong bytes, hold back, or accuse others of what they do.

A `Corrupter` is a peer that does everything as it should but for the frames that it sends: they are
changed between its node and the world. Its own kind it spares, so that nobody of them speaks
against another: that is the worst that a jury can meet. An `Accuser` does everything as it should,
and tells the tracker that it was sent wrong bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from p2pcdn.model import CHUNK_SIZE, ChunkKey, chunk_length
from p2pcdn.sim.clock import chance
from p2pcdn.sim.conduct import Boaster, Drip, Honest, Silent
from p2pcdn.sim.network import End
from p2pcdn.wire.chunk import Frame, frames_of
from p2pcdn.wire.link import Want
from p2pcdn.wire.tracker import FromTracker, Invite, Linked, Offered, Taken, ToTracker, Unlinked

if TYPE_CHECKING:
    from p2pcdn.sim.hostile import HostileWorld
    from p2pcdn.sim.shell import Shell

NOW_AND_THEN = 0.3
"""The share of chunks that are spoilt by those who do so only sometimes."""
FIRST_LIE = (0.3, 3.0)
"""Seconds after which a link is complained about."""
UNASKED = 100_000
"""A want that nobody has made."""


class Asked(Honest):
    """Keeps in mind what the other ends have asked for."""

    def __init__(self, world: HostileWorld, shell: Shell) -> None:
        super().__init__(shell)
        self.world = world
        self.wants: dict[tuple[int, int], ChunkKey] = {}

    def message(self, end: End, message: object) -> None:
        if isinstance(message, Want):
            key = ChunkKey(message.rendition, message.sequence, message.chunk)
            self.wants[end.number, message.want] = key
        super().message(end, message)


class Corrupter(Asked):
    """Spoils what its node sends."""

    def __init__(self, world: HostileWorld, shell: Shell, spoil: Spoil, when: When) -> None:
        super().__init__(world, shell)
        self.dice = chance(world.seed, "evil", shell.viewer.number)
        self.victim: int | None = None
        """The first who asked for something."""
        self._spoil = spoil
        self._when = when
        self._spoils: dict[tuple[int, int], bool] = {}

    def carry(self, end: End, frames: list[Frame]) -> None:
        sent: list[Frame] = []
        for frame in frames:
            want = end.number, frame.want
            key = self.wants.get(want)
            if key is None or end.other is None or end.other.viewer in self.world.evil:
                sent.append(frame)
                continue
            if want not in self._spoils:
                self._spoils[want] = self._when(self, end.other.viewer)
            sent += self._spoil(self, key, frame) if self._spoils[want] else [frame]
        end.carry(sent)

    def is_last(self, key: ChunkKey, frame: Frame) -> bool:
        """Whether the frame is the end of its chunk."""
        size = chunk_length(self.world.media.segment_bytes, key.chunk)
        return frame.offset + len(frame.payload) >= size


Spoil = Callable[[Corrupter, ChunkKey, Frame], list[Frame]]
"""What becomes of a frame."""
When = Callable[[Corrupter, int], bool]
"""Whether what this viewer has asked for is spoilt."""


# How a frame is spoilt


def _other(frame: Frame, payload: bytes) -> list[Frame]:
    return [frame._replace(payload=payload)]


def _inverted(_: Corrupter, __: ChunkKey, frame: Frame) -> list[Frame]:
    return _other(frame, b"\xa5" * len(frame.payload))


def _flipped(by: Corrupter, key: ChunkKey, frame: Frame) -> list[Frame]:
    """The last bit of the chunk."""
    payload = frame.payload
    if by.is_last(key, frame):
        payload = payload[:-1] + bytes([payload[-1] ^ 1])
    return _other(frame, payload)


def _truncated(by: Corrupter, key: ChunkKey, frame: Frame) -> list[Frame]:
    """One byte is missing."""
    return _other(frame, frame.payload[:-1] if by.is_last(key, frame) else frame.payload)


def _overlong(by: Corrupter, key: ChunkKey, frame: Frame) -> list[Frame]:
    """One byte is too many."""
    return _other(frame, frame.payload + b"\0" if by.is_last(key, frame) else frame.payload)


def _unasked(by: Corrupter, key: ChunkKey, frame: Frame) -> list[Frame]:
    """The chunk, and then something of another."""
    more = [frame._replace(want=frame.want + UNASKED)] if by.is_last(key, frame) else []
    return [frame, *more]


def _of(by: Corrupter, frame: Frame, rendition: int, sequence: int, chunk: int) -> list[Frame]:
    data = by.world.media.made(rendition, sequence, chunk, CHUNK_SIZE)
    return _other(frame, data[frame.offset : frame.offset + len(frame.payload)])


def _other_chunk(by: Corrupter, key: ChunkKey, frame: Frame) -> list[Frame]:
    return _of(by, frame, 0, key.sequence, key.chunk ^ 1)


def _old_segment(by: Corrupter, key: ChunkKey, frame: Frame) -> list[Frame]:
    return _of(by, frame, 0, key.sequence - 1, key.chunk)


def _other_rendition(by: Corrupter, key: ChunkKey, frame: Frame) -> list[Frame]:
    return _of(by, frame, 1, key.sequence, key.chunk)


def _always(_: Corrupter, __: int) -> bool:
    return True


def _sometimes(by: Corrupter, _: int) -> bool:
    return by.dice.random() < NOW_AND_THEN


def _to_one(by: Corrupter, viewer: int) -> bool:
    by.victim = viewer if by.victim is None else by.victim
    return viewer == by.victim


# Who lies about others


class Accuser(Honest):
    """Tells the tracker that honest peers have sent it wrong bytes."""

    def __init__(self, world: HostileWorld, shell: Shell, *, together: bool = False) -> None:
        super().__init__(shell)
        self.world = world
        self._together = together
        """All accuse the same one."""
        self._dice = chance(world.seed, "accuser", shell.viewer.number)
        self._others: dict[str, str] = {}
        """Peers at the other ends, by pairing."""

    def hears(self, message: FromTracker) -> bool:
        if isinstance(message, Invite | Offered | Taken):
            self._others[message.pairing] = message.peer
        return super().hears(message)

    def tell(self, message: ToTracker) -> None:
        super().tell(message)
        if isinstance(message, Linked) and self._means(self._others.get(message.pairing, "")):
            self.world.clock.after(self._dice.uniform(*FIRST_LIE), self._lie, message.pairing)

    def _lie(self, pairing: str) -> None:
        if not self.shell.over:
            super().tell(Unlinked(pairing, "integrity"))

    def _means(self, peer: str) -> bool:
        number = self.world.number_of(peer)
        if number is None or number in self.world.evil:
            return False
        return not self._together or number == min(self.world.honest)


class Poisoner(Boaster):
    """Says that it holds whatever comes next, and answers with wrong bytes: whoever is of its own
    kind does not ask."""

    def __init__(self, world: HostileWorld, shell: Shell) -> None:
        super().__init__(shell)
        self.world = world

    def wanted(self, end: End, want: Want) -> None:
        if end.other is None or end.other.viewer not in self.world.evil:
            size = chunk_length(self.world.media.segment_bytes, want.chunk)
            end.carry(list(frames_of(want.want, b"\xa5" * size)))


class Both(Accuser, Corrupter):
    """Sends wrong bytes, and accuses others of it."""

    def __init__(self, world: HostileWorld, shell: Shell) -> None:
        Corrupter.__init__(self, world, shell, _inverted, _always)
        self._together = False
        self._dice = self.dice
        self._others = {}


def _corrupter(spoil: Spoil, when: When = _always) -> Callable[[HostileWorld, Shell], Honest]:
    return lambda world, shell: Corrupter(world, shell, spoil, when)


EVIL: dict[str, Callable[[HostileWorld, Shell], Honest]] = {
    "wrong": _corrupter(_inverted),
    "boasts, and wrong": Poisoner,
    "sometimes wrong": _corrupter(_inverted, _sometimes),
    "wrong to one": _corrupter(_inverted, _to_one),
    "last bit flipped": _corrupter(_flipped),
    "truncated": _corrupter(_truncated),
    "overlong": _corrupter(_overlong),
    "unasked": _corrupter(_unasked),
    "another chunk": _corrupter(_other_chunk),
    "an old segment": _corrupter(_old_segment),
    "another rendition": _corrupter(_other_rendition),
    "false have": lambda world, shell: Boaster(shell),
    "tarpit": lambda world, shell: Drip(shell),
    "silent at the end": lambda world, shell: Silent(shell),
    "accuses all": lambda world, shell: Accuser(world, shell),
    "accuses one": lambda world, shell: Accuser(world, shell, together=True),
    "wrong, and accuses": Both,
}
"""Everything that is tried, by name."""
