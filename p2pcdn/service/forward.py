"""Forwards a request that one worker got to the first, which has what it asks for.

Nothing of it is changed, and neither is the answer: who may see it is decided over there. What
comes slowly, such as a stream of events, goes on as it comes.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import aiohttp
from aiohttp import hdrs, web
from yarl import URL

from p2pcdn.service.errors import error_response
from p2pcdn.service.probes import COUNTED

CONNECT_TIMEOUT = 2.0
"""Seconds for the first worker to take a request."""

_HOP = {
    hdrs.CONNECTION,
    hdrs.KEEP_ALIVE,
    hdrs.TRANSFER_ENCODING,
    hdrs.TE,
    hdrs.TRAILER,
    hdrs.UPGRADE,
    hdrs.CONTENT_LENGTH,
    hdrs.EXPECT,
}
"""Headers that are of one connection alone (RFC 9110, 7.6.1), or that aiohttp writes anew."""


class Forward:
    """The way to the first worker."""

    def __init__(self, inside: Path) -> None:
        """``inside`` is the Unix socket that it listens on."""
        self._inside = inside
        self._session: aiohttp.ClientSession | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer that the first worker gives, as it comes."""
        response: web.StreamResponse | None = None
        try:
            async with self._opened().request(
                request.method,
                URL(f"http://p2pcdn{request.rel_url.raw_path_qs}", encoded=True),
                headers=[(k, v) for k, v in request.headers.items() if k.title() not in _HOP],
                data=await request.read() or None,
                allow_redirects=False,
                skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING),
            ) as theirs:
                request[COUNTED] = True
                response = web.StreamResponse(status=theirs.status, reason=theirs.reason)
                for name, value in theirs.headers.items():
                    if name.title() not in _HOP:
                        response.headers.add(name, value)
                if (length := theirs.headers.get(hdrs.CONTENT_LENGTH)) is not None:
                    response.content_length = int(length)
                await response.prepare(request)
                async for piece in theirs.content.iter_any():
                    await response.write(piece)
        except (aiohttp.ClientError, TimeoutError):
            if response is not None and response.prepared:
                raise ConnectionResetError from None  # there is no way to say more
            return error_response(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "service_unavailable",
                "The part of the server that keeps the figures is away: ask again in a moment.",
                {hdrs.RETRY_AFTER: "1"},
            )
        return response

    async def close(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # Streams stay open for hours: there is one connection for each.
                connector=aiohttp.UnixConnector(str(self._inside), limit=0),
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session
