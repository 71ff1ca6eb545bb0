"""The links of one shell: what the core's events about links come to.

::

    MakeOffer -> gather -> Described          the other: MakeAnswer -> gather -> Described
    TakeAnswer -> can the two reach each other? -> ICE 1, DTLS 2, SCTP 2 round trips -> LinkOpened
                        '-- no: nothing comes, and the core gives up

A description says whose end it describes in the place of ICE's user fragment, where the tracker
lets it through.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from p2pcdn.core import ports
from p2pcdn.sim.clock import chance
from p2pcdn.sim.network import End, can_connect
from p2pcdn.wire.chunk import Frame
from p2pcdn.wire.link import LinkMessage

if TYPE_CHECKING:
    from p2pcdn.sim.shell import Shell

GATHER = 0.05
"""Seconds that a description waits for candidates to go with it."""
ROUND_TRIPS = 5
FINGERPRINT = ":".join(["5A"] * 32)

_DESCRIBES = re.compile(r"a=ice-ufrag:v(\d+)l(\d+)\b")


def describe(viewer: int, number: int, address: str, setup: str) -> str:
    """A browser's description of one data channel."""
    name = f"{viewer:08x}-0000-4000-8000-{number:012x}.local"
    lines = [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        f"a=candidate:1 1 udp 2113937151 {name} 50000 typ host generation 0",
        f"a=candidate:2 1 udp 1677729535 {address} 50000 typ srflx raddr 0.0.0.0 rport 0",
        f"a=ice-ufrag:v{viewer:06}l{number:06}",
        "a=ice-pwd:aaaabbbbccccddddeeeeff",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {FINGERPRINT}",
        f"a=setup:{setup}",
        "a=mid:0",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
    ]
    return "\r\n".join(lines) + "\r\n"


def described(sdp: str) -> tuple[int, int]:
    """Whose end a description describes: the viewer's and the link's number."""
    match = _DESCRIBES.search(sdp)
    if match is None:
        raise ValueError("a description that is none of ours")
    return int(match[1]), int(match[2])


class Links:
    """All ends of one shell."""

    def __init__(self, shell: Shell) -> None:
        self.ends: dict[int, End] = {}
        self.carried = 0
        """Bytes of media sent over ends that are closed."""
        self._shell = shell
        self._world = shell.world
        self._dice = chance(shell.world.seed, "links", shell.viewer.number)

    def open(self) -> list[End]:
        """The ends over which something can be sent."""
        return [end for end in self.ends.values() if end.opened]

    def sent(self) -> int:
        """Bytes of media sent over all links."""
        return self.carried + sum(end.carried for end in self.ends.values())

    # What the core asks for

    def make_offer(self, event: ports.MakeOffer) -> None:
        self._new(event.link)
        self._describe(event.link, "actpass")

    def make_answer(self, event: ports.MakeAnswer) -> None:
        end = self._new(event.link)
        viewer, number = described(event.sdp)
        offerer = self._world.shells[viewer].links.ends.get(number)
        if offerer is not None and offerer.other is None:
            self._world.join(end, offerer)
        self._describe(event.link, "active")

    def take_answer(self, event: ports.TakeAnswer) -> None:
        end = self.ends[event.link]
        other = end.other
        if other is None or other.closed:
            return
        theirs = self._world.shells[other.viewer].viewer
        if can_connect(self._shell.viewer.nat, theirs.nat):
            self._world.clock.after(ROUND_TRIPS * end.rtt, self._opened, end, other)

    def close(self, event: ports.CloseLink) -> None:
        self._close(event.link, 0.0)

    def close_all(self, noticed: float) -> None:
        """The viewer goes; the other ends see it after so many seconds."""
        for number in list(self.ends):
            self._close(number, noticed)

    # What comes of it

    def _new(self, number: int) -> End:
        shell = self._shell
        end = End(self._world.clock, shell.viewer.number, number, shell.line, self._dice)
        end.on_frames, end.on_message = shell.conduct.frames, shell.conduct.message
        end.on_drained = shell.drained
        self.ends[number] = end
        return end

    def _describe(self, number: int, setup: str) -> None:
        shell = self._shell
        sdp = describe(shell.viewer.number, number, shell.address, setup)
        self._world.clock.after(GATHER, self._if_there, number, ports.Described(number, sdp))

    def _if_there(self, number: int, message: ports.Input) -> None:
        if number in self.ends:
            self._shell.give(message)

    def _opened(self, end: End, other: End) -> None:
        if end.closed or other.closed:
            return
        self._world.trace.note(self._world.clock.now, "link", end.viewer, other.viewer)
        self._world.linked(end, other)
        for one in (end, other):
            one.opened = True
            shell = self._world.shells[one.viewer]
            shell.give(ports.LinkOpened(one.number))
            if self._world.networks:
                shell.give(ports.LinkRouted(one.number, "srflx", one.rtt))

    def _close(self, number: int, noticed: float) -> None:
        end = self.ends.pop(number, None)
        if end is None:
            return
        self.carried += end.carried
        end.close()
        other = end.other
        if other is not None and not other.closed and end.opened:
            over = self._world.shells[other.viewer].links.over
            self._world.clock.after(end.rtt / 2 + noticed, over, other)

    def over(self, end: End) -> None:
        """The other end has closed the link, or is seen to be dead."""
        if not end.closed:
            self.carried += end.carried
            end.close()
            self.ends.pop(end.number, None)
            self._shell.give(ports.LinkClosed(end.number, "closed"))


Frames = Callable[[End, list[Frame]], None]
Said = Callable[[End, LinkMessage], None]
