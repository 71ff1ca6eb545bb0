"""`/contents`: what there is to be had, for edge peers that follow the site.

A list of URLs, relative to this one::

    {"contents": ["media/movie.mp4", "media/show/master.m3u8"]}

Whoever asks learns of every content, so an operator has to want it (`origin.list_contents`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import quote

import msgspec
from aiohttp import web

from origin.catalog.catalog import Catalog
from origin.catalog.pages import Blob, blob
from origin.http.conditions import Validators
from origin.http.representation import Content, Representation
from origin.http_error import HttpError

PATH = "/contents"


class Contents:
    """Lists the contents of a source."""

    def __init__(self, catalog: Catalog, *, listed: bool) -> None:
        self._catalog = catalog
        self._listed = listed

    async def show(self, request: web.Request) -> Representation:
        """The list as it is now."""
        if not self._listed:
            raise HttpError(
                HTTPStatus.NOT_FOUND, "This origin does not list its contents (list_contents)."
            )
        # With 100,000 contents 60 ms, in which nobody else would be answered.
        made = await asyncio.to_thread(_listing, await self._catalog.contents())
        return Representation(
            Content(made.data), Validators(made.etag), "application/json", "no-cache", "overhead"
        )


def _listing(paths: Iterable[str]) -> Blob:
    return blob(msgspec.json.encode({"contents": [f"media/{quote(path)}" for path in paths]}))
