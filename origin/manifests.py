"""`/manifest/`: what the media at `/media/` must hash to.

========================  ==========================================================
``/manifest/PATH``        a presentation's renditions, or a rendition's oldest page
``...?at=SEQ``            the page that holds segment SEQ
``...?records=A-B``       a page of just the segments A to B, as far as there are any
``...?hashes=A-B``        the hash lists of segments A to B, 32 bytes a chunk
``...?after=SEQ``         the page with the segment after SEQ, as soon as there is one
========================  ==========================================================
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import hdrs, web

from origin.catalog.catalog import Catalog
from origin.catalog.edition import Edition
from origin.catalog.hashing import ChangedError
from origin.catalog.pages import Blob, Pages, blob
from origin.catalog.playlist import MultivariantPlaylist, PlaylistError
from origin.catalog.rendition import NotARenditionError, NotReadyError
from origin.http.conditions import Validators
from origin.http.representation import Content, Representation
from origin.http_error import HttpError
from origin.paths import address_of, path_below
from origin.signing import Signer
from p2pcdn.model import Span, content_id
from p2pcdn.wire.codec import encode
from p2pcdn.wire.manifest import PAGE_RECORDS, VERSION, PresentationManifest, RenditionRef

PREFIX = "/manifest/"

LONG_POLL = 25.0
"""Seconds that `?after` waits; proxies commonly give up after 30 or 60."""

_MOST_RENDITIONS = 256
_MOST_PATH = 512
"""Of the wire format."""

_TRIES = 3

_QUESTIONS = frozenset({"at", "records", "hashes", "after"})
_NUMBER = re.compile(r"[0-9]{1,15}")
_NUMBERS = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")

_FINISHED = "public, max-age=5"
_CHANGING = "no-cache"

_JSON = "application/json"
_BINARY = "application/octet-stream"

Make = Callable[[Edition], Awaitable[Blob]]


class Manifests:
    """Finds what a request under `/manifest/` asks for."""

    def __init__(
        self,
        catalog: Catalog,
        pages: Pages,
        site: str,
        signer: Signer,
        measured: Callable[[Edition], None] = lambda _: None,
    ) -> None:
        """``measured`` is told of what there is before anybody else is."""
        self._catalog = catalog
        self._pages = pages
        self._site = site
        self._signer = signer
        self._measured = measured

    async def show(self, request: web.Request) -> Representation:
        """The manifest, page or hash list that the request asks for."""
        path = path_below(PREFIX, request.raw_path)
        if len(path) > _MOST_PATH:
            raise HttpError(
                HTTPStatus.NOT_FOUND, f"Paths have at most {_MOST_PATH} characters here."
            )
        question, value = question_of(request)
        return await self.answer(path, question, value)

    async def answer(self, path: str, question: str | None, value: str) -> Representation:
        """The manifest, page or hash list of what is at ``path``."""
        try:
            return await self._answer(path, question, value)
        except NotARenditionError as found:
            if question is not None:
                raise _bad("A presentation has no pages; ask for one of its renditions.") from None
            return _shown(self._presentation(path, found.playlist), _FINISHED, _JSON)
        except PlaylistError as error:
            message = f"There is no manifest of {path!a}. {error}"
            raise HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, message) from error
        except (ChangedError, NotReadyError) as error:
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"The files of {path!a} are just being written; try again in a moment.",
                {hdrs.RETRY_AFTER: "1"},
            ) from error

    async def _answer(self, path: str, question: str | None, value: str) -> Representation:
        if question == "hashes":
            sequences = span_of(value)
            return await self._made(path, lambda e: self._hashes(e, sequences), _BINARY)
        if question == "records":
            sequences = span_of(value)
            return await self._made(path, lambda e: self._records(e, sequences), _JSON)
        if question == "after":
            sequence = sequence_of(value)
            await self._catalog.newer_than(path, sequence, LONG_POLL)
            return await self._made(path, lambda e: self._page_after(e, sequence), _JSON)
        if question == "at":
            sequence = sequence_of(value)
            return await self._made(path, lambda e: self._page_at(e, sequence), _JSON)
        return await self._made(path, lambda e: self._pages.page(e, e.first), _JSON)

    async def _made(self, path: str, make: Make, content_type: str) -> Representation:
        """What ``make`` makes of the current edition."""
        for attempt in range(1, _TRIES + 1):
            edition = await self._catalog.edition(path)
            self._measured(edition)
            try:
                made = await make(edition)
            except ChangedError:
                self._catalog.doubt(path)
                if attempt == _TRIES:
                    raise
            else:
                changing = edition.live or not made.whole
                return _shown(made, _CHANGING if changing else _FINISHED, content_type)
        raise AssertionError("unreachable")

    async def _page_at(self, edition: Edition, sequence: int) -> Blob:
        if sequence not in edition.pieces:
            raise _absent(edition, sequence)
        return await self._pages.page(edition, sequence)

    async def _page_after(self, edition: Edition, sequence: int) -> Blob:
        newer = edition.after(sequence)
        return await self._pages.page(edition, edition.last if newer is None else newer)

    async def _records(self, edition: Edition, sequences: Span) -> Blob:
        if not edition.within(sequences):
            raise _absent(edition, sequences.first)
        return await self._pages.records(edition, sequences)

    async def _hashes(self, edition: Edition, sequences: Span) -> Blob:
        for sequence in sequences.numbers():
            if sequence not in edition.pieces:
                raise _absent(edition, sequence)
        return await self._pages.hashes(edition, sequences)

    def _presentation(self, path: str, playlist: MultivariantPlaylist) -> Blob:
        manifest = PresentationManifest(
            version=VERSION,
            site=self._site,
            content=content_id(self._site, address_of(path)),
            renditions=tuple(
                RenditionRef(entry.path, entry.uri)
                for entry in playlist.renditions[:_MOST_RENDITIONS]
                if len(entry.path) <= _MOST_PATH
            ),
        )
        return blob(encode(self._signer.sign(manifest)).encode())


def question_of(request: web.Request) -> tuple[str | None, str]:
    """What of a manifest a request asks for: the name of the question, and what it is about."""
    asked = [(name, value) for name, value in request.query.items() if name in _QUESTIONS]
    if len(asked) > 1:
        raise _bad("Ask for one thing at a time: at, records, hashes or after.")
    return asked[0] if asked else (None, "")


def sequence_of(value: str) -> int:
    """The segment that a question is about."""
    if not _NUMBER.fullmatch(value):
        raise _bad(f"A segment is named by its sequence number, not by {value[:32]!a}.")
    return int(value)


def span_of(value: str) -> Span:
    """The segments that a question is about."""
    match = _NUMBERS.fullmatch(value)
    if match is None:
        raise _bad(f"Segments are named by their sequence numbers, as 3-7, not by {value[:32]!a}.")
    span = Span(int(match[1]), int(match[2]))
    if not 0 <= span.last - span.first < PAGE_RECORDS:
        raise _bad(f"Ask for 1 to {PAGE_RECORDS} segments at a time.")
    return span


def _bad(message: str) -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, message)


def _absent(edition: Edition, sequence: int) -> HttpError:
    has = f"{edition.first} to {edition.last}" if edition.pieces else "none"
    message = f"{edition.rendition!a} has no segment {sequence}; it has {has}."
    return HttpError(HTTPStatus.NOT_FOUND, message)


def _shown(made: Blob, cache_control: str, content_type: str) -> Representation:
    return Representation(
        Content(made.data), Validators(made.etag), content_type, cache_control, "overhead"
    )
