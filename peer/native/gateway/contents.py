"""The contents that a gateway holds: each has a peer of its own, or a reason why it has none.

::

    add --> opening --> shared <--pause, resume--> paused
               |            '--- its peer ended ----.
               '--- no manifest, no tracker ------> plain: the origin alone; tried again later

What somebody reads is there however its peer fares: it then comes from the origin. What was opened
by reading is shared for as long as there are not too many others.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from msgspec.structs import replace

from p2pcdn.config import Config
from p2pcdn.errors import ConfigError, P2pcdnError
from peer.native.addresses import ContentAddress
from peer.native.disk.disk import Disk
from peer.native.gateway.guard import session
from peer.native.gateway.playlists import Playlists
from peer.native.gateway.state import Remembered
from peer.native.runner import NativePeer
from peer.native.shares import Wish, share_out
from peer.native.tokens import new_key

MOST = 16
"""Contents of the owner's at once; the one that was read longest ago goes for one more, but for
those to keep."""
MOST_OF_PAGES = 8
"""Contents of all pages at once: they make room for one another, never at the owner's cost."""
MOST_OF_A_PAGE = 4
"""Contents of one page at once."""
PAGES_PART = 4
"""One of so many parts of the store is for what pages add, whatever the owner has."""
LEAST_PART = 4
"""One of so many parts of the owner's is shared out evenly, so that all have some; the rest is
first for what he keeps."""
KEPT_FIRST = 1e9
"""Added to the demand for what is to be kept: more than there ever is for anything else."""
GOVERN_EVERY = 1.0
"""Seconds between two looks at who may take how much of the store, and give how much."""
AGAIN = 30.0
"""Seconds until a content that could not be joined is tried again, if somebody reads it."""

log = structlog.get_logger("p2pcdn.peer")


@dataclass(slots=True, eq=False)
class Source:
    """An origin: what the gateway has of it."""

    id: str
    base: str
    """As `ContentAddress.origin`."""
    page: str | None
    """The page for which alone it is asked, as far as it may be."""
    playlists: Playlists = field(default_factory=Playlists)


