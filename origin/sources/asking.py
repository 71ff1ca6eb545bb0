"""What is asked of another server: what a file is now, and the bytes of a version of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import hdrs

from origin.fetching.client import Answer, Client
from origin.fetching.place import Place
from origin.sources.arrivals import Arrival
from origin.sources.versions import SLICE, WHOLE, Said, Version, said
from p2pcdn.errors import SourceError, SourceReason

_GONE = frozenset({404, 410})
_BUSY = frozenset({429, 503})
_NO_HEAD = frozenset({405, 501})
_REPLACED = frozenset({404, 410, 412, 416})


class Found(NamedTuple):
    """What is at a path."""

    version: Version | None
    """None if there is nothing."""
    said: Said | None = None
    data: bytes | None = None
    """All of it, if it has been fetched."""


NOTHING = Found(None)


class RefusedError(SourceError):
    """The server is there, and says that we may not have this."""


class ReplacedError(SourceError):
    """The version is gone; another may have taken its place."""

    def __init__(self, path: str) -> None:
        super().__init__(SourceReason.MISSING, path)


class Asker:
    """Asks about the files of a place."""

    def __init__(self, client: Client, place: Place, wall: Callable[[], float] = time.time) -> None:
        self._client = client
        self._place = place
        self._wall = wall

    async def look(self, path: str, before: Found, *, whole: bool) -> Found:
        """What is there now. ``before`` is what was there; of what is fetched as a ``whole``
        anyhow, the bytes come only if they have changed."""
        if not whole:
            found = await self._look_at_head(path)
            if found is not None:
                return found
        return await self._look_at_all(path, before)

    async def fetch(self, path: str, version: Version, number: int, arrival: Arrival) -> None:
        """Let a slice of a version arrive, all of it; `ReplacedError` if it is gone."""
        begin, length = number * SLICE, version.length_of(number)
        span = f"bytes={begin}-{begin + length - 1}"
        headers: dict[str, str] = {} if version.is_whole else {hdrs.RANGE: span}
        url = self._place.url_of(path)
        async with self._client.ask(self._place, url, headers=headers) as answer:
            if answer.status in _REPLACED:
                raise ReplacedError(path)
            size = self._size(answer, version, begin, length)
            now = said(answer.headers, size, self._wall())
            if not _is_of(version, now):
                raise ReplacedError(path)
            received = 0
            digest = hashlib.sha256()
            held = []
            async for block in answer.blocks(length):
                received += len(block)
                if version.digest:
                    digest.update(block)
                    held.append(block)
                else:
                    arrival.give(block)
            if received != length:
                raise SourceError(SourceReason.LENGTH, f"{url} has {received} bytes, not {length}.")
            if version.digest and digest.hexdigest() != version.digest:
                raise ReplacedError(path)
            for block in held:
                arrival.give(block)

    async def _look_at_head(self, path: str) -> Found | None:
        """What the head tells; None if only the bytes can."""
        url = self._place.url_of(path)
        for method in (hdrs.METH_HEAD, hdrs.METH_GET):
            async with self._client.ask(self._place, url, method=method) as answer:
                if answer.status in _NO_HEAD and method == hdrs.METH_HEAD:
                    continue
                if answer.status in _GONE:
                    return NOTHING
                _expect(answer, 200)
                now = said(answer.headers, answer.length, self._wall())
                if now.strong is not None:
                    return Found(now.strong, now)
                if now.size is not None and now.size > WHOLE:
                    raise SourceError(
                        SourceReason.STATUS,
                        f"{url} has {now.size} bytes, and neither a strong ETag nor a Last-Modified"
                        " that is older than a minute: parts of it could be of several versions.",
                    )
                return None
        raise AssertionError("unreachable")

    async def _look_at_all(self, path: str, before: Found) -> Found:
        conditions = before.said.conditions() if before.said and before.version else {}
        url = self._place.url_of(path)
        async with self._client.ask(self._place, url, headers=conditions) as answer:
            if answer.status in _GONE:
                return NOTHING
            if answer.status == 304 and before.said is not None and conditions:
                now = said(answer.headers, before.said.size, self._wall())
                etag, modified = before.said.etag, before.said.modified
                return Found(before.version, now._replace(etag=etag, modified=modified))
            _expect(answer, 200)
            data = await answer.read(WHOLE)
            version = Version(len(data), digest=hashlib.sha256(data).hexdigest())
            return Found(version, said(answer.headers, len(data), self._wall()), data)

    def _size(self, answer: Answer, version: Version, begin: int, length: int) -> int:
        """The size of the whole file that an answer is of, which has to be what was asked for."""
        if version.is_whole:
            _expect(answer, 200)
            return version.size if answer.length is None else answer.length
        if answer.status == 200:
            raise SourceError(
                SourceReason.STATUS,
                f"{answer.url} is larger than {WHOLE} bytes, and the server gives no ranges of it.",
            )
        _expect(answer, 206)
        told = answer.headers.get(hdrs.CONTENT_RANGE, "").strip()
        span, _, size = told.removeprefix("bytes ").partition("/")
        other = size.isdecimal() and int(size) != version.size
        if not size.isdecimal() or (span != f"{begin}-{begin + length - 1}" and not other):
            message = f"{answer.url} answers with the range {told!a}, which is not what was asked."
            raise SourceError(SourceReason.LENGTH, message)
        return int(size)


def _is_of(version: Version, now: Said) -> bool:
    """Whether an answer is of this version, as far as its head tells."""
    if now.size != version.size:
        return False
    if version.digest:
        return True
    return now.strong is not None and version.is_same(now.strong)


def _expect(answer: Answer, status: int) -> None:
    if answer.status == status:
        return
    message = f"{answer.url} answers with the status {answer.status}."
    if answer.status in _BUSY:
        raise SourceError(SourceReason.BUSY, message)
    if 400 <= answer.status < 500:
        raise RefusedError(SourceReason.STATUS, message)
    raise SourceError(SourceReason.STATUS, message)
