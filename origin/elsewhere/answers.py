"""`/manifest/?url=URL`: what media elsewhere must hash to.

=======================================  ==========================================================
``/manifest/?url=URL``                   the manifest of the playlist at URL, whatever its token
``...&presentation=URL``                 of which multivariant playlist it is a rendition
``...&at=SEQ``, ``records``, ``hashes``  as for media of ours
=======================================  ==========================================================

A page has those records that are known by now, the one that was asked for among them.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from http import HTTPStatus

from aiohttp import hdrs, web

from origin.catalog.catalog import Catalog
from origin.catalog.playlist import PlaylistError, PlaylistSegment
from origin.content_types import is_hls
from origin.elsewhere.fetcher import Fetcher
from origin.elsewhere.places import NotAllowedError, Place, Places
from origin.http.representation import Representation
from origin.http_error import HttpError
from origin.manifests import Manifests, question_of, sequence_of, span_of
from p2pcdn.errors import SourceError

AHEAD = 8
"""Segments after the one that is asked for that are fetched as well: they are asked for next."""


class Answers:
    """Finds what a request for a manifest of media elsewhere asks for."""

    def __init__(
        self, places: Places, fetcher: Fetcher, catalog: Catalog, manifests: Manifests
    ) -> None:
        self._places = places
        self._fetcher = fetcher
        self._catalog = catalog
        self._manifests = manifests

    async def show(self, request: web.Request) -> Representation:
        """The manifest, page or hash list that the request asks for."""
        place = self._place(request.query["url"])
        question, value = question_of(request)
        await self._attend_presentation(request.query.get("presentation", ""))
        try:
            await self._fetcher.attend(place)
        except PlaylistError as error:
            message = f"There is no manifest of {place.name!a}. {error}"
            raise HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, message) from error
        await self._bring(place.name, question, value)
        shown = await self._manifests.answer(place.name, question, value)
        # The URL of the request is somebody's own: no cache is to know it.
        return replace(shown, cache_control="no-store")

    def _place(self, url: str) -> Place:
        try:
            place = self._places.find(url)
        except NotAllowedError as error:
            raise HttpError(HTTPStatus.NOT_FOUND, str(error)) from error
        if not is_hls(place.name):
            raise HttpError(
                HTTPStatus.NOT_FOUND,
                "Of media elsewhere there are manifests of HLS playlists alone.",
            )
        return place

    async def _attend_presentation(self, url: str) -> None:
        """Know that playlist, so that its renditions belong to one content. If it cannot be had,
        each is a content of its own."""
        if url:
            with contextlib.suppress(HttpError, SourceError, PlaylistError):
                await self._fetcher.attend(self._place(url))

    async def _bring(self, name: str, question: str | None, value: str) -> None:
        segments = self._fetcher.segments(name)
        if question == "after" or not segments:
            return
        if question in ("records", "hashes"):
            span = span_of(value)
            first, last, more = span.first, span.last, 0
        else:
            first = segments[0].sequence if question is None else sequence_of(value)
            last, more = first, AHEAD
        wanted = _within(segments, first, last)
        if self._fetcher.lacks(wanted):
            await self._fetcher.bring(name, wanted, _within(segments, last + 1, last + more))
        await self._note(name, wanted)
        if question != "records" and self._fetcher.lacks(wanted):
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "These segments are just being fetched, to be hashed; ask again in a moment.",
                {hdrs.RETRY_AFTER: "1"},
            )

    async def _note(self, name: str, wanted: list[PlaylistSegment]) -> None:
        """Have an edition with these segments, as far as they are known."""
        known = [segment.sequence for segment in wanted if not self._fetcher.lacks([segment])]
        edition = await self._catalog.edition(name)
        if not all(sequence in edition.pieces for sequence in known):
            self._catalog.doubt(name)


def _within(segments: tuple[PlaylistSegment, ...], first: int, last: int) -> list[PlaylistSegment]:
    return [segment for segment in segments if first <= segment.sequence <= last]
