"""One viewer's way to the origin: a connection that has to open, starts slowly, and has weather.

::

    get --outage ends, connection opens, round trip, the server thinks--> piece, piece, ... done
                                                                             '-- lost: a time-out

A piece ends where a chunk does, and waits its turn in the viewer's downlink; so requests share the
line with each other and with links.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from p2pcdn.model import CHUNK_SIZE
from p2pcdn.sim.clock import Clock
from p2pcdn.sim.network import Line, Place
from p2pcdn.sim.weather import Weather

FIRST_WINDOW = 14_600
"""Bytes that may be under way before the first acknowledgement (RFC 6928)."""
DOUBLINGS = 8
"""Round trips that a connection's window grows in."""
HANDSHAKE = 2
"""Round trips before the first request: TCP's and TLS's."""
THINKING = 0.01
"""Seconds that the server takes at least, and on average once more."""
TIMEOUT = 0.2
"""Seconds that a lost packet costs, beside two round trips."""


class Request:
    """A request under way. ``piece`` is told of each piece's size, ``done`` of the end."""

    __slots__ = ("at", "comes", "done", "last", "over", "piece", "start", "ttfb")

    def __init__(
        self,
        start: int,
        last: int,
        piece: Callable[[int], None] | None,
        done: Callable[[Request], None],
        now: float,
    ) -> None:
        self.at = start
        self.last = last
        self.piece = piece
        self.done = done
        self.start = now
        self.ttfb = 0.0
        self.comes = False
        self.over = False


class Http:
    """All requests of one viewer. ``sent`` is told of whatever the origin sends for a request."""

    def __init__(
        self, clock: Clock, line: Line, origin: Place, rate: float, loss: float,
        weather: Weather, dice: Random,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._line = line
        self._open = 0
        """Requests whose answers are coming."""
        self._rtt = line.place.rtt(origin)
        self._rate = rate
        self._loss = loss
        self._weather = weather
        self._dice = dice
        self._connected = False
        self._window = FIRST_WINDOW
        self._grown = 0
        self._acknowledged = 0
        self._over = False

    def get(
        self,
        start: int,
        last: int,
        done: Callable[[Request], None],
        piece: Callable[[int], None] | None = None,
    ) -> Request:
        """Ask for these bytes (of a segment: where its pieces end depends on it)."""
        request = Request(start, last, piece, done, self._clock.now)
        self._clock.at(self._weather.clears_at(self._clock.now), self._ask, request)
        return request

    def abort(self, request: Request) -> None:
        """Nothing more of it is wanted."""
        self._end(request)

    def close(self) -> None:
        """The viewer has gone."""
        self._over = True

    def _ask(self, request: Request) -> None:
        wait = self._rtt + THINKING + self._dice.expovariate(1 / THINKING)
        if not self._connected:
            self._connected = True
            wait += HANDSHAKE * self._rtt
        self._clock.after(wait, self._send, request)

    def _send(self, request: Request) -> None:
        """The next piece is on its way."""
        if self._over or request.over:
            return
        now = self._clock.now
        clears = self._weather.clears_at(now)
        if clears > now:
            self._clock.at(clears, self._send, request)
            return
        if not request.comes:
            request.comes = True
            request.ttfb = now - request.start
            self._open += 1
        to_chunk = CHUNK_SIZE - request.at % CHUNK_SIZE
        size = min(request.last + 1 - request.at, to_chunk, self._window)
        rate = min(self._rate * self._weather.factor(now), self._window / self._rtt)
        others = self._line.coming + self._open - 1
        done = max(self._line.down.take_turn(size, others, now), now + size / rate)
        if self._loss and self._dice.random() < self._loss:
            done += TIMEOUT + 2 * self._rtt
        self._clock.at(done, self._arrived, request, size)

    def _arrived(self, request: Request, size: int) -> None:
        if self._over:
            return
        self._grow(size)
        request.at += size
        if request.piece is not None:
            request.piece(size)
        if request.over:
            return
        if request.at <= request.last:
            self._send(request)
        else:
            self._end(request)
            request.done(request)

    def _end(self, request: Request) -> None:
        self._open -= request.comes and not request.over
        request.over = True

    def _grow(self, size: int) -> None:
        self._acknowledged += size
        if self._acknowledged >= self._window and self._grown < DOUBLINGS:
            self._acknowledged = 0
            self._window *= 2
            self._grown += 1
