"""Files without segments, from each kind of source: slices of 4 MiB with roots, and any range."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from p2pcdn.config import Content, TrackerConfig
from p2pcdn.model import CHUNK_SIZE, FILE_SLICE
from p2pcdn.wire.codec import decode_manifest
from p2pcdn.wire.manifest import RenditionManifest, root_input, split_hashes
from peer import Peer
from tests.origin.buckets import Store
from tests.origin.conftest import Site
from tests.origin.media_files import noise, write
from tests.origin.zips import zipped
from tests.peer.native.hosting import hosted

FILM = noise(FILE_SLICE + 100_000, "film")
NAME = "films/film.mp4"

Put = Callable[[bytes], Content]
"""Puts a film where it is served from, in the place of another: what a configuration says."""


def archived(path: Path, data: bytes, *, deflate: bool) -> Path:
    return zipped(path, {NAME: data}, deflate=deflate)


@pytest.fixture(params=["directory", "stored in a zip", "deflated in a zip", "bucket"])
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Put:
    def in_a_directory(data: bytes) -> Path:
        write(tmp_path / "here" / NAME, data)
        return tmp_path / "here"

    def in_a_bucket(data: bytes) -> str:
        store: Store = request.getfixturevalue("store")
        store.put(NAME, data)
        return store.url()

    kinds: dict[str, Put] = {
        "directory": in_a_directory,
        "stored in a zip": lambda data: archived(tmp_path / "a.zip", data, deflate=False),
        "deflated in a zip": lambda data: archived(tmp_path / "a.zip", data, deflate=True),
        "bucket": in_a_bucket,
    }
    return kinds[request.param]


@pytest.fixture
def content(put: Put) -> Content:
    return put(FILM)


async def page(site: Site, question: str = "") -> RenditionManifest:
    response = await site.get(f"/manifest/{NAME}{question}")
    assert response.status == 200, await response.text()
    found = decode_manifest(await response.read())
    assert isinstance(found, RenditionManifest)
    return found


async def assert_made_of(site: Site, manifest: RenditionManifest, data: bytes) -> None:
    """The records are those of ``data``, and so are the hash lists behind them."""
    slices = [data[at : at + FILE_SLICE] for at in range(0, len(data), FILE_SLICE)]
    records = manifest.segments
    assert [(r.sequence, r.offset, r.length) for r in records] == [
        (n, n * FILE_SLICE, len(part)) for n, part in enumerate(slices)
    ]
    answer = await site.get(f"/manifest/{NAME}?hashes=0-{len(slices) - 1}")
    lists = split_hashes(await answer.read(), records)
    assert lists is not None
    for record, hashes, part in zip(records, lists, slices, strict=True):
        digests = [
            hashlib.sha256(part[at : at + CHUNK_SIZE]).digest()
            for at in range(0, len(part), CHUNK_SIZE)
        ]
        assert hashes == b"".join(digests)
        told = root_input(manifest.content, NAME, record.sequence, record.length, digests)
        assert record.root == hashlib.sha256(told).hexdigest()


async def test_slices_have_roots(site: Site) -> None:
    manifest = await page(site)
    await assert_made_of(site, manifest, FILM)
    assert (await page(site, "?at=1")).segments == manifest.segments
    assert (await page(site, "?records=1-1")).segments == manifest.segments[1:]


async def test_ranges_of_any_shape(site: Site) -> None:
    size = len(FILM)
    for asked, first, last in (
        ("0-0", 0, 0),
        (f"{FILE_SLICE - 1}-{FILE_SLICE}", FILE_SLICE - 1, FILE_SLICE),
        (f"{CHUNK_SIZE - 1}-{FILE_SLICE + CHUNK_SIZE}", CHUNK_SIZE - 1, FILE_SLICE + CHUNK_SIZE),
        (f"{FILE_SLICE}-", FILE_SLICE, size - 1),
        ("-150000", size - 150_000, size - 1),
        ("5-99999999999", 5, size - 1),
    ):
        answer = await site.get(f"/media/{NAME}", range=f"bytes={asked}")
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert await answer.read() == FILM[first : last + 1]


async def test_heads_and_ranges_that_are_none(site: Site) -> None:
    head = await site.request("HEAD", f"/media/{NAME}")
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(FILM)))
    assert head.headers["Accept-Ranges"] == "bytes"
    beyond = await site.get(f"/media/{NAME}", range=f"bytes={len(FILM)}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(FILM)}")
    same = await site.get(f"/media/{NAME}", if_none_match=head.headers["ETag"])
    assert same.status == 304


async def test_one_that_is_replaced(site: Site, put: Put) -> None:
    await assert_made_of(site, await page(site), FILM)
    tag = (await site.request("HEAD", f"/media/{NAME}")).headers["ETag"]
    other = noise(300_000, "another")
    put(other)
    async with asyncio.timeout(30):
        while len((await page(site)).segments) != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await assert_made_of(site, await page(site), other)
    part = await site.get(f"/media/{NAME}", range="bytes=0-9", if_range=tag)
    assert (part.status, await part.read()) == (200, other)


async def test_a_peer_reads_any_part_of_it(content: Content, tmp_path: Path) -> None:
    async with (
        hosted(content, tmp_path / "data", TrackerConfig()) as site,
        Peer(site.media(NAME)) as peer,
    ):
        for start, stop in ((FILE_SLICE - 10, FILE_SLICE + 10), (FILE_SLICE + 7, None)):
            read = [part async for part in peer.read_file(start, stop)]
            assert b"".join(read) == FILM[start:stop]
        assert peer.stats.rejected_chunks == 0
