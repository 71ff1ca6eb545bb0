"""`/media/` over real sockets: ranges, conditions, paths, cross-origin headers, live playlists."""

from __future__ import annotations

import asyncio
import os
import socket
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.origin.conftest import Site
from tests.origin.media_files import (
    media_playlist,
    multivariant_playlist,
    noise,
    write,
    write_vod,
)
from tests.origin.waiting import until

DATA = noise(20)
SECRET = b"nobody may read this"


async def test_a_file(site: Site, content: Path) -> None:
    data = write(content / "a" / "s0.ts", noise(300_000))
    response = await site.get("/media/a/s0.ts")
    assert response.status == 200
    assert await response.read() == data
    headers = response.headers
    assert headers["Content-Type"] == "video/mp2t"
    assert headers["Content-Length"] == "300000"
    assert headers["Cache-Control"] == "public, max-age=86400, immutable"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Expose-Headers"] == "Content-Range, ETag, Age"
    assert headers["Timing-Allow-Origin"] == "*"
    assert headers["ETag"].startswith('"')


async def test_a_range(site: Site, content: Path) -> None:
    data = write(content / "s0.ts", noise(300_000))
    response = await site.get("/media/s0.ts", range="bytes=65536-131071")
    assert response.status == 206
    assert await response.read() == data[65536:131072]
    assert response.headers["Content-Range"] == "bytes 65536-131071/300000"
    assert response.headers["Content-Length"] == "65536"


async def test_a_changed_file_has_another_tag(site: Site, content: Path) -> None:
    write(content / "s0.ts", b"one")
    os.utime(content / "s0.ts", (1, 1))
    before = (await site.get("/media/s0.ts")).headers
    write(content / "s0.ts", b"two")
    os.utime(content / "s0.ts", (1, 1))  # the same size and time: builds that repeat do this
    response = await site.get("/media/s0.ts", range="bytes=0-0", if_range=before["ETag"])
    assert response.status == 200
    assert await response.read() == b"two"


async def test_names_with_odd_characters(site: Site, content: Path) -> None:
    write(content / "my show" / "\u00fcber 100%?.ts", b"x")
    response = await site.get("/media/my%20show/%C3%BCber%20100%25%3F.ts?token=1")
    assert (response.status, await response.read()) == (200, b"x")


async def test_links_that_lead_out(site: Site, content: Path) -> None:
    write(content.parent / "secret", SECRET)
    (content / "link.ts").symlink_to("../secret")
    (content / "folder").symlink_to("..")
    for target in ("/media/link.ts", "/media/folder/secret", "/media/folder"):
        status, code, message = await site.error(target)
        assert (status, code) == (404, "not_found")
        assert message == f"There is no file at '{target.removeprefix('/media/')}'."


async def test_the_place_of_media_is_no_file(site: Site) -> None:
    status, code, message = await site.error("/media/")
    assert (status, code) == (404, "not_found")
    assert message == "Nothing is at /media/ itself: name a file below."


async def test_other_methods_are_refused(site: Site) -> None:
    status, code, _ = await site.error("/media/a.ts", "POST")
    assert (status, code) == (405, "method_not_allowed")


async def test_preflight(site: Site) -> None:
    response = await site.request(
        "OPTIONS", "/media/a.ts", origin="https://page.example", access_control_request_method="GET"
    )
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Range" in response.headers["Access-Control-Allow-Headers"]


async def test_errors_can_be_read_by_other_sites_pages(site: Site) -> None:
    response = await site.get("/media/none.ts")
    assert response.status == 404
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Cache-Control"] == "no-store"


async def test_finished_playlists(site: Site, content: Path) -> None:
    write_vod(content)
    text = write(content / "all.m3u8", multivariant_playlist(["480p.m3u8"]))
    response = await site.get("/media/all.m3u8")
    assert await response.read() == text
    assert response.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert response.headers["Cache-Control"] == "public, max-age=5"
    again = await site.get("/media/all.m3u8", if_none_match=response.headers["ETag"])
    assert again.status == 304


async def test_a_playlist_that_cannot_be_shown_yet(site: Site, content: Path) -> None:
    write(content / "live.m3u8", "")
    response = await site.get("/media/live.m3u8")
    assert (response.status, response.headers["Retry-After"]) == (503, "1")
    _, code, message = await site.error("/media/live.m3u8")
    assert code == "service_unavailable"
    assert message == (
        "The playlist at 'live.m3u8' cannot be shown yet. A playlist begins with #EXTM3U."
    )


async def test_media_and_overhead_are_counted_apart(site: Site, content: Path) -> None:
    segments = write_vod(content)
    await site.get("/media/480p_0.ts")
    await site.get("/media/480p_1.ts", range="bytes=0-999")
    await site.request("HEAD", "/media/480p_2.ts")
    playlist = await (await site.get("/media/480p.m3u8")).read()
    error = await (await site.get("/media/none")).read()
    wanted = (len(segments[0]) + 1000, len(playlist) + len(error))
    await until(lambda: (site.totals.media, site.totals.overhead) == wanted)


