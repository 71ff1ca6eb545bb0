"""The tracker: the shipping mind, and sockets whose messages take their time."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from p2pcdn.core.swarm import Swarms
from p2pcdn.core.swarm_ports import Closed, Dismissed, Opened, Published, Rules, Said
from p2pcdn.errors import ErrorCode
from p2pcdn.model import PROTOCOL
from p2pcdn.sim.clock import Clock, chance
from p2pcdn.sim.media import CONTENT, SITE
from p2pcdn.sim.network import Place
from p2pcdn.sim.tally import Kind, Tally
from p2pcdn.wire.codec import encode
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import FromTracker, Limits, ToTracker, Welcome

if TYPE_CHECKING:
    from p2pcdn.sim.shell import Shell

PLACE = Place(0.0, 0.0, 2.0)
HANDSHAKE = 3
"""Round trips before the tracker's first words: TCP's, TLS's and the WebSocket's."""
FRAMING = 40
"""Bytes of a message beside its text: WebSocket, TLS, TCP and IP."""
REPORT_EVERY = 10.0

WELCOME = Welcome(PROTOCOL, "0" * 32, Limits(65_536, 20, 16), REPORT_EVERY)


class Tracker:
    """The tracker of a scene. A socket is known by its viewer's number."""

    def __init__(self, clock: Clock, tally: Tally, seed: int, rules: Rules) -> None:
        self._clock = clock
        self._tally = tally
        self._mind = Swarms(rules, chance(seed, "tracker"))
        self._shells: dict[int, Shell] = {}
        self._wakes_at = inf
        self.banned: set[int] = set()
        """Viewers who were dismissed for wrong bytes."""

    # For shells

    def connect(self, shell: Shell) -> None:
        """Open a socket; its first words come by themselves."""
        self._shells[shell.viewer.number] = shell
        self._clock.after(HANDSHAKE * self._rtt(shell), self._open, shell)

    def say(self, shell: Shell, message: ToTracker) -> None:
        self._count(message)
        number = shell.viewer.number
        self._clock.after(self._rtt(shell) / 2, self._take, Said(number, message))

    def close(self, shell: Shell) -> None:
        """The socket closes; the tracker learns of it after what was said before."""
        number = shell.viewer.number
        self._clock.after(self._rtt(shell) / 2, self._take, Closed(number))
        self._shells.pop(number, None)

    def publish(self, records: Records) -> None:
        """The origin says what has just come out."""
        self._take(Published(SITE, CONTENT, records))

    # The loop

    def _open(self, shell: Shell) -> None:
        if shell.viewer.number in self._shells:
            vantage = shell.world.vantage(shell.viewer)
            self._take(Opened(shell.viewer.number, vantage))
            self._tell(shell.viewer.number, WELCOME)

    def _take(self, message: Opened | Said | Closed | Published) -> None:
        self._mind.receive(message, self._clock.now)
        self._drain()

    def _drain(self) -> None:
        for tell in self._mind.take_messages():
            self._tell(tell.socket, tell.message)
        for event in self._mind.take_events():
            if isinstance(event, Dismissed) and event.code is not None:
                if event.code is not ErrorCode.BANNED:
                    raise RuntimeError(f"the tracker refused viewer {event.socket}: {event.code}")
                self.banned.add(event.socket)
                self._shells.pop(event.socket, None)
        at = self._mind.timer_at()
        if at is not None and at < self._wakes_at:
            self._wakes_at = at
            self._clock.at(at, self._wake, at)

    def _wake(self, at: float) -> None:
        if at == self._wakes_at:
            self._wakes_at = inf
            self._mind.on_timer(self._clock.now)
            self._drain()

    def _tell(self, socket: int, message: FromTracker) -> None:
        shell = self._shells.get(socket)
        if shell is not None:
            self._count(message)
            self._clock.after(self._rtt(shell) / 2, shell.hear, message)

    def _count(self, message: ToTracker | FromTracker) -> None:
        size = len(encode(message)) + FRAMING
        self._tally.count(Kind.SIGNALLING, size, self._clock.now)

    def _rtt(self, shell: Shell) -> float:
        return shell.line.place.rtt(PLACE)
