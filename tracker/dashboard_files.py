"""The dashboard's files, as they stand beside this module."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from p2pcdn.service import error_response

FOLDER = Path(__file__).parent / "dashboard"
PREFIX = "/dashboard/"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}


def routes() -> Iterable[web.AbstractRouteDef]:
    """Where the dashboard is."""
    yield web.get(PREFIX.removesuffix("/"), _to_folder)
    yield web.get(f"{PREFIX}{{name:[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)+|}}", _file)


async def _to_folder(request: web.Request) -> web.Response:
    return web.Response(status=HTTPStatus.PERMANENT_REDIRECT, headers={"Location": PREFIX})


async def _file(request: web.Request) -> web.StreamResponse:
    path = FOLDER / (request.match_info["name"] or "index.html")
    if path.suffix not in _TYPES or not path.is_file():
        message = f"The dashboard has no file {path.name}."
        return error_response(HTTPStatus.NOT_FOUND, "not_found", message)
    headers = {"Content-Type": _TYPES[path.suffix], "Cache-Control": "no-cache"}
    return web.FileResponse(path, headers=headers)
