"""The dashboard over HTTP: its files, and no others."""

from __future__ import annotations

import pytest

from tests.tracker.rig import rig


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("", "text/html"), ("index.html", "text/html"), ("dashboard.js", "text/javascript")],
)
async def test_its_files_are_served(name: str, content_type: str) -> None:
    async with (
        rig() as tracker,
        tracker.session.get(f"{tracker.server.url}/dashboard/{name}") as response,
    ):
        assert response.status == 200
        assert response.content_type == content_type
        assert response.headers["Cache-Control"] == "no-cache"
        assert await response.read()


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
