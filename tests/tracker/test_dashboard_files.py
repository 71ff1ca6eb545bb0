"""The dashboard over HTTP: its files, and no others."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from p2pcdn.config import Config, TrackerConfig
from p2pcdn.service.admin import COOKIE, FILE
from tests import static_pages
from tests.tracker.rig import Rig, rig
from tracker import dashboard_files
from tracker.dashboard_files import FILES, STATIC


@pytest.mark.parametrize("name", ["", *FILES])
async def test_its_files_are_served_under_a_strict_policy(name: str) -> None:
    async with (
        rig() as tracker,
        tracker.session.get(f"{tracker.server.url}/dashboard/{name}") as response,
    ):
        assert response.status == 200
        assert response.headers["Content-Type"] == FILES[name or "index.html"]
        assert response.headers["Cache-Control"] == "no-cache"
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "trusted-types 'none'" in policy
        assert "unsafe" not in policy
        assert await response.read()


async def test_a_checkout_without_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dashboard_files, "STATIC", tmp_path)
    async with (
        rig() as tracker,
        tracker.session.get(f"{tracker.server.url}/dashboard/") as response,
    ):
        assert response.status == 404
        assert "make bundle" in (await response.json())["error"]["message"]


def test_the_page_loads_nothing_but_its_files_and_has_nothing_inline() -> None:
    static_pages.assert_sound(STATIC / "index.html")
    assert {path.name for path in STATIC.iterdir()} == set(FILES)


def test_all_of_it_is_small() -> None:
    sizes = [len(gzip.compress((STATIC / name).read_bytes())) for name in FILES]
    assert sum(sizes) < 60 * 1024


async def test_without_its_slash_it_is_found_too() -> None:
    async with (
        rig() as tracker,
        tracker.session.get(f"{tracker.server.url}/dashboard", allow_redirects=False) as response,
    ):
        assert response.status == 308
        assert response.headers["Location"] == "/dashboard/"


@pytest.mark.parametrize(
    "path",
    [
        "nothing.js",
        "app.py",
        "..%2Fapp.py",
        "%2e%2e/app.py",
        "..%2F..%2Fpyproject.toml",
        "%2Fetc%2Fpasswd",
        "a/b.js",
        ".git",
        "dashboard.js%00.html",
    ],
)
async def test_no_other_files_are(path: str) -> None:
    async with (
        rig() as tracker,
        tracker.session.get(f"{tracker.server.url}/dashboard/{path}") as response,
    ):
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "not_found"


# From elsewhere


@pytest.fixture
async def public(tmp_path: Path) -> AsyncIterator[Rig]:
    """A tracker that the world can reach."""
    made = Rig(Config(listen="0.0.0.0:0", data=tmp_path))
    await made.server.start()
    made.server.host = "127.0.0.1"  # where the test reaches it
    yield made
    await made.close()


async def status(tracker: Rig, path: str, **headers: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{tracker.server.url}{path}", headers=headers) as response,
    ):
        return response.status


PROTECTED = [
    "/dashboard/",
    "/dashboard/dashboard.js",
    "/api/v1/summary",
    "/api/v1/series",
    "/api/v1/contents",
    "/api/v1/stream",
    "/api/v1/openapi.json",
    "/metrics",
]


async def test_the_world_sees_no_figures(public: Rig, tmp_path: Path) -> None:
    token = await asyncio.to_thread((tmp_path / FILE).read_text)
    for path in PROTECTED:
        assert await status(public, path) == 401
        assert await status(public, path, Authorization="Bearer wrong") == 401
        if path != "/api/v1/stream":
            assert await status(public, path, Authorization=f"Bearer {token.strip()}") == 200
    assert await status(public, "/dashboard/?token=wrong") == 401
    assert await status(public, "/livez") == await status(public, "/readyz") == 200
    assert (await public.joined()).peer  # viewers need no token of this kind


async def test_the_link_lets_a_browser_in_and_its_token_stays_in_no_history(
    public: Rig, tmp_path: Path
) -> None:
    token = (await asyncio.to_thread((tmp_path / FILE).read_text)).strip()
    # Browsers keep cookies of addresses; aiohttp has to be asked to.
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        url = public.server.url
        for path in ("/dashboard", "/dashboard/"):
            async with browser.get(f"{url}{path}?token={token}") as response:
                assert response.status == 200
                assert response.url.path == "/dashboard/"
                assert not response.url.query_string
                last = response.history[-1]
            assert last.status == 303
            assert last.headers["Referrer-Policy"] == "no-referrer"
            assert last.headers["Cache-Control"] == "no-store"
            flags = last.headers["Set-Cookie"].lower()
            assert flags.startswith(f"{COOKIE}=")
            assert "httponly" in flags
            assert "samesite=lax" in flags
            assert token not in last.headers["Set-Cookie"]
        for path in PROTECTED:
            async with browser.get(f"{url}{path}") as response:
                assert response.status == 200


async def test_on_this_machine_a_link_with_a_token_just_leads_on() -> None:
    async with (
        rig() as tracker,
        tracker.session.get(
            f"{tracker.server.url}/dashboard/?token=old", allow_redirects=False
        ) as response,
    ):
        assert response.status == 303
        assert response.headers["Location"] == "/dashboard/"
        assert "Set-Cookie" not in response.headers


async def test_a_proxy_on_this_machine_lets_nobody_in() -> None:
    async with rig() as tracker:
        for path in PROTECTED:
            assert await status(tracker, path, **{"X-Forwarded-For": "192.0.2.1"}) == 401


async def test_metrics_can_be_open(tmp_path: Path) -> None:
    config = Config(listen="0.0.0.0:0", data=tmp_path, tracker=TrackerConfig(open_metrics=True))
    made = Rig(config)
    await made.server.start()
    made.server.host = "127.0.0.1"
    try:
        assert await status(made, "/metrics") == 200
        assert await status(made, "/api/v1/summary") == 401
    finally:
        await made.close()


async def test_the_servers_own_address_leads_to_it() -> None:
    async with (
        rig() as tracker,
        tracker.session.get(f"{tracker.server.url}/", allow_redirects=False) as response,
    ):
        assert response.status == 302
        assert response.headers["Location"] == "dashboard/"
