"""DASH presentations over HTTP: what ffmpeg made is what the signed manifests speak of."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from urllib.parse import urljoin

import pytest

from p2pcdn.model import CHUNK_SIZE
from p2pcdn.wire.codec import decode_manifest
from p2pcdn.wire.manifest import PresentationManifest, RenditionManifest, segment_root
from tests.origin import dash_files
from tests.origin.conftest import Site


async def fetch_all(site: Site, path: str) -> dict[str, list[bytes]]:
    """The segments of all renditions, fetched as peers would, and held against their roots."""
    manifest = decode_manifest(await (await site.get(f"/manifest/{path}")).read())
    assert isinstance(manifest, PresentationManifest)
    found = {}
    for each in manifest.renditions:
        page = decode_manifest(await (await site.get(f"/manifest/{each.rendition}")).read())
        assert isinstance(page, RenditionManifest)
        assert (page.content, page.live) == (manifest.content, False)
        assert urljoin(f"/media/{path}", each.uri) == f"/media/{each.rendition}"
        found[each.rendition] = [await fetch(site, page, n) for n in range(len(page.segments))]
    return found


async def fetch(site: Site, page: RenditionManifest, number: int) -> bytes:
    record = page.segments[number]
    span = f"bytes={record.offset}-{record.offset + record.length - 1}"
    target = urljoin(f"/media/{page.rendition}", record.uri)
    response = await site.get(target, range=span)
    assert response.status == 206
    data = await response.read()
    hashes = [
        hashlib.sha256(data[at : at + CHUNK_SIZE]).digest()
        for at in range(0, len(data), CHUNK_SIZE)
    ]
    made = segment_root(page.content, page.rendition, record.sequence, len(data), hashes)
    assert (made, record.duration) == (record.root, 1000)
    return data


@pytest.mark.parametrize("muxing", dash_files.MUXINGS)
async def test_each_way_to_say_where_segments_are(site: Site, content: Path, muxing: str) -> None:
    manifest = await asyncio.to_thread(dash_files.make, content / "film", muxing)
    found = await fetch_all(site, "film/show.mpd")
    assert list(found) == ["film/show.mpd/1/0", "film/show.mpd/1/1"]
    for number, (rendition, segments) in enumerate(found.items()):
        assert len(segments) == dash_files.SECONDS, rendition
        if muxing == "list of ranges":
            whole = (manifest.parent / f"show-stream{number}.mp4").read_bytes()
            moov = next(box for box in dash_files.boxes(whole) if box.kind == b"moov")
            assert whole[moov.end :] == b"".join(segments)
        else:
            chunks = sorted(manifest.parent.glob(f"chunk-stream{number}-*.m4s"))
            assert [chunk.read_bytes() for chunk in chunks] == segments


async def test_a_file_with_an_index(site: Site, content: Path) -> None:
    await asyncio.to_thread(dash_files.make_indexed, content / "film")
    [segments] = (await fetch_all(site, "film/show.mpd")).values()
    whole = (content / "film" / "video.mp4").read_bytes()
    begin = next(box.start for box in dash_files.boxes(whole) if box.kind == b"moof")
    assert len(segments) == dash_files.SECONDS
    for segment in segments:
        assert segment == whole[begin : begin + len(segment)]
        assert [box.kind for box in dash_files.boxes(segment)][:2] == [b"moof", b"mdat"]
        begin += len(segment)


async def test_the_manifest_itself_is_overhead_and_not_kept_for_long(
    site: Site, content: Path
) -> None:
    await asyncio.to_thread(dash_files.make, content, "list of files")
    response = await site.get("/media/show.mpd")
    assert response.headers["Content-Type"] == "application/dash+xml"
    assert response.headers["Cache-Control"] == "public, max-age=5"
    assert await response.read() == (content / "show.mpd").read_bytes()
    assert (await site.get("/media/show.mpd/1/0")).status == 404


async def test_a_live_manifest_is_passed_on_and_has_no_manifest(site: Site, content: Path) -> None:
    (content / "live.mpd").write_text('<MPD type="dynamic"/>')
    response = await site.get("/media/live.mpd")
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-cache")
    status, code, message = await site.error("/manifest/live.mpd")
    assert (status, code) == (422, "unprocessable_entity")
    assert "live stream (dynamic)" in message


async def test_what_is_no_representation(site: Site, content: Path) -> None:
    await asyncio.to_thread(dash_files.make, content, "list of files")
    status, _, message = await site.error("/manifest/show.mpd/2/0")
    assert status == 422
    assert "no representation '2/0' in this manifest" in message
    assert (await site.error("/manifest/other.mpd/1/0"))[0] == 404
