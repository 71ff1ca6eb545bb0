"""An MP4 is added to a server that runs, and two browsers play it with each other's help."""

from __future__ import annotations

import asyncio
import json
from fractions import Fraction
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.e2e.served import assert_played_by_peers
from tests.e2e.servers import PROGRAM, p2pcdn, run
from tests.origin.preparing.films import film

pytestmark = pytest.mark.xdist_group("embedding")


async def test_an_mp4_is_added_and_played_by_peers(
    browser: Browser, page_site: str, tmp_path: Path
) -> None:
    content = tmp_path / "content"
    content.mkdir()
    where = ("--content", str(content), "--data", str(tmp_path / "data"))
    movie = await asyncio.to_thread(
        film,
        tmp_path / "My movie.mp4",
        seconds=90,
        times=range(900),
        time_base=Fraction(1, 10),
        key_every=20,
        reorder=2,
    )
    async with p2pcdn("serve", *where) as server:
        words = (*where, "--separate-audio", "--listen", server.url.removeprefix("http://"))
        async with run(*PROGRAM, "add", str(movie), *words, "--json") as adding:
            assert await adding.process.wait() == 0, adding.text
            await adding.printed('"added"')
        (media,) = json.loads(adding.output[-1])["urls"]
        assert media == f"{server.url}/media/My-movie/index.m3u8"
        await assert_played_by_peers(
            browser, page_site, server, content, "My-movie", before=1, after=2, segments=1
        )
