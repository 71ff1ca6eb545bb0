"""Media, as players ask for it: from the content's peer, or past it from the origin.

::

    playlist ---------------------------> origin, as it is; what it names is remembered
    segment, file: known to a peer -----> peer (peers, store, origin; verified)
                       | it cannot, or what is asked for is no segment
                       '----------------> origin, as it is

A player asks for a segment when it needs it, and its peer for those that follow: so prefetching
follows the reader.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote, urljoin

import aiohttp
import structlog
from aiohttp import hdrs, web
from yarl import URL

from p2pcdn.errors import SourceError
from p2pcdn.failures import why
from p2pcdn.model import FILE_SLICE, SegmentKey, Span
from peer.native.gateway.contents import Contents, Entry, Source
from peer.native.gateway.guard import NotForPagesError, session
from peer.native.gateway.playlists import read

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=15.0)
PLAYLIST_BYTES = 4 * 1024 * 1024
"""Longest playlist that is passed on: a day of segments of two seconds takes half of it."""
NOT_FOR_PAGES = "A page gets what it could read by itself, nothing else."

_PASSED_ON = (hdrs.RANGE, hdrs.IF_RANGE, hdrs.IF_NONE_MATCH, hdrs.IF_MODIFIED_SINCE)
_PASSED_BACK = (
    hdrs.ACCEPT_RANGES,
    hdrs.CACHE_CONTROL,
    hdrs.CONTENT_LENGTH,
    hdrs.CONTENT_RANGE,
    hdrs.CONTENT_TYPE,
    hdrs.ETAG,
    hdrs.LAST_MODIFIED,
    hdrs.LOCATION,
)
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_SEGMENT = re.compile(r"(?P<id>[0-9a-f]{12})/(?P<sequence>[0-9]{1,15})/(?P<rendition>.+)")
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_TYPES = {
    "ts": "video/mp2t",
    "m4s": "video/iso.segment",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "mp3": "audio/mpeg",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "vtt": "text/vtt; charset=utf-8",
}

log = structlog.get_logger("p2pcdn.peer")


class _Part(NamedTuple):
    """What of a whole is answered."""

    status: int
    span: Span
    length: int


class Media:
    """Answers what is asked for below ``media/``."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._sessions: dict[str | None, aiohttp.ClientSession] = {}

    async def _session(self, page: str | None) -> aiohttp.ClientSession:
        """By which an origin is asked, for a page if one is given."""
        for gone in self._sessions.keys() - self._contents.pages - {page, None}:
            if (asking := self._sessions.pop(gone, None)) is not None:
                await asking.close()
        if page not in self._sessions:
            # What is compressed on the way has no byte ranges.
            self._sessions[page] = session(page, auto_decompress=False, timeout=TIMEOUT)
        return self._sessions[page]

    async def close(self) -> None:
        """End all requests."""
        for asking in self._sessions.values():
            await asking.close()

    async def answer(self, request: web.Request, rest: str, page: str | None) -> web.StreamResponse:
        """``rest`` is the id of an origin and a path below its ``/media/``, as it came."""
        id_, _, raw = rest.partition("/")
        source = self._contents.source(id_)
        if source is None or source.page != page or not raw or _climbs(raw):
            raise web.HTTPNotFound(text="There is no such content here: add it first.")
        path = unquote(raw)
        if path.lower().endswith((".m3u8", ".m3u")):
            return await self._playlist(request, source, raw, path)
        entry = await self._contents.reading(source, path)
        if entry is not None and entry.peer is not None and path in entry.peer.renditions:
            return await self._file(request, entry, raw, path)
        place = source.playlists.find(path, _span(request.headers.get(hdrs.RANGE)))
        if place is not None:
            entry = await self._contents.reading(source, place.key.rendition)
            data = None if entry is None else await self._fetch(entry, place.key)
            if data is not None:
                return _segment(request, path, place.span, data)
        return await self._plain(request, source, raw, entry)

    async def segment(self, request: web.Request, rest: str, page: str | None) -> web.Response:
        """``rest`` is the id of a content, a sequence number, and the name of a rendition: for who
        has read the playlists, and has somebody else to ask."""
        match = _SEGMENT.fullmatch(rest)
        entry = self._contents.get(match["id"]) if match else None
        if match is None or entry is None or entry.source.page != page:
            raise web.HTTPNotFound(text="There is no such content here: add it first.")
        key = SegmentKey(unquote(match["rendition"]), int(match["sequence"]))
        await self._contents.reading(entry.source, key.rendition)
        within = request.query.get("within", "")
        data = await self._fetch(entry, key, float(within) if _SECONDS.fullmatch(within) else None)
        if data is None:
            raise web.HTTPBadGateway(text="Neither peers nor the origin bring it.")
        return _segment(request, "", None, data)

    # From peers

    async def _fetch(
        self, entry: Entry, key: SegmentKey, within: float | None = None
    ) -> bytes | None:
        """A segment, if its peer can have it."""
        peer = entry.peer
        if peer is None or key.rendition not in peer.renditions:
            return None
        try:
            return await peer.fetch(peer.follow(key), key, within)
        except SourceError as error:
            log.info("past_the_peer", key=key, reason=error.reason)
            return None

    async def _file(
        self, request: web.Request, entry: Entry, raw: str, path: str
    ) -> web.StreamResponse:
        """A file, slice by slice."""
        assert entry.peer is not None
        last = entry.peer.record(SegmentKey(path, entry.peer.extent(path)[1]))
        if last is not None:
            entry.length = last.offset + last.length
        if entry.length is None:
            entry.length = await self._length(entry, raw)
        if not entry.length:
            return await self._plain(request, entry.source, raw, entry)
        length = entry.length
        part = _part(request.headers.get(hdrs.RANGE), length)
        response = _begun(part, path)
        if (
            request.method == hdrs.METH_HEAD
            or part.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        ):
            return response
        begun = False
        async for data in self._slices(entry, path, part.span):
            if data is None:
                if begun:  # it comes back with a range
                    raise ConnectionError("neither peers nor the origin bring it")
                return await self._plain(request, entry.source, raw, entry)
            if not begun:
                await response.prepare(request)
                begun = True
            await response.write(data)
        await response.write_eof()
        return response

    async def _length(self, entry: Entry, raw: str) -> int | None:
        """Of a long file, whose last page has not come."""
        url = URL(f"{entry.source.base}/media/{raw}", encoded=True)
        try:
            asking = await self._session(entry.source.page)
            async with asking.head(url, allow_redirects=False) as answer:
                return answer.content_length if answer.status == HTTPStatus.OK else None
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def _slices(self, entry: Entry, path: str, span: Span) -> AsyncIterator[bytes | None]:
        for number in range(span.first // FILE_SLICE, span.last // FILE_SLICE + 1):
            data = await self._fetch(entry, SegmentKey(path, number))
            start = number * FILE_SLICE
            yield data and data[max(span.first - start, 0) : span.last - start + 1]

    # From the origin

    async def _playlist(
        self, request: web.Request, source: Source, raw: str, path: str
    ) -> web.StreamResponse:
        async with self._asked(request, source, raw, {}) as answer:
            text = bytearray()
            async for data in answer.content.iter_any():
                text += data
                if len(text) > PLAYLIST_BYTES:
                    raise web.HTTPBadGateway(text="The playlist is longer than any should be.")
            response = web.Response(status=answer.status, headers=_headers(answer))
            response.headers.popall(hdrs.CONTENT_LENGTH, None)
            response.body = bytes(text)
            if answer.status == HTTPStatus.OK:
                # It takes its time for a long one.
                said = await asyncio.to_thread(read, path, bytes(text))
                source.playlists.note(path, said)
                await self._contents.reading(source, path)
            return response

    async def _plain(
        self, request: web.Request, source: Source, raw: str, entry: Entry | None
    ) -> web.StreamResponse:
        passed = {str(n): request.headers[n] for n in _PASSED_ON if n in request.headers}
        async with self._asked(request, source, raw, passed) as answer:
            response = web.StreamResponse(status=answer.status, headers=_headers(answer))
            await response.prepare(request)
            if request.method != hdrs.METH_HEAD:
                async for data in answer.content.iter_any():
                    if entry is not None:
                        entry.plain += len(data)
                    await response.write(data)
            await response.write_eof()
            return response

    @asynccontextmanager
    async def _asked(
        self, request: web.Request, source: Source, raw: str, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The origin's answer; 502 if there is none."""
        url = f"{source.base}/media/{raw}"
        if request.query_string:
            url += f"?{request.query_string}"
        try:
            asking = await self._session(source.page)
            async with asking.request(
                request.method,
                URL(url, encoded=True),
                headers={hdrs.ACCEPT_ENCODING: "identity", **headers},
                allow_redirects=False,  # who asked may follow, by its own rights
            ) as answer:
                yield answer
        except NotForPagesError as error:
            raise web.HTTPForbidden(text=NOT_FOR_PAGES) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if request.writer.output_size:
                raise ConnectionError("the origin broke off") from error
            raise web.HTTPBadGateway(text=f"The origin does not bring it: {why(error)}.") from error


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    headers = {str(name): answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
    if hdrs.LOCATION in headers:
        # Here, its path would be another one.
        headers[hdrs.LOCATION] = urljoin(str(answer.url), headers[hdrs.LOCATION])
    return headers


def _climbs(raw: str) -> bool:
    """Whether a path could lead out of ``/media/``."""
    return any(part in (".", "..") for part in unquote(raw).replace("\\", "/").split("/"))


def _span(header: str | None) -> Span | None:
    """The bytes of a range with both its ends."""
    match = _RANGE.fullmatch(header or "")
    return Span(int(match[1]), int(match[2])) if match and match[1] and match[2] else None


def _part(header: str | None, length: int) -> _Part:
    """What to answer of so many bytes (RFC 9110, 14.2); what is not one clear range is all."""
    match = _RANGE.fullmatch(header or "")
    whole = _Part(HTTPStatus.OK, Span(0, length - 1), length)
    if match is None or not (match[1] or match[2]):
        return whole
    if not match[1]:
        first, last = max(length - int(match[2]), 0), length - 1
        fits = int(match[2]) > 0
    else:
        first, last = int(match[1]), min(int(match[2] or length), length - 1)
        if match[2] and int(match[2]) < first:
            return whole
        fits = first < length
    if not fits:
        return _Part(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, Span(0, -1), length)
    return _Part(HTTPStatus.PARTIAL_CONTENT, Span(first, last), length)


def _begun(part: _Part, path: str) -> web.StreamResponse:
    """An answer with all of its header."""
    span = part.span
    headers = {
        hdrs.ACCEPT_RANGES: "bytes",
        hdrs.CACHE_CONTROL: "no-store",
        hdrs.CONTENT_LENGTH: str(span.last - span.first + 1),
        hdrs.CONTENT_TYPE: _TYPES.get(path.rpartition(".")[2].lower(), "application/octet-stream"),
    }
    if part.status == HTTPStatus.PARTIAL_CONTENT:
        headers[hdrs.CONTENT_RANGE] = f"bytes {span.first}-{span.last}/{part.length}"
    elif part.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        headers[hdrs.CONTENT_RANGE] = f"bytes */{part.length}"
    return web.StreamResponse(status=part.status, headers=headers)


def _segment(request: web.Request, path: str, place: Span | None, data: bytes) -> web.Response:
    """A segment that is a file of its own, or just what was asked for of one."""
    if place is None:
        part = _part(request.headers.get(hdrs.RANGE), len(data))
        begun = _begun(part, path)
        data = data[part.span.first : part.span.last + 1]
    else:
        begun = _begun(_Part(HTTPStatus.PARTIAL_CONTENT, place, 0), path)
        begun.headers[hdrs.CONTENT_RANGE] = f"bytes {place.first}-{place.last}/*"
    return web.Response(status=begun.status, headers=begun.headers, body=data)
