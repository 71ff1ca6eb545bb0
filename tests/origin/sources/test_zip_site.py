"""A whole site in one archive, over HTTP: page, playlists and segments, as from a directory."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import aiohttp
import pytest

from p2pcdn.model import CHUNK_SIZE
from tests.origin.conftest import Site
from tests.origin.media_files import media_playlist, multivariant_playlist, noise
from tests.origin.waiting import until
from tests.origin.zips import Part, archive, deflated, zipped

SEGMENTS = {f"film/480p/{n}.ts": noise(150_000 + n, n) for n in range(3)}
FILM = {
    "film/master.m3u8": multivariant_playlist(["480p/index.m3u8"]).encode(),
    "film/480p/index.m3u8": media_playlist(f"{n}.ts" for n in range(3)).encode(),
    **SEGMENTS,
    "index.html": b"<!doctype html><title>Film</title>" * 50,
    "film/en.vtt": b"WEBVTT\n\n" + bytes(range(65, 91)) * 40_000,
}


def put(path: Path, files: dict[str, bytes]) -> None:
    """Media stored, the rest deflated, as archivers do it that know media."""
    draft = path.with_suffix(".draft")
    with zipfile.ZipFile(draft, "w") as to:
        for name, data in files.items():
            stored = name.endswith(".ts")
            to.writestr(name, data, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    draft.replace(path)


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """The archive that is served."""
    path = tmp_path / "site.zip"
    put(path, FILM)
    os.utime(path, (1_700_000_000, 1_700_000_000))  # what was just written has no Last-Modified
    return path


async def test_all_of_it(site: Site) -> None:
    for name, data in FILM.items():
        response = await site.get(f"/media/{name}")
        assert (response.status, await response.read()) == (200, data)
        assert "ETag" in response.headers
        head = await site.request("HEAD", f"/media/{name}")
        assert head.headers["Content-Length"] == str(len(data))
    for target in ("/media/", "/media/film", "/media/film/", "/media/film/none.ts"):
        assert (await site.error(target))[0] == 404
    await until(lambda: site.totals.media > sum(map(len, SEGMENTS.values())))


@pytest.mark.parametrize("name", ["film/480p/1.ts", "film/en.vtt"])
async def test_ranges_and_conditions(site: Site, name: str) -> None:
    data, target = FILM[name], f"/media/{name}"
    etag = (await site.get(target)).headers["ETag"]
    for asked, first, last in (
        ("100000-", 100_000, len(data) - 1),
        ("0-0", 0, 0),
        ("-10", len(data) - 10, len(data) - 1),
        ("65536-131071", 65_536, 131_071),
    ):
        part = await site.get(target, range=f"bytes={asked}", if_range=etag)
        assert part.status == 206
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{len(data)}"
        assert await part.read() == data[first : last + 1]
    assert (await site.get(target, range=f"bytes={len(data)}-")).status == 416
    assert (await site.get(target, if_none_match=etag)).status == 304
    assert (await site.get(target, range="bytes=0-9", if_range='"other"')).status == 200
    modified = (await site.get(target)).headers["Last-Modified"]
    assert (await site.get(target, if_modified_since=modified)).status == 304


async def test_its_manifest(site: Site) -> None:
    presentation = await (await site.get("/manifest/film/master.m3u8")).json()
    assert [entry["rendition"] for entry in presentation["renditions"]] == ["film/480p/index.m3u8"]
    response = await site.get("/manifest/film/480p/index.m3u8?hashes=0-2")
    assert await response.read() == b"".join(
        hashlib.sha256(data[at : at + CHUNK_SIZE]).digest()
        for data in SEGMENTS.values()
        for at in range(0, len(data), CHUNK_SIZE)
    )


@pytest.mark.parametrize("deflate", [False, True])
async def test_replaced_while_it_is_read(site: Site, content: Path, deflate: bool) -> None:
    before, after = noise(8_000_000, "before"), noise(8_000_000, "after")
    zipped(content, {"a.ts": before}, deflate=deflate)
    async with await site.request("GET", "/media/a.ts", range="bytes=5-") as response:
        etag = response.headers["ETag"]
        start = await response.content.readexactly(100_000)
        zipped(content, {"a.ts": after}, deflate=deflate)
        new = await site.get("/media/a.ts", range="bytes=0-9", if_range=etag)
        assert (new.status, await new.read()) == (200, after)
        assert start + await response.content.read() == before[5:]
    assert (await site.get("/media/a.ts", if_none_match=etag)).status == 200
    assert (await site.get("/media/film/en.vtt")).status == 404


async def test_what_is_damaged_is_neither_hashed_nor_given_to_its_end(
    site: Site, content: Path
) -> None:
    playlist = media_playlist(["a.ts"]).encode()
    wrong = deflated(noise(500_000), b"b.vtt", crc=7)
    stored = (Part(b"a.ts", noise(200_000), crc=7), Part(b"a.m3u8", playlist))
    draft = content.with_suffix(".draft")
    draft.write_bytes(archive(*stored, wrong))
    draft.replace(content)
    status, _, message = await site.error("/manifest/a.m3u8")
    assert status == 500
    assert message.startswith("The member 'a.ts' is damaged: its CRC is ")
    with pytest.raises(aiohttp.ClientError):
        await site.get("/media/b.vtt")
    good = await site.get("/media/b.vtt", range="bytes=0-99999")
    assert await good.read() == noise(500_000)[:100_000]


async def test_a_bad_archive_is_told_of(site: Site, content: Path) -> None:
    draft = content.with_suffix(".draft")
    draft.write_bytes(archive(Part(flags=1)))
    draft.replace(content)
    assert (await site.get("/media/film/480p/0.ts")).status == 200
    response = await site.get("/readyz?verbose")
    assert "is encrypted" in await response.text()
