"""What machines ask: alive, ready, figures."""

from __future__ import annotations

from typing import NoReturn

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from p2pcdn.service import Server
from tests.p2pcdn.service.hosting import Host, connected, hello, hosted


@pytest.mark.parametrize(
    ("problems", "path", "status", "body"),
    [
        ([], "/livez", 200, b"ok\n"),
        ([], "/readyz", 200, b""),
        ([], "/readyz?verbose", 200, b"ok\n"),
        (["No media."], "/livez", 200, b"ok\n"),
        (["No media."], "/readyz", 503, b""),
        (["No media.", "No sun."], "/readyz?verbose", 503, b"No media.\nNo sun.\n"),
    ],
)
async def test_ready_is_who_has_no_problem(
    problems: list[str], path: str, status: int, body: bytes
) -> None:
    host = Host()
    host.found = problems
    async with Server([host], host="127.0.0.1", port=0) as server, connected(server) as wire:
        wire.get(path)
        answer = await wire.answer()
        assert (answer.status, answer.body) == (status, body)
        assert answer.headers["Cache-Control"] == "no-store"


async def test_who_has_something_to_tell_is_ready_all_the_same() -> None:
    host = Host()
    host.noted = ["It rains."]
    async with Server([host], host="127.0.0.1", port=0) as server, connected(server) as wire:
        for path, body in (("/readyz", b""), ("/readyz?verbose", b"ok\nIt rains.\n")):
            wire.get(path)
            answer = await wire.answer()
            assert (answer.status, answer.body) == (200, body)


async def test_metrics_are_prometheus_text() -> None:
    async with hosted() as server, connected(server) as wire:
        wire.get("/metrics")
        answer = await wire.answer()
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert b"# TYPE p2pcdn_http_requests_total counter" in answer.body
        wire.get("/metrics", "Accept: application/openmetrics-text; version=1.0.0")
        answer = await wire.answer()
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert answer.body.endswith(b"# EOF\n")


def counted(route: str, status: int) -> float:
    labels = {"route": route, "status": str(status)}
    return REGISTRY.get_sample_value("p2pcdn_http_requests_total", labels) or 0


async def test_requests_are_counted_by_route_and_status_and_never_by_path() -> None:
    async def move(request: web.Request) -> NoReturn:
        raise web.HTTPFound("/")

    async def fail(request: web.Request) -> NoReturn:
        raise ValueError

    routes = [web.get("/f/{name}", hello), web.get("/move", move), web.get("/fail", fail)]
    expected = [("/f/{name}", 200), ("/move", 302), ("/fail", 500), ("none", 404)]
    before = [counted(*labels) for labels in expected]
    async with hosted(*routes) as server, connected(server) as wire:
        for path in ("/f/secret", "/move", "/fail", "/secret"):
            wire.get(path)
            await wire.answer()
        wire.get("/metrics")
        assert b"secret" not in (await wire.answer()).body
    assert [counted(*labels) for labels in expected] == [count + 1 for count in before]
