"""A site in one archive: its segments are played by peers, and are what is in the archive."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.e2e.served import assert_played_by_peers
from tests.e2e.servers import p2pcdn

pytestmark = pytest.mark.xdist_group("embedding")


async def test_a_film_in_an_archive_is_played_by_peers(
    browser: Browser, page_site: str, content: Path, tmp_path: Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / "site"), "zip", content, "film")
    words = ("--content", archive, "--data", str(tmp_path / "data"))
    async with p2pcdn("serve", *words) as server:
        await assert_played_by_peers(browser, page_site, server, content)
