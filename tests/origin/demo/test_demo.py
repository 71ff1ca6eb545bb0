"""The demo page's files, and the switch that only the demo has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from origin import demo
from tests import static_pages

Client = TestClient[web.Request, web.Application]


class Switchable:
    """An origin, as far as the switch goes."""

    cut = False


@pytest.fixture
def origin() -> Switchable:
    return Switchable()


@pytest.fixture
async def client(origin: Switchable) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes(demo.Demo(origin).routes())
    async with TestClient(TestServer(app)) as client:
        yield client


def test_the_page_is_sound() -> None:
    static_pages.assert_sound(demo.STATIC / "index.html")


def test_its_scripts_are_typed() -> None:
    static_pages.assert_typed(demo.STATIC)


def test_the_page_includes_the_snippet_as_any_page_would() -> None:
    reader = static_pages.read(demo.STATIC / "index.html")
    assert reader.loads == {
        "demo.css", "demo.js", "hls.min.js", "icon.svg", "/p2pcdn.js",
    }  # fmt: skip


async def test_all_files_are_served_with_their_types(client: Client) -> None:
    types = {".html": "text/html", ".css": "text/css", ".svg": "image/svg+xml"}
    for name, path in demo.FILES.items():
        if not path.exists():
            continue  # the bundle is not built
        answer = await client.get(f"/demo/{name}")
        assert answer.status == 200
        assert await answer.read() == path.read_bytes()
        expected = types.get(path.suffix)
        assert answer.content_type == expected or "javascript" in answer.content_type
        assert answer.headers["Cache-Control"] == "no-cache"


async def test_the_page_is_under_a_strict_policy(client: Client) -> None:
    answer = await client.get("/demo/")
    policy = answer.headers["Content-Security-Policy"]
    assert answer.content_type == "text/html"
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", "/demo"])
async def test_shorter_addresses_lead_there(client: Client, path: str) -> None:
    answer = await client.get(path, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "/demo/")


@pytest.mark.parametrize(
    "path", ["/demo/nothing.js", "/demo/..%2f__init__.py", "/demo/%2e%2e/__init__.py", "/demo/a/b"]
)
async def test_nothing_else_is_served(client: Client, path: str) -> None:
    assert (await client.get(path)).status == 404


async def test_the_switch_cuts_and_restores_the_origin(client: Client, origin: Switchable) -> None:
    assert await (await client.get("/demo/api/cut")).json() == {"cut": False}
    for cut in (True, False):
        answer = await client.post("/demo/api/cut", json={"cut": cut})
        assert await answer.json() == {"cut": cut}
        assert origin.cut is cut
        assert await (await client.get("/demo/api/cut")).json() == {"cut": cut}


@pytest.mark.parametrize(
    "body", ["", "true", '{"cut": 1}', '{"cut": "yes"}', "{}", '{"cut": true, "more": 1}', "{"]
)
async def test_the_switch_refuses_what_it_does_not_know(
    client: Client, origin: Switchable, body: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/demo/api/cut", data=body, headers=headers)
    assert answer.status == 400
    assert '{"cut": true}' in await answer.text()
    assert not origin.cut


async def test_other_sites_cannot_press_the_switch(client: Client, origin: Switchable) -> None:
    """What a page may send elsewhere without a preflight is refused, and so is the preflight."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = await client.post(
            "/demo/api/cut", data='{"cut": true}', headers={"Content-Type": kind}
        )
        assert answer.status == 415
    assert (await client.options("/demo/api/cut")).status == 405
    assert not origin.cut


def test_a_missing_bundle_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(demo.FILES, "hls.min.js", tmp_path / "hls.min.js")
    (problem,) = demo.Demo(Switchable()).problems()
    assert "make bundle" in problem
    (tmp_path / "hls.min.js").touch()
    assert demo.Demo(Switchable()).problems() == []
