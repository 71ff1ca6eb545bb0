"""`/media/`: the files of a source as they are."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from http import HTTPStatus

from aiohttp import hdrs, web

from origin.catalog.catalog import Catalog
from origin.catalog.playlist import PlaylistError
from origin.catalog.rendition import NotReadyError
from origin.content_types import content_type, is_media, is_playlist
from origin.http.accel import Accel
from origin.http.conditions import Validators
from origin.http.representation import Content, FileContent, Representation
from origin.http_error import HttpError
from origin.open_files import OpenFiles
from origin.paths import path_below
from origin.sources import File, Identity, Kept, Source, since_of

PREFIX = "/media/"

_SEGMENT = "public, max-age=86400, immutable"
"""Nobody asks again within the day. Should a file change nevertheless, peers find out by its
hashes and fetch it past their caches."""

_LIVE_SEGMENT = "public, max-age=60"
"""Encoders that start anew use the same names for other bytes."""

_PLAYLIST = "public, max-age=5"

_CHANGING = "no-cache"
"""Kept, but never used without asking whether it is still the newest."""


class Media:
    """Finds what a request under `/media/` asks for."""

    def __init__(
        self, source: Source, catalog: Catalog, files: OpenFiles, accel: Accel | None = None
    ) -> None:
        """``accel`` says what a proxy in front of us sends by itself."""
        self._source = source
        self._catalog = catalog
        self._files = files
        self._accel = accel

    async def show(self, request: web.Request) -> Representation:
        """The file or playlist that the request names."""
        path = path_below(PREFIX, request.raw_path)
        if is_playlist(path):
            return await self._playlist(path)
        version = self._files.version()  # before: it may change meanwhile
        file = await asyncio.to_thread(self._source.open, path)
        if is_media(path) and await self._is_unfinished(path, file):
            file.close()
            # A part of it must not get into caches under the name of the whole.
            raise HttpError(HTTPStatus.NOT_FOUND, f"The file at {path!a} is still being written.")
        if self._accel is not None and self._accel.is_for(request, file):
            return replace(self._shown(path, file), redirect=self._accel.place_of(path))
        self._files.keep(_without_query(request.raw_path), path, file, version)
        return self._shown(path, file)

    def at_hand(self, target: str) -> tuple[Representation, Kept] | None:
        """What `show` would find by this target, if that is known without waiting for anything:
        it was asked for before, and is still the same."""
        opened = self._files.find(_without_query(target))
        if opened is None:
            return None
        opened.shown = self._shown(opened.path, opened.file, opened.shown)
        return opened.shown, opened.file

    def _shown(self, path: str, file: File, before: Representation | None = None) -> Representation:
        """A file as it is to be shown now; what was shown of it ``before`` if that is the same."""
        live = self._catalog.is_live_segment(path)
        content, cached = self._catalog.content_of(path), _LIVE_SEGMENT if live else _SEGMENT
        is_same = before is not None and (before.content, before.cache_control) == (content, cached)
        if before is not None and is_same and before.validators.modified is not None:
            return before
        return Representation(
            FileContent(file),
            _validators(file.identity),
            content_type(path),
            cached,
            "media",
            _age(since_of(file)),
            content=content,
            file=f"{file.identity.etag} {path}",
        )

    async def _is_unfinished(self, path: str, file: File) -> bool:
        try:
            return await self._catalog.is_unfinished(path, file.identity.mtime_ns)
        except BaseException:
            file.close()
            raise

    async def _playlist(self, path: str) -> Representation:
        try:
            document, live = await self._catalog.playlist(path)
        except (PlaylistError, NotReadyError) as error:
            reason = str(error) if isinstance(error, PlaylistError) else "It has no segments yet."
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"The playlist at {path!a} cannot be shown yet. {reason}",
                {hdrs.RETRY_AFTER: "1"},
            ) from error
        return Representation(
            Content(document.data),
            _validators(document.identity),
            content_type(path),
            _CHANGING if live else _PLAYLIST,
            "overhead",
            _age(document.since),
        )


def _without_query(target: str) -> str:
    return target.partition("?")[0]


def _validators(identity: Identity) -> Validators:
    """A time in whole seconds tells versions apart once its second is over: before, there may be
    another one of the same (RFC 9110, 8.8.2.2)."""
    settled = 0 < identity.modified < int(time.time())
    return Validators(identity.etag, identity.modified if settled else None)


def _age(since: float | None) -> tuple[tuple[str, str], ...]:
    """How long ago another server vouched for it (RFC 9111, 5.1)."""
    return () if since is None else ((hdrs.AGE, str(max(0, int(time.time() - since)))),)
