"""What pages of other sites may do with our answers (the Fetch standard's CORS protocol)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

_EXPOSED = "Content-Range, ETag, Age"
"""What scripts may read beyond the simple headers."""

_ALLOWED = "Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, *"
"""What scripts may send. Players add headers of their own; all but Authorization are welcome,
which the star does not stand for, as there is never a credential in it for us."""

_PREFLIGHT_SECONDS = "86400"


def headers(allow_origin: str) -> dict[str, str]:
    """The headers of every answer, for pages from ``allow_origin``."""
    return {
        hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: allow_origin,
        hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: _EXPOSED,
        "Timing-Allow-Origin": allow_origin,
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


def preflight(
    allow_origin: str,
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler for OPTIONS."""
    answer = {
        **headers(allow_origin),
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, HEAD, OPTIONS",
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _ALLOWED,
        hdrs.ACCESS_CONTROL_MAX_AGE: _PREFLIGHT_SECONDS,
        hdrs.ALLOW: "GET, HEAD, OPTIONS",
    }

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=204, headers=answer)

    return handle
