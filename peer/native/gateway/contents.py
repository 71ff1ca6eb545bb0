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
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from p2pcdn.config import Config
from p2pcdn.errors import P2pcdnError
from peer.native.addresses import ContentAddress
from peer.native.disk.disk import Disk
from peer.native.gateway.guard import connector
from peer.native.gateway.playlists import Playlists
from peer.native.runner import NativePeer

MOST = 16
"""Contents at once; the one that was read longest ago goes for one more, but for those to keep."""
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
    peer: NativePeer | None = None
    failure: str | None = None
    paused: bool = False
    used: float = 0.0
    """When it was read last."""
    tried: float = 0.0
    length: int | None = None
    """Of a file, in bytes, if it is known."""
    plain: int = 0
    """Bytes that came from the origin without its peer."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def state(self) -> str:
        """`shared`, `paused` or `plain`."""
        return "plain" if self.peer is None else "paused" if self.paused else "shared"

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
        """``tracker`` and ``disk`` are as for `NativePeer`; each content has an equal share."""
        self._config = config
        self._tracker = tracker
        self._disk = disk
        self._make = make
        self._sources: dict[str, Source] = {}
        self._entries: dict[str, Entry] = {}
        self.busy: set[asyncio.Task[None]] = set()
        """Attempts to join that nobody waits for."""

    @property
    def all(self) -> list[Entry]:
        """The oldest first."""
        return list(self._entries.values())

    def source(self, id_: str) -> Source | None:
        """An origin by its id."""
        return self._sources.get(id_)

    def get(self, id_: str) -> Entry | None:
        """A content by its id."""
        return self._entries.get(id_)

    async def add(self, url: str, *, keep: bool, page: str | None = None) -> Entry:
        """The content at a URL, which joins its swarm if it has not; for a page, as far as that
        could ask for it by itself. `ConfigError` if the URL can't be a content's."""
        address = ContentAddress.parse(url)
        source = self._source(address, page)
        id_ = _short(f"{source.id} {address.path}")
        now = asyncio.get_running_loop().time()
        entry = self._entries.get(id_)
        if entry is None:
            entry = self._entries[id_] = Entry(id_, url, address, source, keep)
            await self._make_room(entry)
            self._share()
        entry.used = now
        await self._join(entry)
        return entry

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
            if entry.peer is None or entry.paused == paused:
                entry.paused = paused
                return
            await (entry.peer.pause() if paused else entry.peer.resume())
            entry.paused = paused

    async def remove(self, entry: Entry) -> None:
        """Forget a content, and what is held of it."""
        self._entries.pop(entry.id, None)
        if not any(other.source is entry.source for other in self._entries.values()):
            self._sources.pop(entry.source.id, None)
        async with entry.lock:
            await entry.close()
        self._share()

    async def close(self) -> None:
        """Leave all swarms."""
        for task in self.busy:
            task.cancel()
        await asyncio.gather(*(self.remove(entry) for entry in self.all))

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
            task = asyncio.create_task(self._join(entry), name=f"join {entry.id}")
            self.busy.add(task)
            task.add_done_callback(self.busy.discard)

    async def _join(self, entry: Entry) -> None:
        async with entry.lock:
            if entry.peer is not None and entry.peer.failure is not None:
                entry.failure = str(entry.peer.failure)
                await entry.close()
            if entry.peer is None and not entry.paused and self._entries.get(entry.id) is entry:
                now = asyncio.get_running_loop().time()
                await entry.open(lambda: self._peer(entry), now)

    def _peer(self, entry: Entry) -> NativePeer:
        page = entry.source.page
        return self._make(
            entry.url,
            config=self._config,
            tracker=self._tracker,
            disk=self._disk,
            share=self._size,
            keep=entry.keep,
            connector=None if page is None else lambda: connector(page),
        )

    @property
    def _size(self) -> int | None:
        """What each may take of the disk."""
        return None if self._disk is None else self._disk.share // max(len(self._entries), 1)

    def _share(self) -> None:
        """There are more contents than before, or fewer."""
        size = self._size
        for entry in self._entries.values():
            if entry.peer is not None and size is not None:
                entry.peer.resize(size)

    async def _make_room(self, newest: Entry) -> None:
        old = [e for e in self._entries.values() if not e.keep and e is not newest]
        for entry in sorted(old, key=lambda e: e.used)[: max(len(self._entries) - MOST, 0)]:
            await self.remove(entry)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
