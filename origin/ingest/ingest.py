"""`/ingest/`: what encoders put, take back, and look for.

::

    PUT, POST  a segment    201 or 204 once it is whole, in its place, and hashed
               a playlist   the same once all that it names is there
    DELETE     a segment    202: it goes when nobody is in the middle of it any more
               a playlist   204
    GET        anything     307 to /media/: an encoder that goes on looks at what it has said

What is wrong with an upload is said before its body comes, where that is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import structlog
from aiohttp import hdrs, web

from origin.catalog.catalog import Catalog
from origin.catalog.edition import Stretch
from origin.content_types import content_type, is_hls, is_media, is_playlist
from origin.http_error import HttpError
from origin.ingest.access import Access, first_token
from origin.ingest.body import Pace, blocks, check_length
from origin.ingest.draft import Draft, TakenError, is_under_way
from origin.ingest.places import Places
from origin.ingest.playlists import MOST_BYTES, Encoders, Incoming
from origin.ingest.runs import RECENT, continued
from origin.ingest.window import PLAYLISTS, Window
from origin.paths import path_below
from origin.sources import Identity, Source
from p2pcdn.config import Config
from p2pcdn.service import error_response
from p2pcdn.service.deadline import reads_body
from p2pcdn.service.errors import code_of

PREFIX = "/ingest/"

SWEEP = 5.0
"""Seconds between two looks for what is to be deleted."""

_POLL = 0.1
"""Seconds between two looks for a segment that another process may have taken."""

_BESIDE = ("application/dash+xml", "application/mp4", "text/vtt; charset=utf-8")
"""What belongs to media beside what is watched and heard: nothing that a browser would run."""

_FULL = (errno.ENOSPC, errno.EDQUOT)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger("p2pcdn.origin")


class Ingest:
    """Takes what encoders put."""

    def __init__(self, config: Config, source: Source, catalog: Catalog) -> None:
        self._limits = config.ingest
        self._source = source
        self._catalog = catalog
        self._access = Access(first_token(config), config.ingest.paths)
        self._places = Places(config)
        self._window = Window(self._places.folders, config.ingest.window, config.ingest.max_size)
        self._pace = Pace(config.ingest.rate)
        self._encoders = Encoders()
        self._open = 0
        """Uploads."""
        self._under_way: set[str] = set()
        """The files that they are of, until these are known."""
        self._changed = asyncio.Event()
        """Set, and replaced by another, whenever one of them is not under way any more."""
        self._versions = itertools.count()
        self._latest: dict[str, int] = {}
        """Of each playlist that waits, the version that came last."""
        self._one_by_one = asyncio.Lock()
        """For playlists, which replace each other."""
        self._sweeping: asyncio.Task[None] | None = None

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Where encoders are answered."""
        everything = f"{PREFIX}{{path:(?s:.*)}}"
        put = reads_body(self._answering(self._put))
        yield web.put(everything, put, expect_handler=self._expected)
        yield web.post(everything, put, expect_handler=self._expected)
        delete = self._answering(self._delete)
        yield web.delete(everything, delete, expect_handler=self._expected)
        yield web.get(everything, self._answering(self._show))

    async def start(self) -> None:
        """Begin to delete what is due."""
        await asyncio.to_thread(self._window.sweep, self._now())
        self._sweeping = asyncio.create_task(self._sweep(), name="ingest")

    async def close(self) -> None:
        """Delete no more."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait({self._sweeping})

    # Requests

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except HttpError as refusal:
                if refusal.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                    log.warning("upload_refused", path=request.path, reason=refusal.message)
                return _refused(refusal)

        return answer

    async def _expected(self, request: web.Request) -> web.StreamResponse | None:
        """Answer ``Expect: 100-continue``: whoever sends it hears what is wrong before the body."""
        try:
            if request.headers[hdrs.EXPECT].lower() != "100-continue":
                raise HttpError(
                    HTTPStatus.EXPECTATION_FAILED, "Nothing but 100-continue can be expected here."
                )
            self._checked(request)
        except HttpError as refusal:
            return _refused(refusal)
        if request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None

    def _checked(self, request: web.Request) -> tuple[str, str]:
        """The path that an upload is for, and the folder that its token is for; `HttpError` if it
        cannot be taken, whatever it brings."""
        path = path_below(PREFIX, request.raw_path)
        within = self._access.check(request.headers.get(hdrs.AUTHORIZATION, ""), path)
        if not _may_be_put(path):
            raise HttpError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "Only segments and playlists are put here, by their names: .ts, .m4s, .mp4, .aac, "
                ".vtt, .m3u8, .mpd and the like.",
            )
        if hdrs.CONTENT_RANGE in request.headers:
            raise HttpError(HTTPStatus.BAD_REQUEST, "A file is put as a whole, without ranges.")
        if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
            raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A file is put as it is, unpacked.")
        check_length(request, self._most(path))
        return path, within

    async def _put(self, request: web.Request) -> web.StreamResponse:
        path, within = self._checked(request)
        if self._open >= self._limits.uploads:
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self._open} uploads are under way: try again in a moment.",
                {hdrs.RETRY_AFTER: "1"},
            )
        self._open += 1
        try:
            if _is_document(path):
                created = await self._playlist(request, path, within)
            else:
                created = await self._segment(request, path)
        except TakenError:
            raise HttpError(
                HTTPStatus.CONFLICT,
                f"Another upload of {path!a} is under way: two encoders need paths of their own.",
            ) from None
        except OSError as error:
            raise _of_disk(error, path) from error
        finally:
            self._open -= 1
        return web.Response(status=HTTPStatus.CREATED if created else HTTPStatus.NO_CONTENT)

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        path, _ = self._checked(request)
        if self._window.keeps(path):
            return web.Response(status=HTTPStatus.ACCEPTED)
        place = await asyncio.to_thread(self._places.file, path, make=False)
        try:
            await asyncio.to_thread(place.unlink)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
            raise HttpError(HTTPStatus.NOT_FOUND, f"There is no file at {path!a}.") from None
        self._encoders.forget(path)
        self._catalog.look(path)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        path = path_below(PREFIX, request.raw_path)
        headers = {hdrs.LOCATION: f"/media/{quote(path)}"}
        return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers=headers)

    def _most(self, path: str) -> int:
        return MOST_BYTES if _is_document(path) else self._limits.segment_bytes

    # Segments

    async def _segment(self, request: web.Request, path: str) -> bool:
        """Take a segment; whether there was none of the name."""
        place = await asyncio.to_thread(self._places.file, path)
        with self._being_taken(path):
            draft = await asyncio.to_thread(Draft, place)
            size = 0
            try:
                async for block in blocks(request, self._most(path), self._limits, self._pace):
                    await asyncio.to_thread(self._add, draft, block)
                    size += len(block)
                if not size:
                    raise HttpError(HTTPStatus.BAD_REQUEST, "A segment is not empty.")
                created, identity, hashes = await asyncio.to_thread(_commit, draft, place)
            finally:
                draft.discard()
                self._window.release(size)
            self._window.put(path, place, identity.size, self._now())
            await self._catalog.hasher.learn(Stretch(path, identity, 0, identity.size), hashes)
        return created

    def _add(self, draft: Draft, block: bytes) -> None:
        self._reserve(len(block))
        try:
            draft.write(block)
        except BaseException:
            self._window.release(len(block))
            raise

    def _reserve(self, size: int) -> None:
        if not self._window.reserve(size, self._now()):
            raise HttpError(
                HTTPStatus.INSUFFICIENT_STORAGE,
                "There is no room for more (ingest.max_size), and nothing that may be deleted yet.",
            )

    @contextlib.contextmanager
    def _being_taken(self, path: str) -> Iterator[None]:
        if path in self._under_way:
            raise TakenError(path)
        self._under_way.add(path)
        try:
            yield
        finally:
            self._under_way.discard(path)
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    # Playlists

    async def _playlist(self, request: web.Request, path: str, within: str) -> bool:
        """Take a playlist; whether there was none of the name."""
        with self._being_taken(path):
            body = blocks(request, MOST_BYTES, self._limits, self._pace)
            data = b"".join([block async for block in body])
        if not is_hls(path):  # DASH's names its segments by a pattern
            return await self._put_document(path, data, within)
        incoming = await asyncio.to_thread(Incoming, path, data)
        version = self._latest[path] = next(self._versions)
        try:
            missing = await self._settled(incoming, version)
            async with self._one_by_one:
                if self._latest.get(path) != version:
                    raise HttpError(
                        HTTPStatus.CONFLICT, f"A newer {path!a} has come before this one was taken."
                    )
                shown = incoming.without(missing)
                self._encoders.note(incoming, self._now())
                created = await self._put_document(path, shown, within, goes_on=True)
        finally:
            if self._latest.get(path) == version:
                del self._latest[path]
        self._catalog.look(path)
        return created

    async def _settled(self, incoming: Incoming, version: int) -> set[str]:
        """Wait for the segments of a playlist; those that are not there."""
        end = self._now() + incoming.patience
        while True:
            changed = self._changed
            missing = await asyncio.to_thread(self._missing, incoming.segments)
            over = self._now() >= end or self._latest.get(incoming.path) != version
            if over or not incoming.waits_for(missing, self._under_way):
                return missing
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL):
                    await changed.wait()

    def _missing(self, segments: list[str]) -> set[str]:
        # Of an encoder that began anew there may be a file of that name, of the run before: the
        # newest is there once it has been replaced. (Looked at first: it may be just now.)
        coming = set(filter(self._is_coming, segments[-1:]))
        return set(segments).difference(self._source.identify_all(set(segments))) | coming

    def _is_coming(self, segment: str) -> bool:
        with contextlib.suppress(HttpError):  # it is where nobody puts anything
            return is_under_way(self._places.file(segment, make=False))
        return False

    async def _put_document(
        self, path: str, data: bytes, within: str, *, goes_on: bool = False
    ) -> bool:
        place = await asyncio.to_thread(self._places.file, path)
        if goes_on:
            data = await asyncio.to_thread(_after_what_was_shown, path, place, data)
        return await asyncio.to_thread(self._write, path, place, data, within)

    def _write(self, path: str, place: Path, data: bytes, within: str) -> bool:
        if not self._window.takes(path, len(data), within):
            raise HttpError(
                HTTPStatus.INSUFFICIENT_STORAGE,
                f"The playlists in {within!a} take all the room that is theirs, {PLAYLISTS:.1%} of "
                "ingest.max_size: delete some.",
            )
        self._reserve(len(data))
        try:
            draft = Draft(place)
            try:
                draft.write(data)
                created, identity, _ = _commit(draft, place)
            finally:
                draft.discard()
        finally:
            self._window.release(len(data))
        self._window.put(path, place, identity.size, self._now(), within)
        return created

    # What is there

    def _now(self) -> float:
        return time.monotonic()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            try:
                await asyncio.to_thread(self._window.sweep, self._now())
            except Exception:
                log.exception("ingest_not_swept")


def _may_be_put(path: str) -> bool:
    return _is_document(path) or is_media(path) or content_type(path) in _BESIDE


def _is_document(path: str) -> bool:
    """Whether it is a playlist, of HLS or of DASH."""
    return is_playlist(path)


def _after_what_was_shown(path: str, place: Path, data: bytes) -> bytes:
    """The playlist to show, where the encoder may have begun anew."""
    try:
        shown = place.read_bytes()
        recent = time.time() - place.stat().st_mtime < RECENT
    except FileNotFoundError:
        return data
    return continued(path, shown, data, recent=recent)


def _commit(draft: Draft, place: Path) -> tuple[bool, Identity, bytes]:
    """Put it in its place: whether there was none, what it is, and its hashes."""
    created = not place.exists()
    return created, *draft.commit()


def _of_disk(error: OSError, path: str) -> HttpError:
    """What a disk's error means for an encoder; raises those that are none of its business."""
    if error.errno in _FULL:
        log.error("disk_full", path=path)
        return HttpError(HTTPStatus.INSUFFICIENT_STORAGE, "The disk is full.")
    if error.errno == errno.ENAMETOOLONG:
        return HttpError(HTTPStatus.BAD_REQUEST, "The name is too long for the disk.")
    if error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
        return HttpError(HTTPStatus.CONFLICT, f"There is a folder at {path!a}.")
    raise error


def _refused(refusal: HttpError) -> web.Response:
    return error_response(refusal.status, code_of(refusal.status), refusal.message, refusal.headers)
