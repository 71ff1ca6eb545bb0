"""The list of contents: whole, no more than that, and only where it is wanted."""

from __future__ import annotations

import asyncio
from pathlib import Path

from p2pcdn.config import OriginConfig
from tests.origin.conftest import StartSite
from tests.peer.native.hosting import playlist, write_segments, write_show

LISTED = OriginConfig(list_contents=True)


async def test_what_can_be_had_is_listed(start_site: StartSite, content: Path) -> None:
    write_show(content / "show")
    write_segments(content / "a b", range(2), "alone")
    (content / "a b" / "index.m3u8").write_text(playlist(2))
    (content / "film.mp4").write_bytes(b"film")
    (content / "notes.txt").write_bytes(b"nothing to watch")
    site = await start_site(limits=LISTED)
    expected = ["media/a%20b/index.m3u8", "media/film.mp4", "media/show/master.m3u8"]
    found: list[str] = []
    while not set(expected) <= set(found):  # files are listed once they have been hashed
        response = await site.get("/contents")
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-cache"
        found = (await response.json())["contents"]
        await asyncio.sleep(0.05)
    assert found == expected, "renditions and segments are no contents"
    etag = response.headers["ETag"]
    assert (await site.get("/contents", if_none_match=etag)).status == 304


async def test_nobody_hears_of_it_unless_that_is_wanted(start_site: StartSite) -> None:
    site = await start_site()
    status, code, message = await site.error("/contents")
    assert (status, code) == (404, "not_found")
    assert "does not list its contents" in message
