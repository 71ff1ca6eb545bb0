"""A peer of many contents: those that are named, and those of the sites that it follows.

::

    list of a site --every half minute--> which contents --> a NativePeer each
                                                                ^      |
         shares of the store, rate, hours, a day's budget ------'      '-- what was given, to whom

What is named has to be there, or the edge ends; what a list names is tried again and again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp
import msgspec
import structlog

from p2pcdn.config import Config
from p2pcdn.errors import P2pcdnError
from peer.native.daily_budget import DailyBudget, is_open
from peer.native.disk.disk import Disk
from peer.native.following import ListError, fetch_contents
from peer.native.runner import NativePeer
from peer.native.shares import Demand, share_out

LOOK_EVERY = 30.0
"""Seconds between two looks at a list, and until a content of it is tried again."""
LIMIT_EVERY = 1.0
"""Seconds between two looks at what was given."""
FILLING = 8
"""Contents that are joined, and that are fetched, at once: an origin has other things to do."""
STUCK = 30.0
"""Seconds without a byte after which it is the next one's turn."""
MISSED = 10
"""Looks at a list that a content may be missing at before it is let go: an origin that has just
started finds its contents one after the other."""
SHARE_EVERY = 60.0
"""Seconds between two times of sharing out the store, unless a content has come: what that is worth
shows in its first moments."""

Show = Callable[[NativePeer], Awaitable[None]]
"""Shows how far a peer has got, until it is cancelled or the peer fails."""

log = structlog.get_logger("p2pcdn.peer")


class Part(msgspec.Struct, frozen=True):
    """Which of the contents are ours, where several machines or processes share them out."""

    index: int = 0
    count: int = 1

    def has(self, url: str) -> bool:
        """Whether a content is ours, by its rendezvous hash: when there is one part more or less,
        no other contents move than those that it takes or leaves."""
        return (
            self.count == 1 or max(range(self.count), key=lambda n: _weight(url, n)) == self.index
        )

    def of(self, config: Config) -> Config:
        """The configuration of one process of several on a machine: what all have together is
        shared out, too."""
        if self.count == 1:
            return config
        peer, count = config.peer, self.count
        store = None if peer.store is None else peer.store / f"{self.index + 1}-of-{count}"
        rate, budget, daily = peer.upload_rate, peer.upload_budget, peer.daily_budget
        peer = msgspec.structs.replace(
            peer,
            store=store,
            max_size=peer.max_size // count,
            store_bytes=peer.store_bytes // count,
            upload_rate=None if rate is None else rate / count,
            upload_budget=None if budget is None else budget // count,
            daily_budget=None if daily is None else daily // count,
            processes=1,
        )
        return msgspec.structs.replace(config, peer=peer)


def _now() -> dt.datetime:
    """The time of day here, which is what hours and days are meant by."""
    return dt.datetime.now().astimezone()


def _weight(url: str, index: int) -> bytes:
    return hashlib.sha256(f"{index} {url}".encode()).digest()


