"""Counts the body bytes that viewers were sent, as their machines acknowledge them.

::

    handler --writes--> transport --> kernel's send buffer ---network---> viewer
                            \\______________________________/               |
                                     may still be dropped        <---acknowledges---

A kernel takes megabytes off our hands long before a slow viewer has them, and drops them when the
viewer goes away: a count of what was written would be far above what was received, for each request
that a player or a peer aborts. So a body counts only as far as TCP acknowledges it; where the
kernel does not tell, it counts as it is written.

The end of a body is mostly acknowledged after its handler has finished, so a clock turns while
there is something to wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from prometheus_client import Counter

from origin.http.representation import Account
from origin.http.tcp import OpenTcp, Tcp, figures_of
from p2pcdn.core.firsts import Place

TICK = 0.05
"""Seconds between two looks at the sockets: the most that the ledger's figures lag behind."""

PATIENCE = 60.0
"""Seconds after which the rest of a body is given up that a viewer does not fetch."""

FAREWELL = 3.0
"""The same once the connection was closed at our end. It is no longer among the connections that
are limited in number, so a viewer who fetches nothing is not to keep its descriptor."""


SENT = Counter(
    "p2pcdn_origin_sent_bytes",
    "Bytes of bodies as they arrived: media, and playlists, manifests and errors as overhead.",
    ["account"],
)
_MEDIA, _OVERHEAD = SENT.labels("media"), SENT.labels("overhead")


class Ledger(Protocol):
    """The account that bytes go to."""

    def origin_sent(
        self, media: int, overhead: int = 0, content: str = "", place: Place | None = None
    ) -> None: ...


class Flow:
    """One body on its way."""

    def __init__(
        self, tcp: Tcp | None, count: Callable[[int], None], start: int | None = None
    ) -> None:
        self._tcp = tcp
        self._count = count
        self._start = start or (tcp.acknowledged() + tcp.under_way() if tcp else 0)
        """Where the body begins in all that the connection carries."""
        self._handed = 0
        self._counted = 0
        self._deadline: float | None = None
        self._left = False

    def handed(self, size: int) -> None:
        """So many more bytes were given to the transport."""
        self._handed += size

    def finish(self, now: float) -> None:
        """No more will be handed over."""
        self._deadline = now + PATIENCE

    def settle(self, now: float) -> bool:
        """Count what has arrived since the last time; whether that was all there will be."""
        self._look()
        if self._deadline is None:
            return False
        if self._counted == self._handed:
            return True
        over = self._is_over(now)
        self._look()  # what is acknowledged may have grown between two looks
        return over or self._counted == self._handed

    def _look(self) -> None:
        arrived = self._arrived()
        if arrived > self._counted:
            self._count(arrived - self._counted)
            self._counted = arrived

    def close(self) -> None:
        """Look no longer."""
        if self._tcp is not None:
            self._tcp.close()

    def _is_over(self, now: float) -> bool:
        if self._tcp is None or self._tcp.is_over():
            return True
        assert self._deadline is not None  # it was finished
        if self._tcp.is_left and not self._left:
            self._left = True
            self._deadline = min(self._deadline, now + FAREWELL)
        return now >= self._deadline

    def _arrived(self) -> int:
        if self._tcp is None:
            return self._handed
        return min(self._handed, max(0, self._tcp.acknowledged() - self._start))


class Meter:
    """All bodies on their way."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._flows: set[Flow] = set()
        self._clock: asyncio.TimerHandle | None = None

    def begin(
        self,
        transport: asyncio.WriteTransport,
        account: Account,
        content: str = "",
        place: Place | None = None,
    ) -> Flow:
        """A body follows on this connection, whose header was written already; it is of this
        content, and begins at this place."""
        flow = Flow(figures_of(transport), self._counter(account, content, place))
        self._flows.add(flow)
        self._wind()
        return flow

    def begin_on(
        self, tcp: OpenTcp, start: int, account: Account, content: str, place: Place | None
    ) -> Flow:
        """The same on a connection whose figures are known already; the body begins when ``start``
        bytes were written on it."""
        tcp.use()
        flow = Flow(tcp, self._counter(account, content, place), start)
        self._flows.add(flow)
        self._wind()
        return flow

    def finish(self, flow: Flow) -> None:
        """As `end`, for bodies so many that it pays to look at them only once."""
        flow.finish(asyncio.get_running_loop().time())

    def end(self, flow: Flow) -> None:
        """The body was handed over, as far as it could be."""
        now = asyncio.get_running_loop().time()
        flow.finish(now)
        self._settle(flow, now)

    def overhead(self, size: int) -> None:
        """Count an answer that is too short to be followed."""
        _OVERHEAD.inc(size)
        self._ledger.origin_sent(0, size)

    def told(self, size: int, content: str, place: Place | None) -> None:
        """Count media that somebody else sends for us."""
        if size > 0:
            self._counter("media", content, place)(size)

    def close(self) -> None:
        """Count what is known now, and look no longer."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        for flow in self._flows:
            flow.settle(0.0)
            flow.close()
        self._flows.clear()

    def _counter(
        self, account: Account, content: str, place: Place | None
    ) -> Callable[[int], None]:
        if account != "media":
            return self.overhead

        def count(size: int) -> None:
            nonlocal place
            _MEDIA.inc(size)
            self._ledger.origin_sent(size, content=content, place=place)
            if place is not None:
                place = Place(place.file, place.start + size)

        return count

    def _settle(self, flow: Flow, now: float) -> None:
        if flow.settle(now):
            self._flows.discard(flow)
            flow.close()

    def _wind(self) -> None:
        if self._clock is None and self._flows:
            self._clock = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._clock = None
        now = asyncio.get_running_loop().time()
        for flow in list(self._flows):
            self._settle(flow, now)
        self._wind()