async def test_what_aborting_viewers_received_and_what_was_counted_agree(
    site: Site, content: Path
) -> None:
    write(content / "movie.mp4", noise(8_000_000))
    received = sum([await read_some(site, 1_000_000 + 200_000 * n) for n in range(10)])
    counted = 0

    def settled() -> bool:
        nonlocal counted
        before, counted = counted, site.totals.media
        return before == counted >= received and not site.origin._meter._flows

    await until(settled)
    assert received <= site.totals.media <= received * 1.02


async def read_some(site: Site, size: int) -> int:
    """Ask for all of a file and go away in the middle."""
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, ("127.0.0.1", site.server.port))
        await loop.sock_sendall(raw, b"GET /media/movie.mp4 HTTP/1.1\r\nHost: x\r\n\r\n")
        got = b""
        while b"\r\n\r\n" not in got:
            got += await loop.sock_recv(raw, 4096)
        received = len(got.partition(b"\r\n\r\n")[2])
        while received < size:
            received += len(await loop.sock_recv(raw, 4096))
        return received


async def test_no_descriptor_is_left_behind(site: Site, content: Path) -> None:
    write(content / "movie.mp4", noise(3_000_000))

    def files() -> list[str]:
        links = (link for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
        return [name for name in (str(link.readlink()) for link in links) if "movie" in name]

    for _ in range(5):
        await read_some(site, 100_000)
    await site.get("/media/movie.mp4", if_none_match="*")
    await site.get("/media/movie.mp4", range="bytes=9999999-")
    await until(lambda: len(files()) == 1)  # which stays open for the next
    await until(lambda: not site.origin._meter._flows)


class Encoder:
    """Writes a live rendition: segments, and then the playlist that names them."""

    def __init__(self, folder: Path, window: int = 4) -> None:
        self.folder = folder
        self.window = window
        self.last = -1

    def step(self, *, end: bool = False) -> None:
        self.last += 1
        first = max(0, self.last - self.window + 1)
        names = [f"{number}.ts" for number in range(first, self.last + 1)]
        write(self.folder / names[-1], noise(100_000, self.last))
        write(self.folder / "live.m3u8", media_playlist(names, first=first, live=not end, target=2))
        (self.folder / f"{self.last - 2 * self.window}.ts").unlink(missing_ok=True)

    async def run(self, steps: int) -> None:
        for number in range(steps):
            await asyncio.to_thread(self.step, end=number == steps - 1)
            await asyncio.sleep(0.03)


async def test_a_live_playlist_names_only_what_has_its_record(site: Site, content: Path) -> None:
    encoder = Encoder(content / "live")
    encoder.step()
    encoding = asyncio.create_task(encoder.run(40))
    newest = -1
    while newest < 40:
        playlist = await (await site.get("/media/live/live.m3u8")).text()
        named = [int(line[:-3]) for line in playlist.splitlines() if line.endswith(".ts")]
        # Straight from the store: a request for the manifest would have it made.
        edition = site.origin._catalog._renditions["live/live.m3u8"].edition
        assert edition is not None
        stretches = [edition.pieces[number].stretch for number in named]
        assert len(site.origin._store.find(stretches)) == len(named)
        assert named[-1] >= newest
        newest = named[-1]
    await encoding


async def test_a_time_tells_versions_apart_once_its_second_is_over(
    site: Site, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_000
    monkeypatch.setattr("origin.media.time", SimpleNamespace(time=lambda: now + 0.9))
    write(content / "a.ts", DATA)
    os.utime(content / "a.ts", (now, now))
    date = formatdate(now, usegmt=True)
    for _ in range(2):  # opened, and kept open
        part = await site.get("/media/a.ts", range="bytes=0-9", if_range=date)
        assert (part.status, await part.read()) == (200, DATA)
        assert "Last-Modified" not in part.headers
        assert (await site.get("/media/a.ts", if_modified_since=date)).status == 200
    monkeypatch.setattr("origin.media.time", SimpleNamespace(time=lambda: now + 1.0))
    for _ in range(2):
        part = await site.get("/media/a.ts", range="bytes=0-9", if_range=date)
        assert (part.status, part.headers["Last-Modified"]) == (206, date)
        assert (await site.get("/media/a.ts", if_modified_since=date)).status == 304


async def test_live_answers_are_not_kept_for_long(site: Site, content: Path) -> None:
    Encoder(content).step()
    response = await site.get("/media/live.m3u8")
    assert response.headers["Cache-Control"] == "no-cache"
    segment = await site.get("/media/0.ts")
    assert segment.headers["Cache-Control"] == "public, max-age=60"


async def test_a_segment_that_is_still_written_is_not_there(site: Site, content: Path) -> None:
    write(content / "0.ts", DATA)
    write(content / "live.m3u8", media_playlist(["0.ts"], live=True))
    await site.get("/manifest/live.m3u8")
    write(content / "1.ts", DATA[:10])
    answer = (404, "not_found", "The file at '1.ts' is still being written.")
    assert await site.error("/media/1.ts") == answer
    write(content / "1.ts", DATA)
    write(content / "live.m3u8", media_playlist(["0.ts", "1.ts"], live=True))
    assert (await site.get("/media/1.ts")).status == 200
