"""Fetches what is asked for of media elsewhere, once, and puts it on the shelf.

::

    attend(place) --> playlist, by the tickets that were brought ------> shelf
                         |  live: looked at again while anybody asks, and the segments at its
                         v  edge are hashed before it is shown
    bring(name, ...) --> segments: hashed as they come, kept by nobody --> hasher, shelf

Several who ask for the same wait for one answer. Whatever goes wrong is told without the URL, which
may carry somebody's token.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import structlog

from origin.catalog.hashing import Digests, Hasher
from origin.catalog.playlist import (
    MOST_BYTES,
    MediaPlaylist,
    PlaylistError,
    PlaylistSegment,
    parse,
)
from origin.elsewhere.allowance import Allowance
from origin.elsewhere.asking import Answer, Ask
from origin.elsewhere.cleaning import clean
from origin.elsewhere.heads import (
    MOST_SEGMENT,
    conditions_of,
    number_of,
    range_of,
    reason_of,
    size_of,
    stretch_of,
    version_of,
)
from origin.elsewhere.places import Place, Places
from origin.elsewhere.shelf import MOST_PLAYLISTS, Shelf
from origin.elsewhere.tickets import Tickets
from origin.sources import missing
from p2pcdn.errors import SourceError, SourceReason

FRESH = 300.0
"""Seconds for which a playlist is believed that has ended."""

AGAIN = 2.0
"""Seconds until it is asked for once more if it could not be had."""

LEAST_POLL = 0.5
"""Seconds between two looks at a live one, at least; else a quarter of the target duration: by so
much records are later than the segments that viewers see named."""

WATCHED = 300.0
"""Seconds after the last question in which a live playlist is looked at. Viewers hear of records
over the tracker's socket, and ask only when none come."""

EDGE = 6
"""Segments at the edge of a live playlist that are hashed before it is shown: players begin three
before it."""


RECHECK = 3600.0
"""Seconds for which it is believed that a segment is what it was."""

PATIENCE = 6.0
"""Seconds that a question waits for what is being fetched; browsers wait for eight."""

AT_ONCE = 6
"""Segments that are fetched at the same time."""

MOST_NAMED = 100_000
"""Files that all playlists together name, at about a kilobyte each; what was asked for longest ago
goes first."""

_TURNED_AWAY = frozenset({400, 401, 403, 404, 410})
"""What CDNs answer to a token that has run out, beside what these mean: nginx's says 410."""

_FOR_SURE = frozenset({401, 403})
"""Those of which nothing but the token is the reason."""

log = structlog.get_logger("p2pcdn.origin")


