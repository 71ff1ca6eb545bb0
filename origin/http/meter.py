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
there is something to wait for. One look at a connection tells of all the bodies on it, which may be
many: who asks for chunks has a new one every few milliseconds.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from math import inf
from typing import Protocol

from msgspec import Struct
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


class Told:
    """The figures of a connection of which the kernel tells nothing: what is written counts."""

    is_left = False

    def look(self) -> tuple[int, bool]:
        return sys.maxsize, True

    def close(self) -> None:
        """Nothing is held open."""


class Flow(Struct, eq=False, gc=False):
    """One body on its way."""

    tcp: Tcp | Told
    start: int
    """Where the body begins in all that the connection carries."""
    account: Account
    content: str
    place: Place | None
    """Where it begins in its file."""
    size: int = 0
    """Bytes that were given to the transport."""
    counted: int = 0
    is_finished: bool = False
    """Whether no more will be given."""
    deadline: float = inf
    """Until when the rest is waited for."""

    def handed(self, size: int) -> None:
        """So many more bytes were given to the transport."""
        self.size += size

    def finish(self) -> None:
        """No more will be handed over."""
        self.is_finished = True

    def is_done(self, now: float, *, is_over: bool) -> bool:
        """Whether nothing more will be counted, on a connection that is over or is not."""
        if not self.is_finished:
            return False
        if is_over or self.counted == self.size:
            return True
        self.wait(now)
        return now >= self.deadline

    def wait(self, now: float) -> None:
        """The rest is waited for, but not for ever, if no more will be given."""
        if self.is_finished:
            self.deadline = min(self.deadline, now + (FAREWELL if self.tcp.is_left else PATIENCE))


class Meter:
    """All bodies on their way."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._flows: dict[Tcp | Told, deque[Flow]] = {}
        """By their connections, in the order in which they follow one another there."""
        self._media = 0
        """Bytes that are in the ledger, and not in the figures yet."""
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
        tcp = figures_of(transport)
        flow = Flow(tcp or Told(), tcp.written() if tcp else 0, account, content, place)
        self._flows[flow.tcp] = deque((flow,))
        self._wind()
        return flow

    def begin_on(
        self, tcp: OpenTcp, start: int, account: Account, content: str, place: Place | None
    ) -> Flow:
        """The same on a connection whose figures are known already; the body begins when ``start``
        bytes were written on it. It ends by `Flow.finish`: when it is looked at, others are too."""
        flow = Flow(tcp, start, account, content, place)
        flows = self._flows.get(tcp)
        if flows is None:
            tcp.use()
            flows = self._flows[tcp] = deque()
        flows.append(flow)
        if self._clock is None:
            self._wind()
        return flow

    def end(self, flow: Flow) -> None:
        """The body was handed over, as far as it could be."""
        flow.finish()
        if flow.tcp in self._flows:
            self._settle(flow.tcp, asyncio.get_running_loop().time())
            self._show()

    def overhead(self, size: int) -> None:
        """Count an answer that is too short to be followed."""
        _OVERHEAD.inc(size)
        self._ledger.origin_sent(0, size)

    def told(self, size: int, content: str, place: Place | None) -> None:
        """Count media that somebody else sends for us."""
        if size > 0:
            _MEDIA.inc(size)
            self._ledger.origin_sent(size, content=content, place=place)

    def close(self) -> None:
        """Count what is known now, and look no longer."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        for tcp in list(self._flows):
            self._settle(tcp, 0.0)
        self._show()
        for tcp in self._flows:
            tcp.close()
        self._flows.clear()

    def _settle(self, tcp: Tcp | Told, now: float) -> None:
        """Count what has arrived on a connection since the last time."""
        acknowledged, is_over = tcp.look()
        flows = self._flows[tcp]
        while flows:
            flow = flows[0]
            arrived = min(flow.size, acknowledged - flow.start)
            if arrived > flow.counted:
                self._count(flow, arrived - flow.counted)
                flow.counted = arrived
            if not flow.is_done(now, is_over=is_over):
                if tcp.is_left:  # the time of those behind runs as well
                    for behind in flows:
                        behind.wait(now)
                return
            flows.popleft()
        del self._flows[tcp]
        tcp.close()

    def _count(self, flow: Flow, size: int) -> None:
        if flow.account != "media":
            self.overhead(size)
            return
        self._media += size
        place = flow.place
        if place is not None and flow.counted:
            place = Place(place.file, place.start + flow.counted)
        self._ledger.origin_sent(size, content=flow.content, place=place)

    def _show(self) -> None:
        _MEDIA.inc(self._media)
        self._media = 0

    def _wind(self) -> None:
        if self._clock is None and self._flows:
            self._clock = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._clock = None
        now = asyncio.get_running_loop().time()
        for tcp in list(self._flows):
            self._settle(tcp, now)
        self._show()
        self._wind()
