"""The dashboard's files, as they stand beside this module, for whoever may see the figures.

``/dashboard/?token=TOKEN`` is the link that a server prints: it lets the browser in, and leads on
without the token, which is to stay in no history.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from p2pcdn.service import error_response
from p2pcdn.service.admin import Admin

FOLDER = Path(__file__).parent / "dashboard"
PREFIX = "/dashboard/"

_ON_FROM_TOKEN = {
    "Location": PREFIX,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}


def routes(admin: Admin) -> Iterable[web.AbstractRouteDef]:
    """Where the dashboard is."""

    async def enter(request: web.Request) -> web.StreamResponse:
        token = request.query.get("token")
        if token is None:
            return await guarded(request)
        if not (admin.knows(token) or admin.allows(request)):
            return admin.refuse()
        response = web.Response(status=HTTPStatus.SEE_OTHER, headers=_ON_FROM_TOKEN)
        if admin.knows(token):
            admin.enter(request, response)
        return response

    guarded = admin.guarded(_file)
    yield web.get(PREFIX.removesuffix("/"), _to_folder)
    yield web.get(PREFIX, enter)
    yield web.get(f"{PREFIX}{{name:[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)+}}", guarded)


async def _to_folder(request: web.Request) -> web.Response:
    query = f"?{request.query_string}" if request.query_string else ""
    headers = {"Location": PREFIX + query, "Referrer-Policy": "no-referrer"}
    return web.Response(status=HTTPStatus.PERMANENT_REDIRECT, headers=headers)


async def _file(request: web.Request) -> web.StreamResponse:
    path = FOLDER / (request.match_info.get("name", "index.html"))
    if path.suffix not in _TYPES or not path.is_file():
        message = f"The dashboard has no file {path.name}."
        return error_response(HTTPStatus.NOT_FOUND, "not_found", message)
    headers = {"Content-Type": _TYPES[path.suffix], "Cache-Control": "no-cache"}
    return web.FileResponse(path, headers=headers)
