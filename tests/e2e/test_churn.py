"""Twenty native peers, of which five come and go by `kill -9`, and four viewers who notice nothing.

Half a minute of it; `python -m bench.churn` plays two.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from playwright.async_api import Browser

from origin.synth import synthesise
from tests.e2e.churn import SMALL, Scene, play
from tests.e2e.conftest import serve
from tests.e2e.viewer import Stage

pytestmark = [
    pytest.mark.crowd,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc to look at processes"),
]

SECONDS = 60


async def test_viewers_play_on_while_native_peers_are_killed(
    browser: Browser, page_site: str, encoded: Path, tmp_path: Path
) -> None:
    made = await asyncio.to_thread(synthesise, encoded / "small", seconds=SECONDS, renditions=SMALL)
    film = tmp_path / "content" / "film"
    shutil.copytree(made.parent, film)
    async with serve(film.parent, tmp_path / "data") as server:
        stage = Stage(browser, page_site, server.url, f"{server.url}/media/film/index.m3u8")
        found = await play(Scene(seconds=30), stage, server, film, tmp_path / "stores")
    assert found.faults == [], found
    assert found.kills == 5
    assert found.compared >= 5 * 5, found  # each of five players goes through some ten segments
