"""The dashboard's files, for whoever may see the figures.

``/dashboard/?token=TOKEN`` is the link that a server prints: it lets the browser in, and leads on
without the token, which is to stay in no history.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

from aiohttp import hdrs, web

from p2pcdn.service import error_response
from p2pcdn.service.admin import Admin

STATIC = Path(__file__).parent / "static"
"""Where `make bundle` builds the page; its sources are in peer/browser/dashboard."""
PREFIX = "/dashboard/"

FILES = {
    "index.html": "text/html; charset=utf-8",
    "dashboard.js": "text/javascript; charset=utf-8",
    "dashboard.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""All that is served, with its type: no path of a request ever reaches the file system."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    hdrs.CACHE_CONTROL: "no-cache",
}

NOT_BUILT = "The dashboard has not been built: run `make bundle`."

_ON_FROM_TOKEN = {
    "Location": PREFIX,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
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
    yield web.get("/", _to_dashboard)
    yield web.get(PREFIX.removesuffix("/"), _to_folder)
    yield web.get(PREFIX, enter)
    yield web.get(f"{PREFIX}{{name:[^/]*}}", guarded)


async def _to_dashboard(request: web.Request) -> web.Response:
    """The address that a server prints first is one to look at."""
    # Relative, since a proxy may have it all below a path of its own.
    headers = {"Location": PREFIX.removeprefix("/"), "Cache-Control": "no-store"}
    return web.Response(status=HTTPStatus.FOUND, headers=headers)


async def _to_folder(request: web.Request) -> web.Response:
    query = f"?{request.query_string}" if request.query_string else ""
    headers = {"Location": PREFIX + query, "Referrer-Policy": "no-referrer"}
    return web.Response(status=HTTPStatus.PERMANENT_REDIRECT, headers=headers)


async def _file(request: web.Request) -> web.StreamResponse:
    name = request.match_info.get("name", "index.html")
    path = STATIC / name
    if name not in FILES:
        message = "The dashboard has no such file."
        return error_response(HTTPStatus.NOT_FOUND, "not_found", message)
    if not path.is_file():
        return error_response(HTTPStatus.NOT_FOUND, "not_found", NOT_BUILT)
    return web.FileResponse(path, headers={"Content-Type": FILES[name], **HEADERS})
