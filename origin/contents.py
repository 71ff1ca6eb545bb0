"""`/contents`: what there is to be had, for edge peers that follow the site.

A list of URLs, relative to this one::

    {"contents": ["media/movie.mp4", "media/show/master.m3u8"]}

Whoever asks learns of every content, so an operator has to want it (`origin.list_contents`).
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

import msgspec
from aiohttp import web

from origin.catalog.catalog import Catalog
from origin.catalog.pages import blob
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
        urls = [f"media/{quote(path)}" for path in await self._catalog.contents()]
        made = blob(msgspec.json.encode({"contents": urls}))
        return Representation(
            Content(made.data), Validators(made.etag), "application/json", "no-cache", "overhead"
        )
