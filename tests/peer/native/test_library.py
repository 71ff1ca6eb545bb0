"""The native peer as a library, with a real origin and a real tracker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from p2pcdn.errors import ConfigError, SourceError, SourceReason
from p2pcdn.model import CHUNK_SIZE, SegmentKey
from peer import Peer, PeerError
from peer.native import runner
from peer.native.readers import Reader
from peer.native.runner import NativePeer
from tests.peer.native.hosting import LENGTH, SEGMENTS, Site, playlist, slowed, write_segments

ROOT = Path(__file__).parents[3]
HIGH = "show/high/index.m3u8"


def whole(site: Site, name: str, numbers: range) -> bytes:
    folder = site.content / "show" / name
    return b"".join((folder / f"{number}.ts").read_bytes() for number in numbers)


@pytest.mark.parametrize("plays", [False, True])
async def test_a_rendition_is_read_in_order_and_nothing_else_is_fetched(
    site: Site, plays: bool
) -> None:
    async with Peer(site.media("show/master.m3u8")) as peer:
        assert peer.renditions == ("show/low/index.m3u8", HIGH)
        chunks = [chunk async for chunk in peer.read(HIGH, plays=plays)]
        assert b"".join(chunks) == whole(site, "high", range(SEGMENTS))
        assert max(map(len, chunks)) == CHUNK_SIZE
        assert peer.stats.origin_bytes == SEGMENTS * LENGTH
        assert peer.stats.waste_bytes == 0


async def test_reading_may_begin_and_end_anywhere(site: Site) -> None:
    async with Peer(site.media(HIGH)) as peer:
        for first, last in ((5, 6), (1, 2), (7, None), (6, 99)):
            read = b"".join([c async for c in peer.read(first=first, last=last, plays=True)])
            end = SEGMENTS if last is None else min(last + 1, SEGMENTS)
            assert read == whole(site, "high", range(first, end))


async def test_what_peers_hold_comes_from_them(site: Site) -> None:
    async with NativePeer(site.media(HIGH)) as seeder:
        await seeder.complete()
        async with Peer(site.media(HIGH)) as peer:
            read = b"".join([chunk async for chunk in peer.read()])
            assert read == whole(site, "high", range(SEGMENTS))
            assert peer.stats.origin_bytes == 0
            assert peer.stats.peer_bytes == SEGMENTS * LENGTH


async def test_who_only_wants_the_bytes_waits_while_more_of_them_come(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come side by side, the first not much sooner than the last."""
    monkeypatch.setattr(runner, "PATIENCE", 1.0)
    count = 4
    async with (
        slowed(site.url, count * LENGTH / 3) as url,
        Peer(f"{url}/media/{HIGH}") as peer,
    ):
        read = b"".join([chunk async for chunk in peer.read(last=count - 1)])
    assert read == whole(site, "high", range(count))


async def test_who_only_wants_the_bytes_is_told_when_no_more_come(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with NativePeer(site.media(HIGH), keep=False) as peer:
        await peer.until(lambda: peer.extent(HIGH)[1] >= 0)
        monkeypatch.setattr(runner, "PATIENCE", 0.2)
        monkeypatch.setattr(peer._engine, "ask", lambda *asked: None)
        for reader in (Reader(plays=False), Reader()):
            with pytest.raises(SourceError) as caught:
                await peer.fetch(reader, SegmentKey(HIGH, 0))
            assert caught.value.reason is SourceReason.TIMEOUT


async def test_one_that_reads_shares_what_it_has_read(site: Site) -> None:
    async with Peer(site.media(HIGH)) as first:
        async for _ in first.read(last=3):
            pass
        async with NativePeer(site.media(HIGH)) as other:
            await other.complete()
            # What a busy machine is late with, the origin sends.
            assert 0 < other.stats.peer_bytes <= 4 * LENGTH


async def test_two_readers_of_one_content(site: Site) -> None:
    async with Peer(site.media(HIGH)) as peer:

        async def read(first: int) -> bytes:
            return b"".join([c async for c in peer.read(first=first, last=first + 2, plays=True)])

        one, other = await asyncio.gather(read(0), read(5))
        assert one == whole(site, "high", range(3))
        assert other == whole(site, "high", range(5, 8))


@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (0, 10), (4_194_300, 4_194_310), (8_999_999, None), (5, 5)]
)
async def test_a_file_is_read_by_its_bytes(site: Site, start: int, stop: int | None) -> None:
    file = (site.content / "movie.bin").read_bytes()
    async with Peer(site.media("movie.bin")) as peer:
        assert b"".join([c async for c in peer.read_file(start, stop)]) == file[start:stop]


async def test_a_live_stream_is_read_until_it_ends(site: Site) -> None:
    folder = site.content / "live"
    write_segments(folder, range(5, 10), "live")
    (folder / "index.m3u8").write_text(playlist(4, ended=False, first=5))
    async with Peer(site.media("live/index.m3u8")) as peer:
        reading = peer.read(plays=True)
        got = b""
        for number in (6, 7, 8):
            while len(got) < (number - 5) * LENGTH:
                got += await anext(reading)
        (folder / "index.m3u8").write_text(playlist(4, first=6))
        got += b"".join([chunk async for chunk in reading])
    assert got == b"".join((folder / f"{n}.ts").read_bytes() for n in range(6, 10))


async def test_what_cannot_be_read_is_one_sentence(site: Site) -> None:
    async with Peer(site.media("show/master.m3u8")) as peer:
        with pytest.raises(ConfigError, match="Say which rendition to read: show/low"):
            await anext(peer.read())
        with pytest.raises(ConfigError, match="is a presentation, no file"):
            await anext(peer.read_file())
    with pytest.raises(PeerError, match="There is no content at"):
        async with Peer(site.media("none.bin")):
            pass


async def test_the_example_of_the_documentation_runs(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs/how-to/library.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    url = "https://media.example.com/media/film/720p.m3u8"
    assert url in code
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code.replace(url, site.media(HIGH)).replace("asyncio.run(main())", ""), names)
    await names["main"]()
    assert (tmp_path / "film.ts").read_bytes() == whole(site, "high", range(SEGMENTS))