@dataclass(slots=True, eq=False)
class Entry:
    """One content."""

    id: str
    url: str
    address: ContentAddress
    source: Source
    keep: bool
    """Fetched in full; otherwise what is read of it."""
    used: float
    """When it was read last, or added."""
    peer: NativePeer | None = None
    failure: str | None = None
    token: str | None = None
    """A join token that somebody has brought for it."""
    lasts: bool = False
    """There again after a restart."""
    paused: bool = False
    tried: float = 0.0
    length: int | None = None
    """Of a file, in bytes, if it is known."""
    given: int = 0
    """Bytes that its earlier peers have sent to others."""
    plain: int = 0
    """Bytes that came from the origin without its peer."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def state(self) -> str:
        """`shared`, `paused` or `plain`."""
        return "paused" if self.paused else "plain" if self.peer is None else "shared"

    @property
    def path(self) -> str:
        """Where a reader finds it, below the secret."""
        return f"media/{self.source.id}/{self.address.quoted}"

    async def open(self, make: Callable[[], NativePeer], now: float) -> None:
        """Join its swarm; afterwards it has a peer or a failure."""
        self.tried = now
        try:
            self.peer = await self._stack.enter_async_context(make())
            self.failure = None
        except P2pcdnError as error:
            self.failure = str(error)
            log.info("content_plain", url=self.url, error=self.failure)

    async def close(self) -> None:
        """Leave its swarm."""
        if self.peer is not None:
            self.given += self.peer.stats.uploaded_bytes
        self.peer = None
        await self._stack.aclose()


class Contents:
    """All of them."""

    def __init__(
        self,
        config: Config,
        tracker: str | None = None,
        disk: Disk | None = None,
        make: type[NativePeer] = NativePeer,
    ) -> None:
        """``tracker`` and ``disk`` are as for `NativePeer`; what the settings allow in all, the
        contents have together."""
        self._config = config
        self._tracker = tracker
        self._disk = disk
        self._make = make
        self._sources: dict[str, Source] = {}
        self._entries: dict[str, Entry] = {}
        self.busy: set[asyncio.Task[object]] = set()
        """Attempts to join that nobody waits for."""
        self._given = 0
        """Bytes that contents have sent to others which are gone."""
        self._clock: asyncio.TimerHandle | None = None
        self._keys: dict[str | None, EllipticCurvePrivateKey] = {}
        self.changed: Callable[[list[Remembered]], None] = lambda _: None
        """Told what is to be there again after a restart."""

    @property
    def all(self) -> list[Entry]:
        """The oldest first."""
        return list(self._entries.values())

    @property
    def pages(self) -> set[str]:
        """Those that have added any."""
        return {source.page for source in self._sources.values() if source.page is not None}

    def source(self, id_: str) -> Source | None:
        """An origin by its id."""
        return self._sources.get(id_)

    def get(self, id_: str) -> Entry | None:
        """A content by its id."""
        return self._entries.get(id_)

    def restore(self, contents: Iterable[Remembered]) -> None:
        """Have what was there before, each as soon as it is joined."""
        for known in contents:
            with contextlib.suppress(ConfigError):  # an earlier version took it
                entry = self._enter(known.url, known.keep, known.page)
                entry.lasts, entry.paused = True, known.paused
                self._do(self._join(entry))

    async def add(
        self,
        url: str,
        *,
        keep: bool,
        page: str | None = None,
        lasts: bool = False,
        token: str | None = None,
    ) -> Entry:
        """The content at a URL, which joins its swarm if it has not, by this ``token`` if one is
        given; for a page, as far as that could ask for it by itself. One that ``lasts`` is there
        again after a restart. `ConfigError` if the URL can't be a content's."""
        entry = self._enter(url, keep, page)
        entry.lasts |= lasts
        await self._make_room(entry)
        first = token is not None and entry.token is None
        if first or (keep and not entry.keep):
            entry.token = token or entry.token
            await self._renew(entry, keep or entry.keep)
        elif token is not None:
            entry.token = token
            if entry.peer is not None:
                entry.peer.give_token(token)
        self._note()
        await self._join(entry)
        return entry

    def _enter(self, url: str, keep: bool, page: str | None) -> Entry:
        address = ContentAddress.parse(url)
        source = self._source(address, page)
        id_ = _short(f"{source.id} {address.path}")
        now = asyncio.get_running_loop().time()
        if id_ not in self._entries:
            self._entries[id_] = Entry(id_, url, address, source, keep, now)
        self._entries[id_].used = now
        return self._entries[id_]

    async def reading(self, source: Source, rendition: str) -> Entry | None:
        """The content of which somebody reads a rendition, if there is one."""
        now = asyncio.get_running_loop().time()
        for entry in self._entries.values():
            if entry.source is not source:
                continue
            own = entry.peer.renditions if entry.peer else ()
            if rendition in own or entry.address.path == rendition:
                entry.used = now
                await self._see_to(entry, now)
                return entry
        return None

    async def pause(self, entry: Entry, paused: bool) -> None:
        """Leave the swarm and keep what is held, or come back."""
        async with entry.lock:
            if entry.peer is not None and entry.paused != paused:
                entry.paused = True
                await (entry.peer.pause() if paused else entry.peer.resume())
            entry.paused = paused
        self._note()
        await self._join(entry)

    async def remove(self, entry: Entry) -> None:
        """Forget a content, and what is held of it."""
        self._entries.pop(entry.id, None)
        if not any(other.source is entry.source for other in self._entries.values()):
            self._sources.pop(entry.source.id, None)
        async with entry.lock:
            await entry.close()
        self._given += entry.given
        self._govern()
        self._note()

    async def close(self) -> None:
        """Leave all swarms."""
        self.changed = lambda _: None
        for task in self.busy:
            task.cancel()
        await asyncio.gather(*(self.remove(entry) for entry in self.all))
        if self._clock is not None:
            self._clock.cancel()

    def key(self, page: str | None) -> EllipticCurvePrivateKey:
        """To which tokens that a page brings are bound: no two pages are shown the same."""
        if page not in self._keys:
            self._keys[page] = new_key()
        return self._keys[page]

    async def _renew(self, entry: Entry, keep: bool) -> None:
        """What was only read is to be kept from now on, or a token has come: that takes another
        peer."""
        async with entry.lock:
            entry.keep = keep
            await entry.close()

    def _source(self, address: ContentAddress, page: str | None) -> Source:
        id_ = _short(f"{address.origin} {page or ''}")
        if id_ not in self._sources:
            self._sources[id_] = Source(id_, address.origin, page)
        return self._sources[id_]

    async def _see_to(self, entry: Entry, now: float) -> None:
        """Whoever reads waits for a content's first attempt to join, and for no later one."""
        if entry.peer is not None and entry.peer.failure is None:
            return
        if entry.failure is None and entry.peer is None:
            await self._join(entry)
        elif now >= entry.tried + AGAIN and not entry.lock.locked():
            self._do(self._join(entry))

    def _do(self, work: Coroutine[Any, Any, object]) -> None:
        """Do what nobody waits for."""
        task = asyncio.create_task(work)
        self.busy.add(task)
        task.add_done_callback(self.busy.discard)

    def _note(self) -> None:
        self.changed(
            [
                Remembered(entry.url, entry.keep, entry.paused, entry.source.page)
                for entry in self._entries.values()
                if entry.lasts
            ]
        )

    async def _join(self, entry: Entry) -> None:
        async with entry.lock:
            if entry.peer is not None and entry.peer.failure is not None:
                entry.failure = str(entry.peer.failure)
                await entry.close()
            if entry.peer is None and not entry.paused and self._entries.get(entry.id) is entry:
                now = asyncio.get_running_loop().time()
                await entry.open(lambda: self._peer(entry), now)
                if self._entries.get(entry.id) is not entry:
                    await entry.close()  # it was removed meanwhile
                self._govern()

    def _peer(self, entry: Entry) -> NativePeer:
        page = entry.source.page
        size, memory = self._sizes(entry)[entry.id], self._memory(entry)
        settings = replace(self._config.peer, store_bytes=size if self._disk is None else memory)
        if page is not None or entry.token is not None:
            # What the owner has for his own contents is none of a page's business.
            settings = replace(settings, token=entry.token, token_url=None)
        return self._make(
            entry.url,
            config=replace(self._config, peer=settings),
            tracker=self._tracker,
            disk=self._disk,
            share=None if self._disk is None else size,
            keep=entry.keep,
            session=lambda: session(page, entry.source.base),
            key=None if entry.token is None else self.key(page),
        )

    # What all have together

    def _govern(self) -> None:
        """Share out the store and the upload; again and again, since what there is to know of a
        content comes with time."""
        if self._clock is not None:
            self._clock.cancel()
        sizes = self._sizes()
        joined = [(entry, entry.peer) for entry in self._entries.values() if entry.peer is not None]
        # Who has to give something up goes first.
        for entry, peer in sorted(joined, key=lambda one: sizes[one[0].id] - (one[1].share or 0)):
            if peer.share != sizes[entry.id]:
                peer.resize(sizes[entry.id], self._memory(entry))
        # Who pauses gives nothing, and is not to be told that it may.
        self._limit([p for entry, p in joined if not entry.paused])
        loop = asyncio.get_running_loop()
        self._clock = loop.call_later(GOVERN_EVERY, self._govern) if self._entries else None

    def _limit(self, peers: list[NativePeer]) -> None:
        """Of the rate each has its part, if it has anybody to give to; of the budget each has."""
        settings = self._config.peer
        rate, budget = settings.upload_rate, settings.upload_budget
        busy = max(sum(bool(peer.links) for peer in peers), 1)
        if budget is not None:
            given = self._given + sum(
                entry.given + (entry.peer.stats.uploaded_bytes if entry.peer else 0)
                for entry in self._entries.values()
            )
            budget = max(budget - given, 0) // max(len(peers), 1)
        for peer in peers:
            peer.limit(upload=True, rate=None if rate is None else rate / busy, budget=budget)

    def _sizes(self, opening: Entry | None = None) -> dict[str, int]:
        """The bytes of the store that each may take that has a peer, or gets one: of the disk, if
        there is one, else of memory."""
        room = self._config.peer.store_bytes if self._disk is None else self._disk.share
        there = [entry for entry in self._entries.values() if entry.peer or entry is opening]
        pages = [entry for entry in there if entry.source.page is not None]
        owners = [entry for entry in there if entry.source.page is None]
        for_pages = room // PAGES_PART
        sizes = {entry.id: for_pages // len(pages) for entry in pages}
        least = (room - for_pages) // LEAST_PART // max(len(owners), 1)
        wishes = {}
        for entry in owners:
            wish = _wish(entry, room)
            wishes[entry.id] = wish, wish.peers + (KEPT_FIRST if entry.keep else 0.0)
        rest = room - for_pages - least * len(owners)
        return sizes | {id_: least + size for id_, size in share_out(rest, wishes).items()}

    def _memory(self, entry: Entry) -> int:
        """The bytes of memory that one may take beside the disk."""
        whole = self._config.peer.store_bytes
        ours = entry.source.page is None
        alike = sum((other.source.page is None) is ours for other in self._entries.values())
        return (whole - whole // PAGES_PART if ours else whole // PAGES_PART) // max(alike, 1)

    async def _make_room(self, newest: Entry) -> None:
        """What the owner adds makes room among his, and a page's among pages', its own first."""
        page = newest.source.page
        alike = [e for e in self._entries.values() if (e.source.page is None) is (page is None)]
        own = [e for e in alike if e.source.page == page]
        if page is None:
            await self._reduce(own, MOST, newest)
            return
        await self._reduce(own, MOST_OF_A_PAGE, newest)
        left = [e for e in alike if self._entries.get(e.id) is e]
        await self._reduce(left, MOST_OF_PAGES, newest)

    async def _reduce(self, several: list[Entry], most: int, newest: Entry) -> None:
        old = [e for e in several if not e.keep and e is not newest]
        for entry in sorted(old, key=lambda e: e.used)[: max(len(several) - most, 0)]:
            await self.remove(entry)


def _wish(entry: Entry, room: int) -> Wish:
    """What a content would have; until it is known what there is to keep of it, all."""
    wish = Wish(0, 0, 0) if entry.peer is None else entry.peer.wish()
    size = max(wish.size, wish.held) or (room if entry.keep else 0)
    return Wish(size, wish.held, wish.peers, wish.rare)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
