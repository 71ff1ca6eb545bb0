"""A native peer with a store on disk: what it held before it ended, it holds again, and gives."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from origin.catalog.rendition import RECHECK
from p2pcdn.config import Config, PeerConfig
from p2pcdn.model import CHUNK_SIZE, SegmentKey
from peer.native.disk.disk import StoreError
from peer.native.disk.segment_file import HEAD, SegmentFile
from peer.native.runner import NativePeer
from tests.peer.native.hosting import LENGTH, RENDITIONS, SEGMENTS, Site, playlist, write_segments
from tests.peer.native.test_runner import assert_same_as_the_files

EVERYTHING = len(RENDITIONS) * SEGMENTS * LENGTH


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(peer=PeerConfig(store=tmp_path / "store"))


@pytest.fixture
def url(site: Site) -> str:
    return site.media("show/master.m3u8")


async def fill(url: str, config: Config) -> None:
    """Have a peer get everything, and end."""
    async with NativePeer(url, config=config) as peer:
        await peer.complete()


def files(config: Config) -> list[Path]:
    assert config.peer.store is not None
    return sorted(config.peer.store.glob("*/??/*"))


async def test_what_was_held_is_served_to_a_newcomer(site: Site, url: str, config: Config) -> None:
    await fill(url, config)
    async with NativePeer(url, config=config) as edge:
        await edge.complete()
        assert_same_as_the_files(edge, site.content / "show")
        assert edge.stats.origin_bytes == edge.stats.peer_bytes == edge.stats.cache_bytes == 0
        async with NativePeer(url) as newcomer:
            await newcomer.complete()
            assert_same_as_the_files(newcomer, site.content / "show")
            assert newcomer.stats.peer_bytes == EVERYTHING
            assert newcomer.stats.origin_bytes == newcomer.stats.rejected_chunks == 0
    # It is counted when it has arrived, as far as the system tells.
    assert 0 < site.ledger.summary().origin_bytes <= EVERYTHING, "the origin sent one copy"


async def test_who_is_linked_already_hears_of_it(site: Site, url: str, config: Config) -> None:
    await fill(url, config)
    few = Config(peer=PeerConfig(store_bytes=1_048_576))
    keys = [
        SegmentKey(f"show/{name}/index.m3u8", n) for name in RENDITIONS for n in range(SEGMENTS)
    ]
    async with NativePeer(url, config=few) as other:
        await other.complete()
        async with NativePeer(url, config=config) as edge:
            await edge.complete()
            assert edge.stats.origin_bytes == edge.stats.peer_bytes == 0
            offers = other.node._neighbours.offers
            await other.until(lambda: all(map(offers, keys)))


async def test_a_flipped_bit_comes_anew(site: Site, url: str, config: Config) -> None:
    await fill(url, config)
    file = files(config)[3]
    data = bytearray(file.read_bytes())
    data[HEAD.size + 17] ^= 1
    file.write_bytes(data)
    with capture_logs() as logs:
        async with NativePeer(url, config=config) as edge:
            await edge.complete()
            assert_same_as_the_files(edge, site.content / "show")
            assert 0 < edge.stats.origin_bytes <= CHUNK_SIZE
            assert edge.stats.rejected_chunks == 0
    assert [entry["file"] for entry in logs if entry["event"] == "chunk_spoilt"] == [str(file)]


async def test_a_bit_that_flips_while_it_runs_harms_nobody(site: Site, config: Config) -> None:
    url, folder = site.media("show/low/index.m3u8"), site.content / "show" / "low"
    keys = [SegmentKey("show/low/index.m3u8", number) for number in range(SEGMENTS)]
    async with NativePeer(url, config=config) as edge:
        await edge.complete()
        assert edge._disk is not None
        edge._disk.flush()
        edge._disk.recent.clear()
        for file in files(config):
            data = bytearray(file.read_bytes())
            data[-1] ^= 1
            file.write_bytes(data)
        async with NativePeer(url) as newcomer:
            await newcomer.complete()
            for key in keys:
                right = (folder / f"{key.sequence}.ts").read_bytes()
                assert newcomer.segment(key) == right
            assert newcomer.stats.rejected_chunks == 0
        for key in keys:
            edge.segment(key)  # whoever looks finds out
        await edge.until(lambda: all(edge.segment(key) is not None for key in keys))
        assert edge.stats.rejected_chunks == 0


async def test_a_content_that_changed_meanwhile(site: Site, url: str, config: Config) -> None:
    await fill(url, config)
    write_segments(site.content / "show" / "low", range(SEGMENTS), "others")
    await asyncio.sleep(RECHECK * 1.1)  # so long the origin may not have noticed
    async with NativePeer(url, config=config) as edge:
        await edge.until(lambda: edge.is_complete() and edge.stats.origin_bytes > 0)
        assert_same_as_the_files(edge, site.content / "show")
        assert edge.stats.origin_bytes == EVERYTHING // 2


async def test_a_live_content(site: Site, config: Config) -> None:
    folder = site.content / "live"
    write_segments(folder, range(5, 8), "live")
    (folder / "index.m3u8").write_text(playlist(3, ended=False, first=5))
    url = site.media("live/index.m3u8")
    await fill(url, config)
    async with NativePeer(url, config=config) as edge:
        await edge.complete()
        assert edge.stats.origin_bytes == 0
        write_segments(folder, range(8, 9), "live")
        (folder / "index.m3u8").write_text(playlist(3, ended=False, first=6))
        key = SegmentKey("live/index.m3u8", 8)
        await edge.until(lambda: edge.segment(key) is not None)
        assert edge.segment(key) == (folder / "8.ts").read_bytes()


async def test_a_full_disk_ends_nothing(
    site: Site, url: str, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = SegmentFile.append, 0

    def append(file: SegmentFile, chunk: int, data: bytes) -> int:
        nonlocal written
        written += 1
        if written > 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, chunk, data)

    monkeypatch.setattr(SegmentFile, "append", append)
    with capture_logs() as logs:
        async with NativePeer(url, config=config) as edge:
            await edge.complete()
            assert_same_as_the_files(edge, site.content / "show")
    assert [entry["event"] for entry in logs].count("store_not_written") == 1
    monkeypatch.undo()
    async with NativePeer(url, config=config) as edge:
        await edge.complete()
        assert_same_as_the_files(edge, site.content / "show")
        assert EVERYTHING - 10 * CHUNK_SIZE <= edge.stats.origin_bytes < EVERYTHING


async def test_less_room_than_before(site: Site, url: str, config: Config) -> None:
    async with NativePeer(url, config=config) as edge:
        await edge.complete()
        edge.resize(5 * LENGTH)
        await edge.until(lambda: edge.store.size <= 5 * LENGTH)
        assert edge.progress.kept == edge.progress.wanted == 5
        edge.resize(EVERYTHING)
        await edge.complete()
        assert_same_as_the_files(edge, site.content / "show")


async def test_two_peers_do_not_share_a_store(site: Site, url: str, config: Config) -> None:
    async with NativePeer(url, config=config):
        with pytest.raises(StoreError, match="in use by another process"):
            async with NativePeer(site.media("movie.bin"), config=config):
                pass
    await fill(site.media("movie.bin"), config)