@dataclass(slots=True, eq=False)
class _Playlist:
    """A playlist that was asked for."""

    name: str
    tickets: Tickets = field(default_factory=Tickets)
    ticket: str = ""
    """By which it came."""
    asked: float = 0.0
    """When somebody asked for the last time."""
    stale: float = 0.0
    """When it is to be looked at again."""
    validators: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where what it names is."""
    media: MediaPlaylist | None = None
    """None as long as it is not there, or if it is a multivariant one."""
    is_there: bool = False
    poll: asyncio.Task[None] | None = None

    @property
    def live(self) -> bool:
        return self.media is not None and self.media.live

    @property
    def is_watched(self) -> bool:
        return self.poll is not None and not self.poll.done()

    @property
    def pause(self) -> float:
        """Seconds until it is to be looked at again."""
        return max(LEAST_POLL, self.media.target / 4) if self.media and self.live else FRESH


class Fetcher:
    """Sees to it that what is asked for is on the shelf."""

    def __init__(
        self,
        ask: Ask,
        places: Places,
        shelf: Shelf,
        hasher: Hasher,
        allowance: Allowance,
        spent: Callable[[int], None] = lambda _: None,
    ) -> None:
        """``spent`` is told of the bytes that come."""
        self._ask = ask
        self._places = places
        self._shelf = shelf
        self._hasher = hasher
        self._allowance = allowance
        self._spent = spent
        self._playlists: OrderedDict[str, _Playlist] = OrderedDict()
        self._strange: dict[str, _Playlist] = {}
        """Those that are asked for and have never been there."""
        self._jobs: dict[Hashable, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def attend(self, place: Place) -> None:
        """Somebody asks for the playlist at ``place``: it is on the shelf from now on, as it is now
        or was a moment ago. `SourceError` or `PlaylistError` if it cannot be had."""
        held = self._playlists.get(place.name) or self._strange.get(place.name)
        if held is None:
            held = self._strange[place.name] = _Playlist(place.name)
        held.tickets.offer(place.url)
        held.asked = _now()
        if held.name in self._playlists:
            self._playlists.move_to_end(held.name)
        if not held.is_watched and _now() >= held.stale:
            await self._renew(held)
        if held.live and not held.is_watched:
            held.poll = asyncio.create_task(self._watch(held), name="live elsewhere")

    async def _renew(self, held: _Playlist) -> None:
        try:
            await asyncio.shield(self._job(held.name, self._loading(held)))
        except (SourceError, PlaylistError) as error:
            gone = isinstance(error, SourceError) and error.reason is SourceReason.MISSING
            if gone or not held.is_there:
                raise
            # What it was holds, until somebody brings a better token, or the CDN is back.
            held.stale = _now() + AGAIN

    def segments(self, name: str) -> tuple[PlaylistSegment, ...]:
        """The segments of a rendition that was attended to."""
        held = self._playlists.get(name)
        return held.media.segments if held and held.media else ()

    async def bring(
        self, name: str, wanted: Iterable[PlaylistSegment], ahead: Iterable[PlaylistSegment] = ()
    ) -> None:
        """Have these segments of a rendition hashed, or as many of them as can be in a while, and
        begin with those ``ahead``. `SourceError` if none could."""
        held = self._playlists.get(name)
        if held is None:
            return
        jobs = [self._fetching(held, segment) for segment in wanted if self._lacks(segment)]
        for segment in ahead:
            if self._lacks(segment):
                self._fetching(held, segment)
        if not jobs:
            return
        done, _ = await asyncio.wait(jobs, timeout=PATIENCE)
        errors = [job.exception() for job in done if not job.cancelled()]
        if errors and all(errors):
            assert errors[0] is not None
            raise errors[0]

    def lacks(self, segments: Iterable[PlaylistSegment]) -> bool:
        """Whether any of these segments has not been hashed."""
        return any(self._since(segment) is None for segment in segments)

    async def close(self) -> None:
        """Fetch no more."""
        polls = [held.poll for held in self._playlists.values() if held.poll is not None]
        tasks = [*self._jobs.values(), *polls]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Playlists

    async def _watch(self, held: _Playlist) -> None:
        """Look at a live playlist as long as anybody asks."""
        while held.live and _now() - held.asked < WATCHED:
            await asyncio.sleep(max(0.0, held.stale - _now()))
            try:
                await asyncio.shield(self._job(held.name, self._loading(held)))
            except (SourceError, PlaylistError) as error:
                log.info("live_elsewhere_not_read", playlist=held.name, error=str(error))
                held.stale = _now() + held.pause

    def _loading(self, held: _Playlist) -> Callable[[], Coroutine[None, None, None]]:
        async def load() -> None:
            try:
                await self._load(held)
            finally:
                self._strange.pop(held.name, None)

        return load

    async def _load(self, held: _Playlist) -> None:
        refused: dict[str, SourceReason] = {}
        for ticket in list(held.tickets):
            headers = held.validators if ticket == held.ticket else {}
            async with self._get(held.name, ticket, headers, strange=not held.is_there) as answer:
                if answer.status in _TURNED_AWAY:
                    refused[ticket] = reason_of(answer)
                    if answer.status in _FOR_SURE:
                        held.tickets.turned_away(ticket)
                    continue
                if answer.status == 304:
                    held.stale = _now() + held.pause
                    return
                if answer.status != 200:
                    raise SourceError(reason_of(answer), held.name)
                data = await self._read(answer)
                held.validators = conditions_of(answer)
            for other in refused:  # so it is there, and they are no good
                held.tickets.turned_away(other)
            held.tickets.let_in(ticket)
            held.ticket = ticket
            await self._take(held, data)
            return
        # The word of the first counts: of the one that was good, if there is one.
        raise SourceError(next(iter(refused.values()), SourceReason.STATUS), held.name)

    async def _take(self, held: _Playlist, data: bytes) -> None:
        cleaned = clean(data, Place(held.name, held.ticket), self._places.find)
        parsed = parse(held.name, cleaned.data)
        before, media = held.media, parsed if isinstance(parsed, MediaPlaylist) else None
        held.places, held.media, held.is_there = cleaned.places, media, True
        self._playlists[held.name] = held
        self._evict()
        held.stale = _now() + held.pause
        if before is not None and media is not None and media.first < before.first:
            # Begun anew: names that come again are of something else.
            self._shelf.forget(segment.path for segment in before.segments)
        if media is not None and media.live:
            edge = media.segments[-EDGE:]
            jobs = [self._fetching(held, segment) for segment in edge if self._lacks(segment)]
            if jobs:
                await asyncio.wait(jobs, timeout=PATIENCE)
        self._shelf.put(held.name, cleaned.data)

    def _evict(self) -> None:
        named = sum(len(held.places) for held in self._playlists.values())
        while len(self._playlists) > MOST_PLAYLISTS or (
            named > MOST_NAMED and len(self._playlists) > 1
        ):
            _, held = self._playlists.popitem(last=False)
            named -= len(held.places)
            if held.poll is not None:
                held.poll.cancel()

    # Segments

    def _since(self, segment: PlaylistSegment) -> float | None:
        return self._shelf.since(segment.path, segment.offset, segment.length)

    def _lacks(self, segment: PlaylistSegment) -> bool:
        since = self._since(segment)
        return since is None or _now() - since > RECHECK

    def _fetching(self, held: _Playlist, segment: PlaylistSegment) -> asyncio.Task[None]:
        key = (segment.path, segment.offset, segment.length)
        return self._job(key, lambda: self._fetch(held, segment))

    async def _fetch(self, held: _Playlist, segment: PlaylistSegment) -> None:
        place = held.places.get(segment.path)
        if place is None:
            raise missing(segment.path)
        reasons: list[SourceReason] = []
        async with self._slots:
            for url in _ways(place, held.ticket):
                async with self._get(segment.path, url, range_of(segment)) as answer:
                    if answer.status not in _TURNED_AWAY:
                        await self._hash(segment, answer)
                        return
                    reasons.append(reason_of(answer))
        # Its tokens may have run out; if it is just not there, all who ask need not know at once.
        pause = AGAIN if SourceReason.MISSING in reasons else 0.0
        held.stale = min(held.stale, _now() + pause)
        raise SourceError(reasons[0], segment.path)

    async def _hash(self, segment: PlaylistSegment, answer: Answer) -> None:
        size = size_of(segment, answer)
        version = version_of(answer)
        stretch = None if size is None else stretch_of(segment, size, version)
        if stretch is None or not version or not await self._hasher.knows(stretch):
            digests = Digests()
            async for block in answer.blocks(MOST_SEGMENT):
                self._spend(len(block))
                digests.update(block)
            hashes = digests.hashes()
            if stretch is None or stretch.length == size:  # all of the file is known now
                version = version or number_of(hashes)
                stretch = stretch_of(segment, digests.size, version)
            if digests.size != stretch.length or size not in (None, stretch.identity.size):
                raise SourceError(SourceReason.LENGTH, segment.path)
            await self._hasher.learn(stretch, hashes)
        self._shelf.hashed(stretch, _now())

    # Asking

    @asynccontextmanager
    async def _get(
        self, name: str, url: str, headers: Mapping[str, str], *, strange: bool = False
    ) -> AsyncIterator[Answer]:
        if not self._allowance.take(_now(), strange=strange):
            raise SourceError(SourceReason.BUSY, name)
        try:
            async with self._ask(url, headers) as answer:
                yield answer
        except SourceError as error:
            raise SourceError(error.reason, name) from None

    async def _read(self, answer: Answer) -> bytes:
        parts = []
        async for block in answer.blocks(MOST_BYTES):
            self._spend(len(block))
            parts.append(block)
        return b"".join(parts)

    def _spend(self, size: int) -> None:
        self._allowance.spend(size)
        self._spent(size)

    def _job(
        self, key: Hashable, begin: Callable[[], Coroutine[None, None, None]]
    ) -> asyncio.Task[None]:
        """The one who does this, whoever asked for it first."""
        job = self._jobs.get(key)
        if job is None:
            job = asyncio.create_task(begin(), name="fetching elsewhere")
            self._jobs[key] = job
            job.add_done_callback(lambda done: self._finished(key, done))
        return job

    def _finished(self, key: Hashable, job: asyncio.Task[None]) -> None:
        del self._jobs[key]
        if not job.cancelled() and job.exception() is not None:
            log.debug("not_fetched", error=repr(job.exception()))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _ways(place: Place, ticket: str) -> list[str]:
    """The URLs by which a segment may be had: as its playlist has it, or with the playlist's query,
    which many CDNs want for all that it names. No other server is told that."""
    query = Place("", ticket).query
    if place.query or not query or urlsplit(place.url)[:2] != urlsplit(ticket)[:2]:
        return [place.url]
    return [place.url + query, place.url]
