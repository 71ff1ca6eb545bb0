"""The origin, over HTTP: manifests, hash lists, and byte ranges of segments.

Whatever an origin, or a cache before it, does wrong becomes a `SourceError` with a reason. Nothing
is believed because it came over HTTP: the core verifies bytes as it does a peer's.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from p2pcdn.errors import RemoteError, SourceError, SourceReason
from p2pcdn.failures import why
from p2pcdn.model import Span
from p2pcdn.wire.codec import decode_manifest
from p2pcdn.wire.manifest import PresentationManifest, RenditionManifest
from peer.native import verification
from peer.native.addresses import ContentAddress

MANIFEST_BYTES = 4 * 1024 * 1024
"""The longest manifest that is read: a page takes 11 KB, unless its URIs are at their limit."""
HASHES_BYTES = 64 * 1024 * 1024
"""The longest hash list: of a page of the longest slices it is a few megabytes."""
FILE_BYTES = 16 * 1024 * 1024
"""The longest file that is read at once, such as a playlist of a day."""
CONNECT = 5.0
"""Seconds until a connection has to be there."""
SILENCE = 10.0
"""Seconds without a byte after which an answer is given up. However slow, it is not as long as more
of it comes: what is asked for once more comes no faster."""
LONG_POLL = 25.0
"""Seconds that an origin may hold `newer` back."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")

_STATUS = {
    404: SourceReason.MISSING,
    410: SourceReason.MISSING,
    416: SourceReason.LENGTH,
    429: SourceReason.BUSY,
    503: SourceReason.BUSY,
    504: SourceReason.TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a range took, in seconds since it was asked for."""

    ttfb: float
    took: float


class HttpSource:
    """One content at one origin."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        address: ContentAddress,
        pins: Collection[str] = (),
    ) -> None:
        """``pins`` are the thumbprints of the keys of which one has to sign every manifest; with
        none, the origin is believed when it says which keys it has."""
        self._session = session
        self._address = address
        self._pins = frozenset(pins)

    async def manifest(
        self, path: str, *, at: int | None = None
    ) -> PresentationManifest | RenditionManifest:
        """The manifest of a playlist or file, or the page of it that holds segment ``at``."""
        return await self._manifest(path, {} if at is None else {"at": str(at)}, SILENCE)

    async def records(
        self, rendition: str, sequences: Span
    ) -> PresentationManifest | RenditionManifest:
        """The page of just these segments."""
        query = {"records": f"{sequences.first}-{sequences.last}"}
        return await self._manifest(rendition, query, SILENCE)

    async def newer(self, path: str, after: int, era: int = 0) -> RenditionManifest | None:
        """The page that follows segment ``after``, once there is one, or one of a later era; None
        if there is none yet."""
        patience = LONG_POLL + SILENCE
        page = await self._manifest(path, {"after": str(after)}, patience)
        if not isinstance(page, RenditionManifest):
            raise SourceError(SourceReason.STATUS, f"{path} is no longer one rendition")
        return page if page.last > after or page.era > era else None

    async def hashes(self, rendition: str, sequences: Span) -> bytes:
        """The chunk hashes of these segments, one after the other."""
        query = {"hashes": f"{sequences.first}-{sequences.last}"}
        async with self._get(self._address.manifest(rendition), SILENCE, query=query) as answer:
            _expect(answer, 200)
            return await _read(answer, HASHES_BYTES)

    async def range(
        self,
        rendition: str,
        uri: str,
        span: Span,
        take: Callable[[bytes], None],
        *,
        fresh: bool = False,
    ) -> Timing:
        """Fetch these bytes of what ``uri`` names, and hand them over as they come.

        ``fresh`` asks every cache on the way to ask the origin.
        """
        loop = asyncio.get_running_loop()
        wanted = span.last - span.first + 1
        headers = {"Range": f"bytes={span.first}-{span.last}"}
        if fresh:
            headers["Cache-Control"] = "no-cache"
        started = loop.time()
        url = self._address.segment(rendition, uri)
        async with self._get(url, SILENCE, headers=headers) as answer:
            ttfb = loop.time() - started
            _expect_range(answer, span)
            received = 0
            async for data in answer.content.iter_any():
                received += len(data)
                if received > wanted:
                    raise SourceError(SourceReason.LENGTH, f"more than {wanted} bytes of {uri}")
                take(data)
            if received < wanted:
                raise SourceError(SourceReason.LENGTH, f"{received} of {wanted} bytes of {uri}")
        return Timing(ttfb, loop.time() - started)

    async def file(self, path: str, span: Span | None = None) -> bytes:
        """A small file, or a part of it, as it is; nobody verifies it."""
        url = self._address.media(path)
        headers = {} if span is None else {"Range": f"bytes={span.first}-{span.last}"}
        async with self._get(url, SILENCE, headers=headers) as answer:
            if span is None:
                _expect(answer, 200)
            else:
                _expect_range(answer, span)
            return await _read(answer, FILE_BYTES)

    async def _manifest(
        self, path: str, query: Mapping[str, str], silence: float
    ) -> PresentationManifest | RenditionManifest:
        async with self._get(self._address.manifest(path), silence, query=query) as answer:
            _expect(answer, 200)
            text = await _read(answer, MANIFEST_BYTES)
        try:
            manifest = decode_manifest(text)
        except RemoteError as error:
            raise SourceError(SourceReason.STATUS, f"no manifest: {error.detail}") from error
        admitted = verification.admitted(manifest, self._pins) if self._pins else manifest
        if admitted is None:
            raise SourceError(SourceReason.INTEGRITY, f"{path} is not signed by a pinned key")
        return admitted

    @asynccontextmanager
    async def _get(
        self,
        url: str,
        silence: float,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer's headers, with everything that can go wrong until it ends as `SourceError`."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=silence)
        try:
            async with self._session.get(
                url,
                params=query,
                # What is compressed on the way has no byte ranges, and media gains nothing.
                headers={"Accept-Encoding": "identity", **(headers or {})},
                timeout=timeout,
            ) as answer:
                yield answer
        except TimeoutError as error:
            raise SourceError(SourceReason.TIMEOUT, url) from error
        except aiohttp.ClientConnectorError as error:
            raise SourceError(SourceReason.UNREACHABLE, why(error)) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise SourceError(SourceReason.CLOSED, str(error)) from error
        except aiohttp.ClientError as error:
            raise SourceError(SourceReason.STATUS, str(error)) from error


def _expect(answer: aiohttp.ClientResponse, status: int) -> None:
    if answer.status != status:
        reason = _STATUS.get(answer.status, SourceReason.STATUS)
        raise SourceError(reason, f"{answer.status} {answer.reason} for {answer.url}")


def _expect_range(answer: aiohttp.ClientResponse, span: Span) -> None:
    """Whether the answer holds these bytes: as the range asked for, or from the first on."""
    if answer.status == 200 and span.first == 0:
        return
    _expect(answer, 206)
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if match is None or Span(int(match[1]), int(match[2])) != span:
        raise SourceError(
            SourceReason.LENGTH, f"{answer.headers.get('Content-Range')!r} for {span}"
        )


async def _read(answer: aiohttp.ClientResponse, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for data in answer.content.iter_any():
        parts.append(data)
        size += len(data)
        if size > most:
            raise SourceError(SourceReason.LENGTH, f"more than {most} bytes of {answer.url}")
    return b"".join(parts)
