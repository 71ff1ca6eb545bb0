"""Native peers with a real origin, a real tracker and real data channels between them."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from random import Random

import pytest

from origin import keyring
from origin.keyring import Ring
from origin.signing import LOOK_EVERY
from p2pcdn.config import Config, PeerConfig
from p2pcdn.errors import ConfigError
from p2pcdn.model import FILE_SLICE, SegmentKey
from peer.native.runner import NativePeer, PeerError
from tests.peer.native.hosting import (
    LENGTH,
    RENDITIONS,
    SEGMENTS,
    Site,
    playlist,
    write_segments,
)


def assert_same_as_the_files(peer: NativePeer, show: Path) -> None:
    for name in RENDITIONS:
        for number in range(SEGMENTS):
            key = SegmentKey(f"show/{name}/index.m3u8", number)
            assert peer.segment(key) == (show / name / f"{number}.ts").read_bytes()


def holds(peer: NativePeer, key: SegmentKey) -> bool:
    return peer.segment(key) is not None


def holds_exactly(peer: NativePeer, key: SegmentKey, data: bytes) -> bool:
    return peer.segment(key) == data


async def test_alone_it_takes_everything_from_the_origin(site: Site) -> None:
    async with NativePeer(site.media("show/master.m3u8")) as peer:
        await peer.complete()
        assert_same_as_the_files(peer, site.content / "show")
        assert peer.stats.origin_bytes == len(RENDITIONS) * SEGMENTS * LENGTH
        assert peer.stats.waste_bytes == 0
        assert peer.progress.kept == peer.progress.wanted == len(RENDITIONS) * SEGMENTS


async def test_a_second_peer_takes_it_from_the_first(site: Site) -> None:
    async with NativePeer(site.media("show/master.m3u8")) as seeder:
        await seeder.complete()
        async with NativePeer(site.media("show/master.m3u8")) as peer:
            await peer.complete()
            assert_same_as_the_files(peer, site.content / "show")
            everything = len(RENDITIONS) * SEGMENTS * LENGTH
            assert peer.stats.peer_bytes + peer.stats.origin_bytes == everything
            assert peer.stats.origin_bytes == 0, "nobody waits for a first picture"
            assert peer.stats.rejected_chunks == 0
            assert list(peer.links.values()) == [seeder.peer]
            await seeder.until(lambda: seeder.stats.uploaded_bytes >= peer.stats.peer_bytes)


async def test_a_plain_file(site: Site) -> None:
    whole = Random("clip").randbytes(FILE_SLICE + 100_000)
    (site.content / "clip.bin").write_bytes(whole)
    async with NativePeer(site.media("clip.bin")) as one:
        await one.complete()
        async with NativePeer(site.media("clip.bin")) as other:
            await other.complete()
            for peer in (one, other):
                slices = [peer.segment(SegmentKey("clip.bin", n)) or b"" for n in range(2)]
                assert [len(part) for part in slices] == [FILE_SLICE, 100_000]
                assert b"".join(slices) == whole
            assert other.stats.peer_bytes == len(whole)


async def test_a_live_content_is_followed(site: Site) -> None:
    folder = site.content / "live"
    write_segments(folder, range(5, 8), "live")
    (folder / "index.m3u8").write_text(playlist(3, ended=False, first=5))
    url = site.media("live/index.m3u8")
    async with NativePeer(url) as one, NativePeer(url) as other:
        await asyncio.gather(one.complete(), other.complete())
        for newest in (8, 9, 10):
            write_segments(folder, range(newest, newest + 1), "live")
            (folder / "index.m3u8").write_text(playlist(3, ended=False, first=newest - 2))
            key = SegmentKey("live/index.m3u8", newest)
            for peer in (one, other):
                await peer.until(partial(holds, peer, key))
                assert peer.segment(key) == (folder / f"{newest}.ts").read_bytes()
        assert one.stats.peer_bytes + other.stats.peer_bytes > 0


async def test_keys_are_rotated_while_pinned_peers_follow(site: Site, tmp_path: Path) -> None:
    folder, data = site.content / "live", tmp_path / "data"
    ring = keyring.load(data).added(keyring.new_pair())
    keyring.save(data, ring)
    pins = [pair.thumbprints() for _, pair in ring.pairs()]
    # One has the Ed25519 keys alone, the other those of P-256.
    configs = [Config(peer=PeerConfig(keys=tuple(pin[n] for pin in pins))) for n in (0, 1)]
    write_segments(folder, range(5, 8), "live")
    (folder / "index.m3u8").write_text(playlist(3, ended=False, first=5))
    url = site.media("live/index.m3u8")
    async with (
        NativePeer(url, config=configs[0]) as one,
        NativePeer(url, config=configs[1]) as other,
    ):
        await asyncio.gather(one.complete(), other.complete())
        for newest, change in ((8, ring), (9, ring.rotated()), (10, Ring(ring.rotated().current))):
            keyring.save(data, change)
            await asyncio.sleep(LOOK_EVERY)
            write_segments(folder, range(newest, newest + 1), "live")
            (folder / "index.m3u8").write_text(playlist(3, ended=False, first=newest - 2))
            for peer in (one, other):
                await peer.until(partial(holds, peer, SegmentKey("live/index.m3u8", newest)))
        assert one.stats.peer_bytes + other.stats.peer_bytes > 0
        assert one.stats.rejected_chunks + other.stats.rejected_chunks == 0
        assert len(one.links) == len(other.links) == 1


async def test_an_encoder_that_begins_anew_is_followed(site: Site) -> None:
    folder = site.content / "live"
    write_segments(folder, range(5, 8), "live")
    (folder / "index.m3u8").write_text(playlist(3, ended=False, first=5))
    url = site.media("live/index.m3u8")
    async with NativePeer(url) as one, NativePeer(url) as other:
        await asyncio.gather(one.complete(), other.complete())
        for number in range(3, 6):
            (folder / f"{number}.ts").unlink(missing_ok=True)
        write_segments(folder, range(3, 6), "anew")
        (folder / "index.m3u8").write_text(playlist(3, ended=False, first=3))
        for number in range(3, 6):
            key = SegmentKey("live/index.m3u8", number)
            data = (folder / f"{number}.ts").read_bytes()
            for peer in (one, other):
                await peer.until(partial(holds_exactly, peer, key, data))
        assert one.stats.rejected_chunks + other.stats.rejected_chunks == 0
        assert len(one.links) == len(other.links) == 1


async def test_what_both_ends_report_is_confirmed(site: Site) -> None:
    url = site.media("show/master.m3u8")
    async with NativePeer(url) as seeder:
        await seeder.complete()
        async with NativePeer(url) as peer:
            await peer.complete()
            received = peer.stats.peer_bytes
        await seeder.until(lambda: not seeder.links)
    assert 0 < received == site.ledger.summary().peer_bytes_confirmed


async def test_who_does_not_upload_gives_nothing(site: Site) -> None:
    config = Config(peer=PeerConfig(upload=False))
    async with NativePeer(site.media("movie.bin"), config=config) as taker:
        await taker.complete()
        async with NativePeer(site.media("movie.bin")) as peer:
            await peer.complete()
            assert peer.stats.peer_bytes == 0
        assert taker.stats.uploaded_bytes == 0


async def test_who_leaves_is_gone_at_once(site: Site) -> None:
    async with NativePeer(site.media("movie.bin")) as stays:
        async with NativePeer(site.media("movie.bin")):
            await stays.until(lambda: len(stays.links) == 1)
        await stays.until(lambda: not stays.links)
        assert site.ledger.summary().swarms == 1
    assert site.ledger.summary().swarms == 0


async def test_no_more_is_kept_than_fits(site: Site) -> None:
    config = Config(peer=PeerConfig(store_bytes=2 * FILE_SLICE))
    async with NativePeer(site.media("movie.bin"), config=config) as peer:
        await peer.complete()
        assert peer.segment(SegmentKey("movie.bin", 1)) is not None
        assert peer.segment(SegmentKey("movie.bin", 2)) is None
        assert peer.progress.wanted == 2


async def test_a_tracker_that_went_away_is_found_again(site: Site) -> None:
    async with NativePeer(site.media("movie.bin")) as peer:
        await peer.until(lambda: bool(peer.peer))
        before = peer.peer
        peer._around.tracker.drop()
        await peer.until(lambda: peer.peer != before)


# What cannot be


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/media/nothing.m3u8", "There is no content at http://.*/media/nothing.m3u8."),
        ("/media/show/low/0.ts/x", "There is no content at .*"),
    ],
)
async def test_a_content_that_does_not_exist(site: Site, path: str, sentence: str) -> None:
    with pytest.raises(PeerError, match=sentence):
        async with NativePeer(site.url + path):
            pass


async def test_a_url_of_something_else(site: Site) -> None:
    with pytest.raises(ConfigError, match="is not the URL of a content"):
        NativePeer(site.url + "/demo/")


async def test_an_origin_that_is_not_there(site: Site) -> None:
    await site.server.close()
    with pytest.raises(PeerError, match="cannot be reached"):
        async with NativePeer(site.media("movie.bin")):
            pass


async def test_a_tracker_that_is_not_there(site: Site) -> None:
    with pytest.raises(PeerError, match=r"There is no tracker at .*404.*--tracker says where"):
        async with NativePeer(site.media("movie.bin"), tracker=site.url + "/elsewhere"):
            pass


async def test_one_that_pauses_shares_nothing_and_comes_back(site: Site) -> None:
    url = site.media("show/low/index.m3u8")
    everything = SEGMENTS * LENGTH
    async with NativePeer(url) as seeder:
        await seeder.complete()
        await seeder.pause()
        async with NativePeer(url) as peer:
            await peer.complete()
            assert peer.stats.origin_bytes == everything
        await seeder.resume()
        async with NativePeer(url) as peer:
            await peer.complete()
            assert peer.stats.peer_bytes == everything


async def test_without_aiortc_it_says_what_is_missing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peer.native.transport.aiortc", None)
    config = Config(peer=PeerConfig(transport="aiortc"))
    with pytest.raises(PeerError, match=r"need aiortc.*the full one has it"):
        async with NativePeer(site.media("show/low/index.m3u8"), config=config):
            pass
