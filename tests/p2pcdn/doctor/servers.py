"""End points with something wrong, on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import SplitResult

from aiohttp import web
from aiohttp.test_utils import TestServer

from p2pcdn.doctor import Finding, Verdict
from p2pcdn.doctor.site import parse

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def says(status: int = 200, text: str = "", **headers: str) -> Handler:
    """A handler that always answers the same; `Content_Type` is the header Content-Type."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers=named)

    return handle


def healthy() -> dict[str, Handler]:
    """What an end point answers that has nothing wrong, by method and path."""
    return {
        "GET /livez": says(),
        "GET /readyz": says(),
        "GET /p2pcdn.js": says(Content_Type="text/javascript", Access_Control_Allow_Origin="*"),
        "OPTIONS /media/doctor": says(204, Access_Control_Allow_Headers="Range, *"),
    }


@asynccontextmanager
async def serving(handlers: dict[str, Handler]) -> AsyncIterator[SplitResult]:
    """An end point that answers so."""
    app = web.Application()
    for way, handler in handlers.items():
        method, path = way.split()
        app.router.add_route(method, path, handler)
    async with TestServer(app) as server:
        yield parse(str(server.make_url("/")))


async def everything(findings: AsyncIterator[Finding]) -> dict[str, Finding]:
    """All findings by their subjects; several of one subject are one after the other."""
    return {finding.subject: finding async for finding in findings}


def not_good(findings: dict[str, Finding]) -> dict[str, Verdict]:
    """The subjects of those that are not good."""
    return {
        subject: finding.verdict
        for subject, finding in findings.items()
        if finding.verdict is not Verdict.GOOD
    }
