"""`/manifest/` over real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from origin import manifests
from origin.catalog import hashing
from origin.catalog.edition import Stretch
from p2pcdn.model import FILE_SLICE, content_id
from p2pcdn.wire.codec import decode_manifest
from p2pcdn.wire.manifest import (
    PresentationManifest,
    RenditionManifest,
    RenditionRef,
    split_hashes,
)
from tests.origin.conftest import Site, StartSite
from tests.origin.media_files import (
    media_playlist,
    multivariant_playlist,
    noise,
    write,
    write_vod,
)
from tests.origin.test_media import Encoder
from tests.origin.test_paths import NOT_FOUND
from tests.origin.test_signing import verify
from tests.origin.waiting import until

SITE = "pk_demo"


async def page(site: Site, target: str) -> RenditionManifest:
    response = await site.get(f"/manifest/{target}")
    assert response.status == 200, await response.text()
    decoded = decode_manifest(await response.read())
    assert isinstance(decoded, RenditionManifest)
    return decoded


def sequences(manifest: RenditionManifest) -> list[int]:
    return [record.sequence for record in manifest.segments]


def write_long(content: Path, first: int, count: int) -> None:
    names = [f"{n}.ts" for n in range(first, first + count)]
    for name in names:
        write(content / name, f"segment {name}")
    write(content / "long.m3u8", media_playlist(names, first=first))


async def test_a_page_that_lacks_some_is_asked_for_again(
    site: Site, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(
        self: hashing.Hasher, stretches: list[Stretch], patience: float
    ) -> dict[Stretch, bytes]:
        return {stretches[0]: (await self.lists(stretches[:1]))[0]}

    write_long(content, 0, 4)
    with monkeypatch.context() as patch:
        patch.setattr(hashing.Hasher, "some", slow)
        for target, first in (
            ("long.m3u8", 0),
            ("long.m3u8?at=2", 2),
            ("long.m3u8?records=1-3", 1),
        ):
            response = await site.get(f"/manifest/{target}")
            assert response.headers["Cache-Control"] == "no-cache"
            assert sequences(await page(site, target)) == [first]
    assert sequences(await page(site, "long.m3u8?at=2")) == [0, 1, 2, 3]
    response = await site.get("/manifest/long.m3u8?at=2")
    assert response.headers["Cache-Control"] == "public, max-age=5"


async def test_a_presentation(site: Site, content: Path) -> None:
    for name in ("480p", "720p"):
        write_vod(content / "demo", name, 1)
    write(content / "demo" / "all.m3u8", multivariant_playlist(["480p.m3u8", "720p.m3u8"]))
    response = await site.get("/manifest/demo/all.m3u8")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    manifest = decode_manifest(await response.read())
    verify(manifest)
    assert replace(manifest, signatures=()) == PresentationManifest(
        version=1,
        site=SITE,
        content=content_id(SITE, "/media/demo/all.m3u8"),
        renditions=(
            RenditionRef("demo/480p.m3u8", "480p.m3u8"),
            RenditionRef("demo/720p.m3u8", "720p.m3u8"),
        ),
        keys=(await page(site, "demo/480p.m3u8")).keys,
    )


async def test_a_rendition(site: Site, content: Path) -> None:
    segments = write_vod(content / "demo")
    write(content / "demo" / "all.m3u8", multivariant_playlist(["480p.m3u8"]))
    manifest = await page(site, "demo/480p.m3u8")
    assert manifest.rendition == "demo/480p.m3u8"
    assert manifest.content == content_id(SITE, "/media/demo/all.m3u8")
    assert [(r.uri, r.length, r.duration) for r in manifest.segments] == [
        (f"480p_{n}.ts", len(data), 2000) for n, data in enumerate(segments)
    ]


async def test_pages(site: Site, content: Path) -> None:
    write_long(content, first=60, count=80)
    assert sequences(await page(site, "long.m3u8")) == list(range(60, 64))
    assert sequences(await page(site, "long.m3u8?at=100")) == list(range(64, 128))
    assert sequences(await page(site, "long.m3u8?at=139")) == list(range(128, 140))
    last = await page(site, "long.m3u8?at=139")
    assert (last.first, last.last) == (60, 139)
    for absent in (0, 59, 140, 10**14):
        status, code, message = await site.error(f"/manifest/long.m3u8?at={absent}")
        assert (status, code) == (404, "not_found")
        assert message == f"'long.m3u8' has no segment {absent}; it has 60 to 139."


async def test_hash_lists(site: Site, content: Path) -> None:
    write_vod(content, segments=5)
    manifest = await page(site, "480p.m3u8")
    response = await site.get("/manifest/480p.m3u8?hashes=1-3")
    assert response.headers["Content-Type"] == "application/octet-stream"
    lists = split_hashes(await response.read(), manifest.segments[1:4])
    assert lists is not None
    assert [len(one) for one in lists] == [96, 96, 96]
    one = await (await site.get("/manifest/480p.m3u8?hashes=2-2")).read()
    assert one == lists[1]
    status, _, message = await site.error("/manifest/480p.m3u8?hashes=3-5")
    assert (status, message) == (404, "'480p.m3u8' has no segment 5; it has 0 to 4.")


async def test_just_some_records(site: Site, content: Path) -> None:
    write_long(content, first=60, count=80)
    few = await page(site, "long.m3u8?records=63-65")
    assert sequences(few) == [63, 64, 65]
    verify(few)
    assert (few.first, few.last) == (60, 139)
    assert sequences(await page(site, "long.m3u8?records=139-150")) == [139]
    assert await site.error("/manifest/long.m3u8?records=140-150") == (
        404,
        "not_found",
        "'long.m3u8' has no segment 140; it has 60 to 139.",
    )


async def test_every_page_can_be_verified(site: Site, content: Path) -> None:
    write_vod(content)
    for target in ("480p.m3u8", "480p.m3u8?at=1", "480p.m3u8?records=1-1", "480p.m3u8?after=0"):
        verify(await page(site, target))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("at=", "A segment is named by its sequence number, not by ''."),
        ("at=x", "A segment is named by its sequence number, not by 'x'."),
        ("at=-1", "A segment is named by its sequence number, not by '-1'."),
        ("after=1.5", "A segment is named by its sequence number, not by '1.5'."),
        ("at=%D9%A1", "A segment is named by its sequence number, not by '\\u0661'."),
        (f"at={'9' * 5000}", f"A segment is named by its sequence number, not by '{'9' * 32}'."),
        ("hashes=5", "Segments are named by their sequence numbers, as 3-7, not by '5'."),
        ("hashes=3-1", "Ask for 1 to 64 segments at a time."),
        ("hashes=0-64", "Ask for 1 to 64 segments at a time."),
        ("records=5", "Segments are named by their sequence numbers, as 3-7, not by '5'."),
        ("records=3-1", "Ask for 1 to 64 segments at a time."),
        ("records=0-64", "Ask for 1 to 64 segments at a time."),
        ("at=1&after=1", "Ask for one thing at a time: at, records, hashes or after."),
        ("at=1&at=2", "Ask for one thing at a time: at, records, hashes or after."),
        ("records=1-1&hashes=1-1", "Ask for one thing at a time: at, records, hashes or after."),
    ],
)
async def test_odd_questions(site: Site, content: Path, query: str, message: str) -> None:
    write_vod(content, segments=1)
    assert await site.error(f"/manifest/480p.m3u8?{query}") == (400, "bad_request", message)


async def test_a_presentation_has_no_pages(site: Site, content: Path) -> None:
    write(content / "all.m3u8", multivariant_playlist(["480p.m3u8"]))
    status, code, _ = await site.error("/manifest/all.m3u8?at=0")
    assert (status, code) == (400, "bad_request")


async def test_what_does_not_exist(site: Site) -> None:
    for raw in ("none.m3u8", "none.mp4", *NOT_FOUND):
        status, code, _ = await site.error(f"/manifest/{raw}")
        assert (status, code) == (404, "not_found"), raw


async def test_what_is_no_playlist(site: Site, content: Path) -> None:
    write(content / "a.m3u8", "hello")
    status, code, message = await site.error("/manifest/a.m3u8")
    assert (status, code) == (422, "unprocessable_entity")
    assert message == "There is no manifest of 'a.m3u8'. A playlist begins with #EXTM3U."


async def test_a_plain_file(site: Site, content: Path) -> None:
    data = write(content / "movie.mp4", noise(FILE_SLICE + 1))
    manifest = await page(site, "movie.mp4")
    assert manifest.content == content_id(SITE, "/media/movie.mp4")
    assert [(r.sequence, r.uri, r.offset, r.length) for r in manifest.segments] == [
        (0, "movie.mp4", 0, FILE_SLICE),
        (1, "movie.mp4", FILE_SLICE, len(data) - FILE_SLICE),
    ]


async def test_an_empty_file(site: Site, content: Path) -> None:
    write(content / "empty.mp4", b"")
    manifest = await page(site, "empty.mp4")
    assert manifest.segments == ()
    assert manifest.last < manifest.first


async def test_byte_ranges(site: Site, content: Path) -> None:
    write(content / "all.mp4", noise(1000))
    write(
        content / "a.m3u8",
        "#EXTM3U\n#EXT-X-BYTERANGE:400@100\n#EXTINF:2,\nall.mp4\n"
        "#EXT-X-BYTERANGE:300\n#EXTINF:2,\nall.mp4\n#EXT-X-ENDLIST\n",
    )
    manifest = await page(site, "a.m3u8")
    assert [(r.offset, r.length) for r in manifest.segments] == [(100, 400), (500, 300)]


async def test_conditional_requests(site: Site, content: Path) -> None:
    write_vod(content)
    for target in ("480p.m3u8", "480p.m3u8?hashes=0-2"):
        etag = (await site.get(f"/manifest/{target}")).headers["ETag"]
        again = await site.get(f"/manifest/{target}", if_none_match=etag)
        assert again.status == 304


async def test_manifests_outlive_a_restart(
    start_site: StartSite, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_vod(content)
    first = await start_site()
    before = await (await first.get("/manifest/480p.m3u8")).read()

    def fail(*args: object) -> bytes:
        raise AssertionError("nothing is hashed again")

    monkeypatch.setattr(hashing, "chunk_hashes", fail)
    second = await start_site()
    assert await (await second.get("/manifest/480p.m3u8")).read() == before


async def test_a_changed_file_has_a_new_manifest(site: Site, content: Path) -> None:
    write_vod(content)
    before = await page(site, "480p.m3u8")
    write(content / "480p_1.ts", noise(1000, "other"))

    async def changed() -> RenditionManifest:
        while (after := await page(site, "480p.m3u8")) == before:  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.02)
        return after

    after = await asyncio.wait_for(changed(), 10)
    assert after.time > before.time
    assert after.segments[1].length == 1000
    assert after.segments[0] == before.segments[0]
    hashes = await (await site.get("/manifest/480p.m3u8?hashes=1-1")).read()
    assert len(hashes) == 32


async def test_a_file_that_changes_just_now(site: Site, content: Path) -> None:
    write_long(content, first=0, count=70)
    await page(site, "long.m3u8")
    write(content / "65.ts", b"something else")  # its page was not asked for yet
    manifest = await page(site, "long.m3u8?at=65")
    assert manifest.segments[1].length == len(b"something else")


async def test_live(site: Site, content: Path) -> None:
    encoder = Encoder(content)
    encoder.step()
    first = await page(site, "live.m3u8")
    assert (first.live, sequences(first)) == (True, [0])
    encoder.step()
    second = await page(site, "live.m3u8")
    assert sequences(second) == [0, 1]
    assert second.time > first.time
    response = await site.get("/manifest/live.m3u8")
    assert response.headers["Cache-Control"] == "no-cache"


async def test_live_records_stay_until_their_files_go(site: Site, content: Path) -> None:
    encoder = Encoder(content, window=3)
    for _ in range(12):
        encoder.step()
        manifest = await page(site, "live.m3u8")
    assert sequences(manifest) == [6, 7, 8, 9, 10, 11]


async def test_waiting_for_the_next_segment(site: Site, content: Path) -> None:
    encoder = Encoder(content)
    encoder.step()
    waiting = asyncio.create_task(page(site, "live.m3u8?after=0"))
    await page(site, "live.m3u8")
    assert not waiting.done()
    encoder.step()
    assert sequences(await waiting) == [0, 1]
    assert sequences(await page(site, "live.m3u8?after=0")) == [0, 1]


async def test_waiting_in_vain(site: Site, content: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "LONG_POLL", 0.05)
    Encoder(content).step()
    assert (await page(site, "live.m3u8?after=5")).last == 0


async def test_nothing_to_wait_for(site: Site, content: Path) -> None:
    write_vod(content)
    assert (await page(site, "480p.m3u8?after=2")).last == 2
    assert sequences(await page(site, "480p.m3u8?after=0")) == [0, 1, 2]


async def test_whoever_waits_is_let_go_when_the_origin_stops(site: Site, content: Path) -> None:
    Encoder(content).step()
    waiting = asyncio.create_task(page(site, "live.m3u8?after=0"))
    await until(lambda: site.origin._catalog._renditions)
    await page(site, "live.m3u8")
    await site.origin.drain()
    assert (await waiting).last == 0


async def test_manifests_are_overhead(site: Site, content: Path) -> None:
    write_vod(content)
    body = await (await site.get("/manifest/480p.m3u8")).read()
    await until(lambda: site.totals.overhead == len(body))
    assert site.totals.media == 0


async def test_a_path_that_no_manifest_can_name(site: Site, content: Path) -> None:
    path = "/".join(["x" * 60] * 10)
    write(content / f"{path}.mp4", b"x")
    status, _, message = await site.error(f"/manifest/{path}.mp4")
    assert (status, message) == (404, "Paths have at most 512 characters here.")
