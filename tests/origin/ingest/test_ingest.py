"""Uploads of segments and playlists, as encoders make them."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from origin.catalog import hashing
from origin.ingest import ingest as ingest_module
from origin.ingest import playlists
from origin.ingest.access import token_for
from origin.ingest.draft import Draft
from p2pcdn.config import Config
from p2pcdn.model import CHUNK_SIZE
from tests.origin.conftest import Site
from tests.origin.ingest.conftest import TOKEN, Encoder, StartEncoder, chunked, head
from tests.origin.media_files import media_playlist, multivariant_playlist, noise
from tests.origin.waiting import until

SEGMENT = noise(150_000)


async def test_nobody_may_put_anything_by_default(site: Site, encoder: Encoder) -> None:
    for method in ("PUT", "POST", "DELETE"):
        async with await site.request(method, "/ingest/live/0.ts") as answer:
            assert answer.status == 404
        async with await site.request(method, "/media/live/0.ts") as answer:
            assert answer.status == 405
    assert encoder.files() == []
    assert Config().ingest.paths == ()


async def test_what_is_put_is_had(encoder: Encoder) -> None:
    assert await encoder.put("live/show/0.ts", SEGMENT) == 201
    assert await encoder.get("/media/live/show/0.ts") == (200, SEGMENT)
    assert await encoder.put("live/show/0.ts", b"another") == 204
    assert await encoder.get("/media/live/show/0.ts") == (200, b"another")
    assert (await encoder.send("POST", "live/show/1.ts", SEGMENT))[0] == 201
    assert encoder.files() == ["live/show/0.ts", "live/show/1.ts"]


async def test_its_length_need_not_be_known(encoder: Encoder) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(SEGMENT), 50_000):
            yield SEGMENT[at : at + 50_000]
            await asyncio.sleep(0)

    assert await encoder.put("live/0.ts", pieces()) == 201
    assert await encoder.get("/media/live/0.ts") == (200, SEGMENT)


async def test_it_is_hashed_as_it_comes_and_never_read_for_that(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_again(*_: Any) -> bytes:
        raise AssertionError("the segment was read again")

    monkeypatch.setattr(hashing, "chunk_hashes", read_again)
    await encoder.put("live/0.ts", SEGMENT)
    assert await encoder.publish(0) == 201
    status, hashes = await encoder.get("/manifest/live/a.m3u8?hashes=0-0")
    assert status == 200
    digests = [
        hashlib.sha256(SEGMENT[at : at + CHUNK_SIZE]).digest()
        for at in range(0, len(SEGMENT), CHUNK_SIZE)
    ]
    assert hashes.endswith(b"".join(digests))
    assert len(digests) == 3


async def test_a_segment_is_not_there_before_it_is_whole(encoder: Encoder) -> None:
    release = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield SEGMENT[:100_000]
        await release.wait()
        yield SEGMENT[100_000:]

    upload = asyncio.create_task(encoder.put("live/0.ts", slowly()))
    await until(lambda: encoder.files() == ["live/.0.ts.part"])
    assert (await encoder.get("/media/live/0.ts"))[0] == 404
    assert (await encoder.get("/media/live/.0.ts.part"))[0] == 404
    release.set()
    assert await upload == 201
    assert encoder.files() == ["live/0.ts"]


async def test_what_breaks_off_leaves_nothing(encoder: Encoder) -> None:
    await encoder.put("live/0.ts", b"before")
    for sent in (
        head("live/0.ts", "Content-Length: 100000"),
        head("live/0.ts", "Transfer-Encoding: chunked"),
    ):
        reader, writer = await encoder.connect()
        writer.write(sent + (b"fffff\r\n" if b"chunked" in sent else b"") + b"x" * 70_000)
        await writer.drain()
        await until(lambda: "live/.0.ts.part" in encoder.files())
        writer.transport.abort()
        await until(lambda: encoder.files() == ["live/0.ts"])
        assert await encoder.get("/media/live/0.ts") == (200, b"before")
        assert await reader.read() == b""


async def test_ffmpeg_closes_without_waiting_for_an_answer(encoder: Encoder) -> None:
    for number in range(5):
        sent = head(f"live/{number}.ts", "Transfer-Encoding: chunked", "Connection: close")
        _, writer = await encoder.connect()
        writer.write(sent + chunked(SEGMENT))
        writer.close()
    names = [f"live/{number}.ts" for number in range(5)]
    await until(lambda: encoder.files() == names)
    assert await encoder.get("/media/live/4.ts") == (200, SEGMENT)


async def test_so_it_does_with_the_playlist_beside_its_segment(encoder: Encoder) -> None:
    text = media_playlist(["0.ts"], live=True).encode()
    _, first = await encoder.connect()
    first.write(head("live/0.ts", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
    await until(lambda: "live/.0.ts.part" in encoder.files())
    _, second = await encoder.connect()
    second.write(head("live/a.m3u8", "Transfer-Encoding: chunked") + chunked(text))
    second.close()
    await asyncio.sleep(0.15)
    assert (await encoder.get("/media/live/a.m3u8"))[0] == 404
    first.write(b"3\r\ndef\r\n0\r\n\r\n")
    first.close()
    await until(lambda: encoder.files() == ["live/0.ts", "live/a.m3u8"])
    assert await encoder.get("/media/live/0.ts") == (200, b"abcdef")


async def test_a_playlist_is_refused_whose_newest_segment_does_not_come(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playlists, "HOLD", 0.1)
    await encoder.put("live/0.ts", SEGMENT)
    text = media_playlist(["0.ts", "1.ts"], live=True)
    status, message = await encoder.send("PUT", "live/a.m3u8", text.encode())
    assert (status, message) == (
        409,
        "The playlist names 'live/1.ts', which is not here: put segments before the playlist that "
        "names them.",
    )
    assert encoder.files() == ["live/0.ts"]


async def test_a_segment_that_was_lost_is_marked(encoder: Encoder) -> None:
    for number in (0, 2):
        await encoder.put(f"live/{number}.ts", SEGMENT)
    assert await encoder.publish(0, 1, 2) == 201
    shown = (await encoder.get("/media/live/a.m3u8"))[1]
    assert b"#EXTINF:2.000,\n#EXT-X-GAP\n1.ts\n#EXTINF:2.000,\n2.ts\n" in shown
    assert shown.count(b"#EXT-X-GAP") == 1
    await encoder.put("live/1.ts", SEGMENT)
    assert await encoder.publish(0, 1, 2) == 204
    assert b"GAP" not in (await encoder.get("/media/live/a.m3u8"))[1]


async def test_the_record_is_there_no_later_than_the_entry(encoder: Encoder) -> None:
    await encoder.put("live/0.ts", SEGMENT)
    await encoder.publish(0)
    await encoder.get("/manifest/live/a.m3u8")
    for number in range(1, 4):
        await encoder.put(f"live/{number}.ts", SEGMENT + bytes([number]))
        await encoder.publish(*range(number + 1))
        shown = (await encoder.get("/media/live/a.m3u8"))[1]
        if f"{number}.ts".encode() in shown:
            records = f"/manifest/live/a.m3u8?records={number}-{number}"
            assert (await encoder.get(records))[0] == 200
    await until(lambda: encoder.origin._catalog._renditions["live/a.m3u8"].edition.last == 3)  # type: ignore[union-attr]


async def test_an_encoder_that_begins_anew_reuses_its_names(encoder: Encoder) -> None:
    for number in range(4):
        await encoder.put(f"live/{number}.ts", f"first run {number}".encode())
        assert await encoder.publish(*range(number + 1)) in (201, 204)
    await encoder.get("/manifest/live/a.m3u8")
    assert await encoder.put("live/0.ts", b"second run 0") == 204
    assert await encoder.publish(0) == 204
    rendition = encoder.origin._catalog._renditions["live/a.m3u8"]
    await until(lambda: rendition.edition is not None and rendition.edition.last == 4)
    shown = (await encoder.get("/media/live/a.m3u8"))[1]
    assert b"#EXT-X-MEDIA-SEQUENCE:1\n" in shown
    assert shown.endswith(b"3.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:2.000,\n0.ts\n")
    assert await encoder.get("/media/live/0.ts") == (200, b"second run 0")
    hashes = (await encoder.get("/manifest/live/a.m3u8?hashes=4-4"))[1]
    assert hashes.endswith(hashlib.sha256(b"second run 0").digest())
    assert (await encoder.get("/manifest/live/a.m3u8?records=0-0"))[0] == 404


async def test_nor_is_the_file_of_the_run_before_taken_for_one_that_is_on_its_way(
    encoder: Encoder,
) -> None:
    for number in range(3):
        await encoder.put(f"live/{number}.ts", f"first run {number}".encode())
        await encoder.publish(*range(number + 1))
    await encoder.put("live/0.ts", b"second run 0")
    await encoder.publish(0)
    _, writer = await encoder.connect()
    writer.write(head("live/1.ts", "Transfer-Encoding: chunked") + b"7\r\nsecond \r\n")
    await until(lambda: "live/.1.ts.part" in encoder.files())
    playlist = asyncio.create_task(encoder.publish(0, 1))
    done, _ = await asyncio.wait({playlist}, timeout=0.3)
    assert not done
    writer.write(b"5\r\nrun 1\r\n0\r\n\r\n")
    assert await playlist == 204
    writer.close()
    assert (await encoder.get("/media/live/a.m3u8"))[1].endswith(b"0.ts\n#EXTINF:2.000,\n1.ts\n")
    hashes = (await encoder.get("/manifest/live/a.m3u8?hashes=4-4"))[1]
    assert hashes.endswith(hashlib.sha256(b"second run 1").digest())


async def test_a_second_encoder_on_the_path_of_another_is_told_so(encoder: Encoder) -> None:
    for number in range(4):
        await encoder.put(f"live/{number}.ts", SEGMENT)
    assert await encoder.publish(0, 1, 2) == 201
    assert await encoder.publish(0) == 204  # it may have begun anew
    assert await encoder.publish(1, 2, 3) == 204
    text = media_playlist(["0.ts", "1.ts"], live=True)
    status, message = await encoder.send("PUT", "live/a.m3u8", text.encode())
    assert (status, message) == (
        409,
        "Another encoder is further in 'live/a.m3u8' than this one: each needs a path of its own.",
    )


async def test_nor_do_two_write_one_file_at_once(encoder: Encoder) -> None:
    release = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"first"
        await release.wait()

    upload = asyncio.create_task(encoder.put("live/0.ts", slowly()))
    await until(lambda: encoder.files() == ["live/.0.ts.part"])
    assert await encoder.send("PUT", "live/0.ts", b"second") == (
        409,
        "Another upload of 'live/0.ts' is under way: two encoders need paths of their own.",
    )
    encoder.origin._ingest._under_way.clear()  # type: ignore[union-attr]  # another process's
    assert await encoder.put("live/0.ts", b"third") == 409
    release.set()
    assert await upload == 201
    assert await encoder.get("/media/live/0.ts") == (200, b"first")


async def test_a_newer_playlist_takes_the_place_of_one_that_waits(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playlists, "HOLD", 30.0)
    await encoder.put("live/0.ts", SEGMENT)
    waiting = asyncio.create_task(encoder.send("PUT", "live/a.m3u8", media_playlist(
        ["0.ts", "1.ts"], live=True, target=30).encode()))  # fmt: skip
    await until(lambda: encoder.origin._ingest._latest)  # type: ignore[union-attr]
    await encoder.put("live/2.ts", SEGMENT)
    assert await encoder.publish(0, 1, 2) == 201
    assert await waiting == (409, "A newer 'live/a.m3u8' has come before this one was taken.")
    assert not encoder.origin._ingest._latest  # type: ignore[union-attr]


async def test_several_renditions(encoder: Encoder) -> None:
    for name in ("low", "high"):
        await encoder.put(f"live/{name}0.ts", SEGMENT)
        text = media_playlist([f"{name}0.ts"], live=True)
        assert await encoder.put(f"live/{name}.m3u8", text.encode()) == 201
    text = multivariant_playlist(["low.m3u8", "high.m3u8", "not-yet.m3u8"])
    assert await encoder.put("live/all.m3u8", text.encode()) == 201
    status, manifest = await encoder.get("/manifest/live/all.m3u8")
    assert status == 200
    assert b"low.m3u8" in manifest
    assert b"high.m3u8" in manifest


async def test_a_dash_manifest_is_taken_as_it_is(encoder: Encoder) -> None:
    assert await encoder.put("live/a.mpd", b"<MPD/>") == 201
    assert await encoder.put("live/init.mp4", b"init") == 201
    assert await encoder.put("live/1.m4s", SEGMENT) == 201
    assert await encoder.get("/media/live/a.mpd") == (200, b"<MPD/>")


async def test_deleting_cuts_nobody_off(encoder: Encoder) -> None:
    await encoder.put("live/0.ts", SEGMENT)
    await encoder.put("live/1.ts", SEGMENT)
    await encoder.publish(1)
    for number in (0, 1):
        assert (await encoder.send("DELETE", f"live/{number}.ts", chunked(b"")))[0] == 202
        assert (await encoder.get(f"/media/live/{number}.ts"))[0] == 200
    assert (await encoder.send("DELETE", "live/a.m3u8"))[0] == 204
    assert (await encoder.get("/media/live/a.m3u8"))[0] == 404
    assert (await encoder.send("DELETE", "live/a.m3u8"))[0] == 404
    (encoder.content / "live/stray.ts").write_bytes(b"of nobody")
    assert (await encoder.send("DELETE", "live/stray.ts"))[0] == 204
    (encoder.content / "live/folder.ts").mkdir()
    assert (await encoder.send("DELETE", "live/folder.ts"))[0] == 404
    assert (await encoder.send("DELETE", "live/nowhere/0.ts"))[0] == 404
    assert not (encoder.content / "live" / "nowhere").exists()


async def test_an_encoder_that_goes_on_finds_what_it_has_said(encoder: Encoder) -> None:
    await encoder.put("live/a%20b.ts", SEGMENT)
    async with encoder.session.get(f"{encoder.server.url}/ingest/live/a%20b.ts") as answer:
        assert (answer.status, answer.url.path) == (200, "/media/live/a b.ts")
    assert (await encoder.send("GET", "live/none.m3u8"))[0] == 307


# Who may not


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer wrong",
        "Basic !",
        "Basic d3Jvbmc=",
        "Digest a",
        "Bearer a.b.c",
        "Basic x:é",
    ],
)
async def test_wrong_tokens(encoder: Encoder, authorization: str) -> None:
    answer = await encoder.send("PUT", "live/0.ts", SEGMENT, Authorization=authorization)
    assert answer == (401, "Encoders need a token here that is good.")
    assert encoder.files() == []


@pytest.mark.parametrize("days", [1, -1])
@pytest.mark.parametrize("moment", ["first", "middle", "hashing"])
async def test_tokens_while_the_clock_jumps(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, moment: str, days: int
) -> None:
    now, ahead = time.time(), 0
    assert encoder.origin._ingest is not None
    monkeypatch.setattr(encoder.origin._ingest._access, "_clock", lambda: now + ahead)
    token = token_for(TOKEN, "live", int(now) + 3600)
    commit = Draft.commit

    def jump(*_: object) -> None:
        nonlocal ahead
        ahead = days * 86_400

    async def parts() -> AsyncIterator[bytes]:
        yield SEGMENT[:1000]
        if moment == "middle":
            await until(lambda: encoder.origin._ingest and encoder.origin._ingest._under_way)
            jump()
        yield SEGMENT[1000:]

    def jump_and_commit(draft: Draft) -> Any:
        jump()
        return commit(draft)

    if moment == "hashing":
        monkeypatch.setattr(Draft, "commit", jump_and_commit)
    elif moment == "first":
        jump()
    status, message = await encoder.send("PUT", "live/0.ts", parts(), token)
    if (moment, days) == ("first", 1):  # it has run out, as far as anybody can tell
        assert (status, message) == (401, "Encoders need a token here that is good.")
        assert encoder.files() == []
    else:  # who may begin may end
        assert (status, encoder.files()) == (201, ["live/0.ts"])
        assert await encoder.get("/media/live/0.ts") == (200, SEGMENT)
    assert (await encoder.send("PUT", "live/1.ts", SEGMENT, token))[0] == (401 if days > 0 else 201)
    ahead = 0  # somebody has set it right
    assert (await encoder.send("PUT", "live/2.ts", SEGMENT, token))[0] == 201
    assert await encoder.publish(2) == 201
    assert (await encoder.get("/media/live/2.ts"))[0] == 200


async def test_elsewhere_nothing_is_put(encoder: Encoder) -> None:
    for path in ("0.ts", "other/0.ts", "live.ts", "lively/0.ts"):
        answer = await encoder.send("PUT", path, SEGMENT)
        assert answer == (403, "Nothing may be put there with this token.")
    assert encoder.files() == []


async def test_ffmpeg_asks_before_it_sends_its_password(encoder: Encoder) -> None:
    reader, writer = await encoder.connect()
    writer.write(
        b"PUT /ingest/live/0.ts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    answer = (await reader.read()).decode()
    assert answer.startswith("HTTP/1.1 401 ")
    assert 'WWW-Authenticate: Basic realm="p2pcdn ingest"' in answer
    writer.close()
    reader, writer = await encoder.connect()
    writer.write(head("live/0.ts", "Transfer-Encoding: chunked", "Expect: 100-continue"))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(chunked(SEGMENT))
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201 ")
    writer.close()
    assert (await encoder.send("PUT", "live/1.ts", b"x", Expect="magic"))[0] == 417


NAMES = [
    ("live/page.html", 415), ("live/script.js", 415), ("live/picture.svg", 415),
    ("live/key.key", 415), ("live/noname", 415), ("live/0.ts.exe", 415),
    ("live/../0.ts", 404), ("live/.hidden.ts", 404), ("live//0.ts", 404), ("live/%2e%2e/0.ts", 404),
    ("live/a%2fb.ts", 400), ("live/a%5cb.ts", 400), ("live/a%00.ts", 400), ("live/%ff.ts", 400),
    (f"live/{'x' * 300}.ts", 400),
]  # fmt: skip


@pytest.mark.parametrize(("path", "status"), NAMES)
async def test_names_that_nothing_has(encoder: Encoder, path: str, status: int) -> None:
    assert await encoder.put(path, SEGMENT) == status
    assert encoder.files() == []


async def test_links_lead_nowhere_else(encoder: Encoder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (encoder.content / "live").mkdir()
    (encoder.content / "live/out").symlink_to(outside)
    assert await encoder.put("live/out/0.ts", SEGMENT) == 403
    (encoder.content / "live/0.ts").symlink_to(outside / "0.ts")
    assert await encoder.put("live/0.ts", SEGMENT) == 201
    assert list(outside.iterdir()) == []
    assert not (encoder.content / "live/0.ts").is_symlink()


async def test_what_is_no_whole_file(encoder: Encoder) -> None:
    refused = {
        (400, "A file is put as a whole, without ranges."): {"Content_Range": "bytes 0-1/2"},
        (415, "A file is put as it is, unpacked."): {"Content_Encoding": "gzip"},
    }
    for answer, headers in refused.items():
        assert await encoder.send("PUT", "live/0.ts", b"xx", **headers) == answer
    assert await encoder.send("PUT", "live/0.ts", b"") == (400, "A segment is not empty.")
    status, message = await encoder.send("PUT", "live/a.m3u8", b"no playlist")
    assert (status, message) == (400, "A playlist begins with #EXTM3U.")
    assert encoder.files() == []


async def test_a_folder_is_no_file(encoder: Encoder) -> None:
    (encoder.content / "live/0.ts").mkdir(parents=True)
    assert await encoder.send("PUT", "live/0.ts", b"x") == (
        409,
        "There is a folder at 'live/0.ts'.",
    )
    assert await encoder.put("live/1.ts", b"x") == 201
    assert await encoder.put("live/1.ts/2.ts", b"x") == 409


# Limits


async def test_too_large(start_encoder: StartEncoder) -> None:
    encoder = await start_encoder(segment_bytes=65_536)
    message = "A file of this kind has at most 65536 bytes here."
    assert await encoder.put("live/0.ts", bytes(65_536)) == 201
    assert await encoder.send("PUT", "live/1.ts", bytes(65_537)) == (413, message)

    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(65_537)

    assert await encoder.send("PUT", "live/1.ts", pieces()) == (413, message)
    reader, writer = await encoder.connect()  # who asks is told before it sends anything
    writer.write(head("live/1.ts", "Content-Length: 65537", "Expect: 100-continue"))
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 413 ")
    writer.close()
    assert encoder.files() == ["live/0.ts"]


async def test_too_slow(start_encoder: StartEncoder) -> None:
    encoder = await start_encoder(idle_timeout=0.2)
    reader, writer = await encoder.connect()
    writer.write(head("live/0.ts", "Content-Length: 100") + b"x")
    assert b"Nothing came of the upload for 0.2 s." in await reader.read()
    writer.close()
    encoder = await start_encoder(idle_timeout=10.0, timeout=0.3)
    reader, writer = await encoder.connect()
    writer.write(head("live/0.ts", "Content-Length: 100"))
    answer = asyncio.create_task(reader.readuntil(b"}}"))
    while not answer.done():
        writer.write(b"x")
        await asyncio.sleep(0.02)
    assert b"The upload was not complete within 0.3 s." in await answer
    writer.close()
    await until(lambda: encoder.files() == [])


async def test_too_many(start_encoder: StartEncoder) -> None:
    encoder = await start_encoder(uploads=1)
    reader, writer = await encoder.connect()
    writer.write(head("live/0.ts", "Content-Length: 5") + b"x")
    await until(lambda: encoder.files())
    answer = await encoder.send("PUT", "live/1.ts", b"x")
    assert answer == (503, "1 uploads are under way: try again in a moment.")
    writer.write(b"xxxx")
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201 ")
    assert await encoder.put("live/1.ts", b"x") == 201
    writer.close()


async def test_no_room(start_encoder: StartEncoder) -> None:
    encoder = await start_encoder(max_size=1_048_576)
    assert await encoder.put("live/0.ts", bytes(700_000)) == 201
    assert await encoder.send("PUT", "live/1.ts", bytes(700_000)) == (
        507,
        "There is no room for more (ingest.max_size), and nothing that may be deleted yet.",
    )
    assert encoder.files() == ["live/0.ts"]
    assert await encoder.put("live/1.ts", bytes(300_000)) == 201


async def test_playlists_of_one_token_do_not_take_all_the_room(start_encoder: StartEncoder) -> None:
    encoder = await start_encoder(max_size=1_048_576)
    token, text = token_for(TOKEN, "live/x"), multivariant_playlist(["a.m3u8"]).encode()
    text += b"#" + bytes(40_000).replace(b"\0", b"x") + b"\n"
    assert await encoder.send("PUT", "live/x/1.m3u8", text, token) == (201, "")
    assert await encoder.send("PUT", "live/x/2.m3u8", text, token) == (
        507,
        "The playlists in 'live/x' take all the room that is theirs, 6.2% of ingest.max_size: "
        "delete some.",
    )
    assert await encoder.send("DELETE", "live/x/1.m3u8", token=token) == (204, "")
    assert encoder.origin._ingest is not None
    await asyncio.to_thread(encoder.origin._ingest._window.sweep, 0.0)
    assert await encoder.send("PUT", "live/x/2.m3u8", text, token) == (201, "")


@pytest.mark.parametrize("where", ["write", "commit"])
async def test_a_full_disk(encoder: Encoder, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    await encoder.put("live/0.ts", b"before")
    with monkeypatch.context() as patched:
        patched.setattr(Draft, where, full)
        for path, data in (("live/0.ts", SEGMENT), ("live/a.m3u8", b"#EXTM3U\n")):
            assert await encoder.send("PUT", path, data) == (507, "The disk is full.")
    assert encoder.files() == ["live/0.ts"]
    assert await encoder.get("/media/live/0.ts") == (200, b"before")
    assert await encoder.put("live/0.ts", SEGMENT) == 204


async def test_a_disk_that_fails_is_our_trouble(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Draft, "write", mock.Mock(side_effect=OSError(errno.EIO, "I/O error")))
    assert (await encoder.send("PUT", "live/0.ts", SEGMENT))[0] == 500
    assert encoder.files() == []


async def test_it_deletes_what_is_due_by_itself(
    start_encoder: StartEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "SWEEP", 0.05)
    encoder = await start_encoder(window=1.0)
    for number in (0, 1):
        await encoder.put(f"live/{number}.ts", SEGMENT)
    await encoder.publish(1)
    await until(lambda: encoder.files() == ["live/1.ts", "live/a.m3u8"])


async def test_it_survives_what_it_cannot_sweep(
    start_encoder: StartEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "SWEEP", 0.01)
    encoder = await start_encoder()
    sweep = mock.Mock(side_effect=RuntimeError("a bug"))
    monkeypatch.setattr(encoder.origin._ingest._window, "sweep", sweep)  # type: ignore[union-attr]
    await until(lambda: sweep.call_count > 1)
