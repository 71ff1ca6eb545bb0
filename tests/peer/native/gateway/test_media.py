"""What players get through the gateway: from peers, from the origin, and bit for bit."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from p2pcdn.config import Config, PeerConfig
from p2pcdn.model import FILE_SLICE, SegmentKey
from peer.native.gateway import Gateway
from peer.native.gateway.contents import Contents, Entry
from peer.native.gateway.media import Media
from peer.native.readers import AHEAD
from peer.native.runner import NativePeer
from tests.peer.native.hosting import (
    LENGTH,
    RENDITIONS,
    SEGMENTS,
    Site,
    playlist,
    write_segments,
)

Session = aiohttp.ClientSession


async def get(http: Session, url: str, **headers: str) -> tuple[int, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.get(url, headers=named) as answer:
        return answer.status, await answer.read()


def beside(url: str, path: str) -> str:
    return url.rpartition("/")[0] + "/" + path


async def watched(http: Session, url: str, name: str = "high", first: int = 0) -> bytes:
    """As a player goes: by the playlist, one segment after the other."""
    status, text = await get(http, beside(url, f"{name}/index.m3u8"))
    assert status == 200
    assert f"{first}.ts" in text.decode()
    parts = [await get(http, beside(url, f"{name}/{n}.ts")) for n in range(first, SEGMENTS)]
    assert {status for status, _ in parts} == {200}
    return b"".join(data for _, data in parts)


def on_disk(site: Site, name: str = "high", first: int = 0) -> bytes:
    folder = site.content / "show" / name
    return b"".join((folder / f"{n}.ts").read_bytes() for n in range(first, SEGMENTS))


def stats(entry: Entry) -> tuple[int, int, int]:
    """Bytes by peers, by the origin, and past the peer."""
    assert entry.peer is not None
    return entry.peer.stats.peer_bytes, entry.peer.stats.origin_bytes, entry.plain


async def test_a_show_comes_from_the_origin_once_and_as_it_is(
    site: Site, gateway: Gateway, http: Session
) -> None:
    entry = await gateway.contents.add(site.media("show/master.m3u8"), keep=False)
    url = gateway.media(entry)
    assert await get(http, url) == (200, (site.content / "show/master.m3u8").read_bytes())
    assert await watched(http, url) == on_disk(site)
    assert await watched(http, url, first=5) == on_disk(site, first=5), "back"
    assert stats(entry) == (0, SEGMENTS * LENGTH, 0)


async def test_what_peers_hold_comes_from_them(site: Site, gateway: Gateway, http: Session) -> None:
    async with NativePeer(site.media("show/master.m3u8")) as seeder:
        await seeder.complete()
        entry = await gateway.contents.add(site.media("show/master.m3u8"), keep=False)
        assert entry.peer is not None
        node = entry.peer.node
        last = SegmentKey("show/low/index.m3u8", SEGMENTS - 1)
        await entry.peer.until(lambda: node.is_offered(last))
        # With so much time it is no matter of who is faster.
        url = f"{gateway.url}segment/{entry.id}/{last.sequence}/{last.rendition}?within=60"
        assert (await get(http, url))[0] == 200
        assert stats(entry)[0] > 0
        assert await watched(http, gateway.media(entry)) == on_disk(site)
        assert stats(entry)[2] == 0


async def test_another_rendition_and_both_at_once(
    site: Site, gateway: Gateway, http: Session
) -> None:
    entry = await gateway.contents.add(site.media("show/master.m3u8"), keep=False)
    url = gateway.media(entry)
    both = await asyncio.gather(*(watched(http, url, name) for name in RENDITIONS))
    assert list(both) == [on_disk(site, name) for name in RENDITIONS]
    assert stats(entry) == (0, len(RENDITIONS) * SEGMENTS * LENGTH, 0)


async def test_ranges_and_heads_of_a_segment(site: Site, gateway: Gateway, http: Session) -> None:
    entry = await gateway.contents.add(site.media("show/master.m3u8"), keep=False)
    url = beside(gateway.media(entry), "low/3.ts")
    await get(http, beside(url, "index.m3u8"))
    data = (site.content / "show/low/3.ts").read_bytes()
    for header, status, expected in (
        ("bytes=0-0", 206, data[:1]),
        ("bytes=100-199", 206, data[100:200]),
        (f"bytes={LENGTH - 5}-", 206, data[-5:]),
        ("bytes=-7", 206, data[-7:]),
        (f"bytes=10-{LENGTH * 2}", 206, data[10:]),
        (f"bytes={LENGTH}-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=5-4", 200, data),
        ("bytes=0-1,4-5", 200, data),
        ("lines=1-2", 200, data),
    ):
        async with http.get(url, headers={"Range": header}) as answer:
            assert (answer.status, await answer.read()) == (status, expected), header
            if status == 206:
                first = data.index(expected) if len(expected) > 1 else 0
                given = f"bytes {first}-{first + len(expected) - 1}/{LENGTH}"
                assert answer.headers["Content-Range"] == given
    async with http.head(url) as answer:
        assert (answer.status, answer.content_length) == (200, LENGTH)
        assert answer.content_type == "video/mp2t"
        assert await answer.read() == b""


FILE_RANGES = [
    (0, 9_000_000),
    (FILE_SLICE - 10, FILE_SLICE + 10),
    (8_999_990, 9_000_000),
    (0, 1),
]


async def test_a_file_is_read_by_ranges(site: Site, gateway: Gateway, http: Session) -> None:
    data = (site.content / "movie.bin").read_bytes()
    entry = await gateway.contents.add(site.media("movie.bin"), keep=False)
    url = gateway.media(entry)
    for first, end in FILE_RANGES:
        got = await get(http, url, Range=f"bytes={first}-{end - 1}")
        assert got == (206, data[first:end])
    assert await get(http, url) == (200, data)
    assert (await get(http, url, Range="bytes=9000000-"))[0] == 416
    async with http.head(url) as answer:
        assert (answer.status, answer.content_length) == (200, len(data))
    assert stats(entry) == (0, len(data), 0)


async def test_a_live_stream_is_followed(site: Site, gateway: Gateway, http: Session) -> None:
    folder = site.content / "live"
    write_segments(folder, range(5, 8), "live")
    (folder / "index.m3u8").write_text(playlist(3, ended=False, first=5))
    entry = await gateway.contents.add(site.media("live/index.m3u8"), keep=False)
    url = gateway.media(entry)
    for newest in range(7, 11):
        write_segments(folder, range(newest, newest + 1), "live")
        text = playlist(3, ended=False, first=newest - 2)
        (folder / "index.m3u8").write_text(text)
        assert await get(http, url) == (200, text.encode())
        data = (folder / f"{newest}.ts").read_bytes()
        assert await get(http, beside(url, f"{newest}.ts")) == (200, data)
    peers, origin, plain = stats(entry)
    assert peers + origin + plain >= 4 * LENGTH


async def test_segments_that_lie_in_one_file(site: Site, gateway: Gateway, http: Session) -> None:
    folder = site.content / "one"
    folder.mkdir()
    data = (site.content / "movie.bin").read_bytes()[:300_000]
    (folder / "all.ts").write_bytes(data)
    lines = ["#EXTM3U", "#EXT-X-VERSION:4", "#EXT-X-TARGETDURATION:2"]
    for start in (0, 100_000, 200_000):
        lines += ["#EXTINF:2,", f"#EXT-X-BYTERANGE:100000@{start}", "all.ts"]
    (folder / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    entry = await gateway.contents.add(site.media("one/index.m3u8"), keep=False)
    url = gateway.media(entry)
    await get(http, url)
    for start in (0, 200_000, 100_000):
        got = await get(http, beside(url, "all.ts"), Range=f"bytes={start}-{start + 99_999}")
        assert got == (206, data[start : start + 100_000])
    assert stats(entry) == (0, 300_000, 0)
    got = await get(http, beside(url, "all.ts"), Range="bytes=50-149999")
    assert got == (206, data[50:150_000]), "of no one segment"


async def test_without_a_tracker_the_origin_brings_it(
    site: Site, tmp_path: Path, http: Session
) -> None:
    config = Config(data=tmp_path / "peer", peer=PeerConfig(gateway="127.0.0.1:0"))
    async with Gateway(config, tracker=f"{site.url}/nowhere") as gateway:
        entry = await gateway.contents.add(site.media("show/master.m3u8"), keep=True)
        assert entry.state == "plain"
        assert entry.failure is not None
        assert "There is no tracker" in entry.failure
        assert await watched(http, gateway.media(entry)) == on_disk(site)
        got = await get(http, beside(gateway.media(entry), "low/0.ts"), Range="bytes=5-9")
        assert got == (206, (site.content / "show/low/0.ts").read_bytes()[5:10])


async def test_what_the_origin_cuts_off_the_store_still_brings(
    site: Site, gateway: Gateway, http: Session
) -> None:
    entry = await gateway.contents.add(site.media("show/master.m3u8"), keep=False)
    url = gateway.media(entry)
    assert await watched(http, url) == on_disk(site)
    await site.server.close()
    parts = [await get(http, beside(url, f"high/{n}.ts")) for n in range(SEGMENTS)]
    assert b"".join(data for _, data in parts) == on_disk(site)
    status, text = await get(http, url)
    assert (status, text.decode()[:29]) == (502, "The origin does not bring it:")


async def test_who_knows_the_segments_asks_for_them_by_their_numbers(
    site: Site, gateway: Gateway, http: Session
) -> None:
    entry = await gateway.contents.add(site.media("show/master.m3u8"), keep=False)
    url = f"{gateway.url}segment/{entry.id}/"
    data = (site.content / "show/low/3.ts").read_bytes()
    assert await get(http, url + "3/show/low/index.m3u8?within=7.5") == (200, data)
    assert await get(http, url + "3/show/low/index.m3u8", Range="bytes=1-4") == (206, data[1:5])
    assert await get(http, url + "3/show%2flow/index.m3u8?within=x") == (200, data)
    for wrong in ("3/other/index.m3u8", "x/show/low/index.m3u8", "3/", ""):
        assert (await get(http, url + wrong))[0] in (404, 502)
    assert (await get(http, f"{gateway.url}segment/{'0' * 12}/3/show/low/index.m3u8"))[0] == 404
    peers, origin, plain = stats(entry)
    assert (peers, plain) == (0, 0)
    assert LENGTH <= origin <= (AHEAD + 1) * LENGTH


async def test_whatever_else_is_asked_for(site: Site, gateway: Gateway, http: Session) -> None:
    entry = await gateway.contents.add(site.media("show/master.m3u8"), keep=False)
    (site.content / "show" / "text.vtt").write_text("WEBVTT\n")
    url = gateway.media(entry)
    assert await get(http, beside(url, "text.vtt")) == (200, b"WEBVTT\n")
    assert (await get(http, beside(url, "none.ts")))[0] == 404
    for path in (f"media/{'0' * 12}/x.ts", "media/", f"{entry.path.partition('/show')[0]}/"):
        assert (await get(http, gateway.url + path))[0] == 404


@pytest.mark.parametrize("path", ["..%2f..%2fapi%2fv1", "show/%2e%2e/x", "show/..%5cx"])
async def test_no_path_leads_out_of_the_media(
    site: Site, gateway: Gateway, http: Session, path: str
) -> None:
    entry = await gateway.contents.add(site.media("show/master.m3u8"), keep=False)
    url = URL(f"{gateway.url}media/{entry.source.id}/{path}", encoded=True)
    async with http.get(url) as answer:
        assert answer.status == 404
        assert "add it first" in await answer.text()


async def test_a_redirection_leads_where_the_origin_meant(gateway: Gateway, http: Session) -> None:
    async def away(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/elsewhere/x.ts"})

    app = web.Application()
    app.router.add_get("/media/x.ts", away)
    async with TestServer(app) as server:
        entry = await gateway.contents.add(str(server.make_url("/media/x.m3u8")), keep=False)
        url = beside(gateway.media(entry), "x.ts")
        async with http.get(url, allow_redirects=False) as answer:
            assert answer.headers["Location"] == str(server.make_url("/elsewhere/x.ts"))


async def test_what_asks_for_a_page_goes_with_its_contents(tmp_path: Path) -> None:
    contents = Contents(Config(data=tmp_path))
    media = Media(contents)
    session = await media._session("https://page.example")
    assert await media._session("https://page.example") is session
    await media._session(None)
    assert session.closed
    await media.close()
