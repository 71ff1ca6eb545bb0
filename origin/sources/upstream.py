"""Another HTTP server as a source: what is asked for is fetched from there, once, and kept.

::

    open, identify_all --> Known, by path --not fresh--> Asker.look:  HEAD, or all of it by GET
    read --> disk cache, by version and slice --not there--> Asker.fetch --> Arrival, for all who
                                                                             wait for it

A small file is fetched as a whole, of a larger one slices. An answer is of the version that was
looked at, whole, and as long as was said, or nothing of it is kept. Which files there are is known
from what was asked for. While the server is away, what is known and kept is served on.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import structlog

from origin.content_types import is_playlist
from origin.fetching.client import Client
from origin.fetching.loop import LoopThread
from origin.fetching.place import Place
from origin.sources import Identity, Listing, missing
from origin.sources.arrivals import Arrival
from origin.sources.asking import NOTHING, Asker, RefusedError, ReplacedError
from origin.sources.cache import DiskCache, Piece
from origin.sources.known import KnownFiles
from origin.sources.memory import Known, Memory
from origin.sources.turns import Share, Turns
from origin.sources.versions import Version
from p2pcdn.config import Config
from p2pcdn.errors import SourceError, SourceReason

STALE = 86_400.0
"""Seconds for which a file is served on while the server is away."""

AGAIN = 2.0
"""Seconds until a server that was away is asked again, by those who have something to serve."""

AT_ONCE = 16
"""Requests for heads at once, and as many for bodies."""

_MOST_LATER = 256
"""Looks that nobody waits for."""

_BATCH = 64
"""Looks that somebody waits for at once: if one fails, the rest need not."""

_GONE = Identity(-1, 0, 0)

_HELD = 8
"""Slices that stay in memory where the disk does not take them."""

MOST_IN_MEMORY = 512 * 1024 * 1024
"""Bytes of slices that are in memory, or on their way there: those that are just coming, and where
the disk does not take them all that somebody reads, however slowly."""

T = TypeVar("T")

log = structlog.get_logger("p2pcdn.origin")


class UpstreamFile:
    """A version of a file, open for reading."""

    def __init__(
        self, source: Upstream, path: str, version: Version, since: float, piece: Piece | None
    ) -> None:
        """``piece`` is its first slice, if that is on the disk."""
        self.identity = version.identity
        self.since = since
        self._source = source
        self._path = path
        self._version = version
        self._number = 0
        self._slice: Piece | Arrival | None = piece

    def read(self, offset: int, size: int) -> bytes:
        """As `File.read`, within a slice; `SourceError` if it cannot be had any more."""
        if not 0 <= offset < self._version.size or size <= 0:
            return b""
        number, begin = self._version.slice_at(offset)
        if self._slice is None or self._number != number:
            self._slice = None  # so that it is not counted beside the next
            self._slice = self._source.slice(self._path, self._version, number)
            self._number = number
        there = self._slice.read_cached(offset - begin, size)
        if there is not None:
            return bytes(there)
        if isinstance(self._slice, Piece) or self._slice.is_whole:
            return self._slice.read(offset - begin, size)
        with self._source.turn():
            return self._slice.read(offset - begin, size)

    def read_cached(self, offset: int, size: int) -> memoryview | None:
        number, begin = self._version.slice_at(offset)
        if self._slice is None or self._number != number:
            return None
        return self._slice.read_cached(offset - begin, size)

    def current(self) -> Identity:
        return self._source.current(self._path, self._version)

    def close(self) -> None:
        self._slice = None


class Upstream:
    """The files below a place on another server."""

    def __init__(
        self,
        place: Place,
        client: Client,
        cache: DiskCache,
        files: KnownFiles,
        turns: Turns | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``turns`` are those of all places that threads wait for."""
        self._place = place
        self._client = client
        self._asker = Asker(client, place, wall)
        self._cache = cache
        self._files = files
        self._clock = clock
        self._wall = wall
        self._loop = LoopThread("upstream")
        self.turn = Share(turns or Turns(), str(place.base)).turn
        self._heads = asyncio.Semaphore(AT_ONCE)
        self._bodies = asyncio.Semaphore(AT_ONCE)
        self._memory = Memory(files, clock, wall)
        self._lock = threading.Lock()
        """Of the next three."""
        self._looks: dict[str, Future[Known]] = {}
        self._arrivals: WeakValueDictionary[str, Arrival] = WeakValueDictionary()
        """Those in memory: that come, are held, or are read."""
        self._held: deque[Arrival] = deque(maxlen=_HELD)
        self._away_until = float("-inf")
        self._trouble: SourceError | None = None

    def open(self, path: str) -> UpstreamFile:
        known = self._memory.get(path)
        if known is None or not self._memory.is_fresh(path):
            with self.turn():
                known = _result(self._look(path, again=False))
        if known.version is None:
            raise missing(path)
        piece = self._kept(path, known.version) if known.version.is_whole else None
        return UpstreamFile(self, path, known.version, known.since, piece)

    def identify_all(self, paths: Iterable[str]) -> dict[str, Identity]:
        """Versions that are known are told at once, and looked at anew for the next time."""
        asked = list(dict.fromkeys(paths))
        known = self._memory.version
        new = [p for p in asked if known(p) is None and not self._memory.is_fresh(p)]
        old = [p for p in asked if known(p) is not None and self._memory.is_due(p)]
        if new:
            with self.turn():
                for begin in range(0, len(new), _BATCH):
                    self._wait_for([self._look(path) for path in new[begin : begin + _BATCH]])
        for path in old[: max(0, _MOST_LATER - len(self._looks))]:
            self._look(path)
        found = ((path, known(path)) for path in asked)
        return {path: version.identity for path, version in found if version is not None}

    def list(self, folder: str) -> Listing:
        listing = self._memory.listing(folder)
        if listing is None:
            raise missing(folder)
        return listing

    def folder_time(self, folder: str) -> int:
        changed = self._memory.folder_time(folder)
        if changed is None:
            raise missing(folder)
        return changed

    def is_far(self, path: str) -> bool:
        return True

    def reach(self) -> None:
        with self.turn():
            _result(self._begin(self._client.reach(self._place)))

    def problems(self) -> tuple[str, ...]:
        found = [self._cache.problem] if self._cache.problem else []
        if self._trouble is not None:
            found.append(f"The upstream {self._place.base} is in trouble: {self._trouble.detail}")
        return tuple(found)

    def close(self) -> None:
        """Let go of the server, and of whoever waits for it."""
        self._loop.close(self._client.close)
        with self._lock:
            arrivals = self._in_memory()
        for arrival in arrivals:
            if not arrival.is_whole:
                arrival.fail(_stopping())
        self._files.close()

    # Versions

    def current(self, path: str, version: Version) -> Identity:
        """The identity of a file that was opened as ``version``: another if that is gone."""
        known = self._memory.get(path)
        if known is None:
            return version.identity
        return _GONE if known.version is None else known.version.identity

    def _wait_for(self, looks: Sequence[Future[Known]]) -> None:
        for look in looks:
            with suppress(RefusedError):  # it is there, and yet not for us
                _result(look)

    def _look(self, path: str, *, again: bool = True) -> Future[Known]:
        """What is at a path now, asked for once for all who want to know; unless ``again`` not if
        somebody has just looked."""
        with self._lock:
            look = self._looks.get(path)
            if look is not None:
                return look
            known = None if again else self._memory.get(path)
            if known is not None and self._memory.is_fresh(path):
                done: Future[Known] = Future()
                done.set_result(known)
                return done
            look = self._looks[path] = self._begin(self._look_at(path))
        look.add_done_callback(lambda done: self._looked(path, done))
        return look

    def _looked(self, path: str, look: Future[Known]) -> None:
        with self._lock:
            self._looks.pop(path, None)
        if not look.cancelled() and look.exception() is not None:
            log.info("not_looked_at", path=path, reason=str(look.exception()))

    async def _look_at(self, path: str) -> Known:
        known = self._memory.get(path)
        if known is not None and known.version is not None and self._clock() < self._away_until:
            return known
        before = NOTHING if known is None else known.found
        whole = is_playlist(path) or (before.version is not None and bool(before.version.digest))
        try:
            async with self._heads:
                found = await self._asker.look(path, before, whole=whole)
        except RefusedError:
            raise
        except SourceError as error:
            self._trouble = error
            if known is None or known.version is None or self._wall() - known.since > STALE:
                raise
            log.warning("served_stale", path=path, reason=error.detail)
            self._away_until = self._clock() + AGAIN
            return known
        self._trouble = None
        if found.version is not None and found.data is not None:
            await self._keep(self._key(path, found.version, 0), found.data)
        return self._memory.note(path, found)

    # Bytes

    def slice(self, path: str, version: Version, number: int) -> Piece | Arrival:
        """A slice of a version, from the disk, or as it arrives; `SourceError` (busy) if there is
        no room for it."""
        key, length = self._key(path, version, number), version.length_of(number)
        piece = self._cache.find(key, length)
        if piece is not None:
            return piece
        with self._lock:
            # It may have come meanwhile.
            found = self._arrivals.get(key) or self._cache.find(key, length)
            if found is not None:
                return found
            used = sum(one.length for one in self._in_memory())
            if used + length > MOST_IN_MEMORY:
                raise SourceError(SourceReason.BUSY, f"Too much of {self._place.base} is read.")
            arrival = self._arrivals[key] = Arrival(length)
        self._begin(self._fetch(key, path, version, number, arrival))
        return arrival

    def _in_memory(self) -> Sequence[Arrival]:
        # Not `values`: a thread that lets go of one meanwhile would change what is iterated over.
        return [one for ref in self._arrivals.valuerefs() if (one := ref()) is not None]

    def _kept(self, path: str, version: Version) -> Piece | None:
        return self._cache.find(self._key(path, version, 0), version.size)

    def _begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        try:
            return self._loop.begin(coroutine)
        except RuntimeError:
            raise _stopping() from None

    def _key(self, path: str, version: Version, number: int) -> str:
        return version.key(str(self._place.url_of(path)), number)

    async def _fetch(
        self, key: str, path: str, version: Version, number: int, arrival: Arrival
    ) -> None:
        try:
            async with self._bodies:
                await self._asker.fetch(path, version, number, arrival)
            self._trouble = None
            await self._keep(key, arrival.data, arrival)
        except ReplacedError as error:
            self._memory.doubt(path, version)
            self._fail(key, arrival, error)
        except SourceError as error:
            self._trouble = error
            log.warning("not_fetched", path=path, reason=error.detail)
            self._fail(key, arrival, error)
        except asyncio.CancelledError:
            self._fail(key, arrival, _stopping())
            raise
        except Exception as error:  # a bug of ours must not leave anybody waiting
            log.exception("not_fetched", path=path)
            failed = SourceError(SourceReason.ABORTED, f"{path!r} failed here: {error!r}.")
            self._fail(key, arrival, failed)

    def _fail(self, key: str, arrival: Arrival, error: SourceError) -> None:
        self._let_go(key)
        arrival.fail(error)

    async def _keep(
        self, key: str, data: bytes | bytearray, arrival: Arrival | None = None
    ) -> None:
        if await asyncio.to_thread(self._cache.keep, key, data):
            piece = await asyncio.to_thread(self._cache.find, key, len(data))
            if arrival is not None and piece is not None:
                arrival.settle(piece)
                self._let_go(key)
            return
        if arrival is None:
            arrival = Arrival(len(data))
            arrival.give(bytes(data))
        with self._lock:
            self._arrivals[key] = arrival
            self._held.append(arrival)

    def _let_go(self, key: str) -> None:
        with self._lock:
            self._arrivals.pop(key, None)


def upstream_at(
    url: str, name: str, config: Config, cache: DiskCache, turns: Turns | None = None
) -> Upstream:
    """The upstream at a URL; `ConfigError` if it can be none."""
    place = Place.parse(url, name)
    client = Client(private=config.origin.upstream.networks)
    return Upstream(place, client, cache, KnownFiles(config.data, str(place.base)), turns)


def _result(look: Future[T]) -> T:
    try:
        return look.result()
    except CancelledError:
        raise _stopping() from None


def _stopping() -> SourceError:
    return SourceError(SourceReason.CLOSED, "The origin stops.")