class Edge:
    """Holds contents until it is cancelled."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        config: Config | None = None,
        tracker: str | None = None,
        show: Show | None = None,
        part: Part | None = None,
    ) -> None:
        self._part = part = part or Part()
        self._config = config or Config()
        self._named = [url for url in dict.fromkeys(urls) if part.has(url)]
        self._tracker = tracker
        self._show = show or (lambda peer: peer.until(lambda: False))
        self.peers: dict[str, NativePeer] = {}
        """Those that are at work, by the URLs of their contents."""
        self._holding: dict[str, asyncio.Task[None]] = {}
        self._listed: dict[str, dict[str, int]] = {}
        """Of each site those contents that are ours, and at how many looks each was missing."""
        self._disk: Disk | None = None
        self._promised: dict[str, int] = {}
        """The first shares of those that are about to be at work."""
        self._demands: dict[str, Demand] = {}
        self._coming = asyncio.Event()
        """A content has come since the store was shared out."""
        self._turn = asyncio.Semaphore(FILLING)
        self._came: dict[str, tuple[int, float]] = {}
        """How much each content had when the last of it came, and when that was."""
        self._given: dict[str, int] = {}
        """What each peer had given when we last looked."""
        self._total = 0
        """What all have given since the start, those that are gone included."""

    async def run(self) -> None:
        """Hold them; raises what keeps one that was named from being held."""
        peer = self._config.peer
        async with AsyncExitStack() as stack:
            directory: Path | None = None
            if peer.store is not None:
                self._disk = Disk(peer.store, peer.max_size)
                stack.callback(self._disk.close)
                directory = peer.store
            self._daily_budget = DailyBudget(peer.daily_budget, directory)
            stack.callback(self._daily_budget.write)
            try:
                async with asyncio.TaskGroup() as group:
                    self._group = group
                    for url in self._named:
                        self._hold(url, named=True)
                    for site in peer.follow:
                        group.create_task(self._follow(site))
                    group.create_task(self._govern())
                    group.create_task(self._share_out())
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None

    # Contents

    def _hold(self, url: str, *, named: bool = False) -> None:
        if url not in self._holding:
            task = self._group.create_task(self._held(url, named))
            self._holding[url] = task
            task.add_done_callback(lambda _: self._holding.pop(url, None))

    async def _held(self, url: str, named: bool) -> None:
        while True:
            try:
                await self._held_once(url)
            except P2pcdnError as error:
                if named:
                    raise
                log.warning("not_held", content=url, why=str(error))
            except Exception:
                if named:
                    raise
                # Whatever is wrong with one, the others go on.
                log.exception("not_held", content=url)
            await asyncio.sleep(LOOK_EVERY)

    async def _held_once(self, url: str) -> None:
        async with self._turn:
            peer = await self._joined(url)
        try:
            self.peers[url] = peer
            self._coming.set()
            self._limit()
            self._take_turns()
            await self._show(peer)
        finally:
            del self.peers[url]
            try:
                await peer.__aexit__(None, None, None)
            finally:
                self._count(url, peer)
                self._given.pop(url, None)
                self._came.pop(url, None)

    async def _joined(self, url: str) -> NativePeer:
        """A peer that is at work, with its first share."""
        share = self._promised[url] = self._first_share()
        memory = share if self._disk is None else self._memory(len(self._holding))
        settings = msgspec.structs.replace(self._config.peer, store_bytes=memory)
        peer = NativePeer(
            url,
            config=msgspec.structs.replace(self._config, peer=settings),
            tracker=self._tracker,
            disk=self._disk,
            share=share,
        )
        try:
            return await peer.__aenter__()
        finally:
            del self._promised[url]

    async def _follow(self, site: str) -> None:
        complained = False
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    listed = await fetch_contents(session, site)
                except ListError as error:
                    if not complained:
                        log.warning("not_followed", why=str(error))
                    complained = True
                else:
                    complained = False
                    self._note(site, {url for url in listed if self._part.has(url)})
                await asyncio.sleep(LOOK_EVERY)

    def _note(self, site: str, there: set[str]) -> None:
        """Hold what a site has now, and let go what no site has any more."""
        ours = self._listed.setdefault(site, {})
        for url in there:
            if url not in ours:
                log.info("content_came", content=url)
            ours[url] = 0
            self._hold(url)
        for url in ours.keys() - there:
            ours[url] += 1
            if ours[url] < MISSED:
                continue
            del ours[url]
            log.info("content_went", content=url)
            wanted = url in self._named or any(url in others for others in self._listed.values())
            if not wanted and url in self._holding:
                self._holding[url].cancel()

    # What all have together

    @property
    def _room(self) -> int:
        """Bytes of the store: of the disk, if there is one, else of memory."""
        return self._config.peer.store_bytes if self._disk is None else self._disk.share

    def _memory(self, count: int) -> int:
        """Bytes of memory that each of so many contents may take beside the disk."""
        return self._config.peer.store_bytes // max(count, 1)

    def _first_share(self) -> int:
        """A content that comes takes what is left, or else what it turns out to be worth."""
        taken = sum(peer.share or 0 for peer in self.peers.values())
        coming = max(len(self._holding) - len(self.peers) - len(self._promised), 1)
        return max(self._left - taken, 0) // coming

    @property
    def _left(self) -> int:
        """Bytes of the store that no content has been promised that is about to come."""
        return self._room - sum(self._promised.values())

    async def _share_out(self) -> None:
        pause = SHARE_EVERY
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):  # wait_for may lose a cancellation (Python 3.11)
                    await self._coming.wait()
            pause = LIMIT_EVERY if self._coming.is_set() else min(2 * pause, SHARE_EVERY)
            self._coming.clear()
            self._share()
            await asyncio.sleep(LIMIT_EVERY)  # many may come

    def _share(self) -> None:
        """Share out the store by what the contents are worth now."""
        now = asyncio.get_running_loop().time()
        gone = self._demands.keys() - self._holding.keys()
        for url in gone:
            del self._demands[url]
        wishes = {}
        for url, peer in self.peers.items():
            wish = peer.wish()
            demand = self._demands.setdefault(url, Demand())
            wishes[url] = wish, demand.note(wish.peers, now)
        shares = share_out(self._left, wishes)
        # Who has to give something up goes first.
        memory = self._memory(len(shares))
        for url in sorted(shares, key=lambda url: shares[url] - (self.peers[url].share or 0)):
            self.peers[url].resize(shares[url], memory)

    async def _govern(self) -> None:
        while True:
            await asyncio.sleep(LIMIT_EVERY)
            for url, peer in self.peers.items():
                self._count(url, peer)
            self._limit()
            self._take_turns()

    def _take_turns(self) -> None:
        """Of the finished contents that are not complete, a few are fetched at once: those first
        that somebody is there for."""
        now = asyncio.get_running_loop().time()
        waiting: list[tuple[bool, int, str]] = []
        for url, peer in self.peers.items():
            size, at = self._came.get(url, (-1, now))
            if peer.store.size != size:
                self._came[url] = peer.store.size, (at := now)
            if peer.is_complete() or peer.is_live():
                peer.wait(False)
            else:
                waiting.append((now - at > STUCK, -len(peer.links), url))
        for number, (_, _, url) in enumerate(sorted(waiting)):
            self.peers[url].wait(number >= FILLING)

    def _count(self, url: str, peer: NativePeer) -> None:
        """Enter what was given since the last look."""
        uploaded = peer.stats.uploaded_bytes
        given = uploaded - self._given.get(url, 0)
        self._given[url] = uploaded
        self._total += given
        self._daily_budget.give(given, _now().date(), asyncio.get_running_loop().time())

    def _limit(self) -> None:
        """Tell each peer what it may give: of the rate its part, if it has anybody to give to, and
        of the budgets as much as all have."""
        peer, now = self._config.peer, _now()
        left = self._daily_budget.left(now.date())
        if peer.upload_budget is not None:
            rest = max(peer.upload_budget - self._total, 0)
            left = rest if left is None else min(left, rest)
        busy = max(sum(bool(other.links) for other in self.peers.values()), 1)
        for other in self.peers.values():
            other.limit(
                upload=is_open(peer.hours, now),
                rate=None if peer.upload_rate is None else peer.upload_rate / busy,
                budget=None if left is None else left // max(len(self.peers), 1),
            )
