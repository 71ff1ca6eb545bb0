"""The origin over HTTP, played by a server that does one thing wrong at a time."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from p2pcdn.errors import SourceError, SourceReason
from p2pcdn.model import Span
from p2pcdn.wire.codec import decode_manifest, encode
from p2pcdn.wire.manifest import (
    PresentationManifest,
    RenditionManifest,
    SegmentRecord,
    from_base64,
)
from peer.native import http_source
from peer.native.addresses import ContentAddress
from peer.native.http_source import HttpSource
from tests.p2pcdn.wire.vectors import cases

DATA = bytes(range(256)) * 40
CONTENT = "0" * 32
RECORD = SegmentRecord(7, "s 7.ts", len(DATA), "0" * 64)
PAGE = RenditionManifest(1, "pk", CONTENT, "a/v.m3u8", 65_536, True, 5, 7, 7, (RECORD,))

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Origin:
    """Gives the answer that a test has put there, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.answer: Answer = self.file

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return await self.answer(request)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """What a right origin does."""
        start, stop = request.http_range.start, request.http_range.stop
        part = DATA[start:stop]
        headers = {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(DATA)}"}
        return web.Response(status=206, body=part, headers=headers)


@pytest.fixture
async def origin() -> Origin:
    return Origin()


@pytest.fixture
async def source(origin: Origin) -> AsyncIterator[HttpSource]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", origin.handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        address = ContentAddress.parse(str(server.make_url("/media/a/v.m3u8")))
        yield HttpSource(session, address)


def answering(response: web.Response) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return response

    return answer


async def fetch(source: HttpSource, span: Span, **options: bool) -> bytes:
    pieces: list[bytes] = []
    timing = await source.range("a/v.m3u8", "s 7.ts", span, pieces.append, **options)
    assert 0 <= timing.ttfb <= timing.took
    return b"".join(pieces)


async def test_a_range(source: HttpSource, origin: Origin) -> None:
    assert await fetch(source, Span(100, 5_099)) == DATA[100:5_100]
    (request,) = origin.asked
    assert request.path == "/media/a/s 7.ts"
    assert request.headers["Range"] == "bytes=100-5099"
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Cache-Control" not in request.headers


async def test_a_fresh_range_goes_past_caches(source: HttpSource, origin: Origin) -> None:
    await fetch(source, Span(0, 9), fresh=True)
    assert origin.asked[0].headers["Cache-Control"] == "no-cache"


async def test_all_of_a_file_without_ranges_is_taken(source: HttpSource, origin: Origin) -> None:
    origin.answer = answering(web.Response(body=DATA))
    assert await fetch(source, Span(0, len(DATA) - 1)) == DATA


def ranged(span: str, body: bytes, status: int = 206) -> web.Response:
    return web.Response(status=status, body=body, headers={"Content-Range": span})


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (lambda: web.Response(status=404), SourceReason.MISSING),
        (lambda: web.Response(status=410), SourceReason.MISSING),
        (lambda: web.Response(status=416), SourceReason.LENGTH),
        (lambda: web.Response(status=429), SourceReason.BUSY),
        (lambda: web.Response(status=503), SourceReason.BUSY),
        (lambda: web.Response(status=500), SourceReason.STATUS),
        (lambda: web.Response(status=403), SourceReason.STATUS),
        (lambda: web.Response(status=204), SourceReason.STATUS),
        (lambda: web.Response(body=DATA[10:20]), SourceReason.STATUS),  # it may be any part
        (lambda: web.Response(status=206, body=DATA[10:20]), SourceReason.LENGTH),
        (lambda: ranged("bytes 11-20/10240", DATA[11:21]), SourceReason.LENGTH),
        (lambda: ranged("bytes 10-18/10240", DATA[10:19]), SourceReason.LENGTH),
        (lambda: ranged("items 10-19/10240", DATA[10:20]), SourceReason.LENGTH),
        (lambda: ranged("bytes 10-19/10240", DATA[10:21]), SourceReason.LENGTH),
        (lambda: ranged("bytes 10-19/10240", DATA[10:19]), SourceReason.LENGTH),
    ],
)
async def test_a_wrong_answer_has_a_reason(
    source: HttpSource,
    origin: Origin,
    response: Callable[[], web.Response],
    reason: SourceReason,
) -> None:
    origin.answer = answering(response())
    with pytest.raises(SourceError) as caught:
        await fetch(source, Span(10, 19))
    assert caught.value.reason is reason


async def test_more_than_was_asked_for_is_refused(source: HttpSource, origin: Origin) -> None:
    origin.answer = answering(web.Response(body=DATA))
    with pytest.raises(SourceError) as caught:
        await fetch(source, Span(0, 9))
    assert caught.value.reason is SourceReason.LENGTH


async def test_no_byte_too_many_is_handed_over(source: HttpSource, origin: Origin) -> None:
    origin.answer = answering(ranged("bytes 10-19/10240", DATA[10:1000]))
    pieces: list[bytes] = []
    with pytest.raises(SourceError):
        await source.range("a/v.m3u8", "s", Span(10, 19), pieces.append)
    assert sum(map(len, pieces)) <= 10


async def test_a_connection_that_breaks(source: HttpSource, origin: Origin) -> None:
    async def stop_in_the_middle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=206)
        response.headers["Content-Range"] = "bytes 0-9999/10240"
        response.content_length = 10_000
        await response.prepare(request)
        await response.write(DATA[:100])
        assert request.transport is not None
        request.transport.abort()
        return response

    origin.answer = stop_in_the_middle
    with pytest.raises(SourceError) as caught:
        await fetch(source, Span(0, 9_999))
    assert caught.value.reason is SourceReason.CLOSED


async def test_an_answer_that_stalls(
    source: HttpSource, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_source, "SILENCE", 0.1)
    given_up = asyncio.Event()

    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=206)
        response.headers["Content-Range"] = "bytes 0-9999/10240"
        response.content_length = 10_000
        await response.prepare(request)
        await response.write(DATA[:100])
        await given_up.wait()
        return response

    origin.answer = stall
    with pytest.raises(SourceError) as caught:
        await fetch(source, Span(0, 9_999))
    given_up.set()
    assert caught.value.reason is SourceReason.TIMEOUT


async def test_an_answer_may_take_as_long_as_it_likes_while_more_of_it_comes(
    source: HttpSource, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_source, "SILENCE", 2.0)

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=206)
        response.headers["Content-Range"] = "bytes 0-999/10240"
        response.content_length = 1_000
        await response.prepare(request)
        for at in range(0, 1_000, 100):
            await response.write(DATA[at : at + 100])
            await asyncio.sleep(0.25)
        return response

    origin.answer = drip
    assert await fetch(source, Span(0, 999)) == DATA[:1_000]


async def test_nobody_there() -> None:
    async with TestServer(web.Application()) as server:
        url = str(server.make_url("/media/x.mp4"))
    async with aiohttp.ClientSession() as session:
        source = HttpSource(session, ContentAddress.parse(url))
        with pytest.raises(SourceError) as caught:
            await source.manifest("x.mp4")
    assert caught.value.reason is SourceReason.UNREACHABLE


async def test_manifests(source: HttpSource, origin: Origin) -> None:
    presentation = PresentationManifest(1, "pk", CONTENT, ())
    origin.answer = answering(web.Response(text=encode(presentation)))
    assert await source.manifest("a/master.m3u8") == presentation
    origin.answer = answering(web.Response(text=encode(PAGE)))
    assert await source.manifest("a/v.m3u8", at=7) == PAGE
    assert origin.asked[0].path == "/manifest/a/master.m3u8"
    assert origin.asked[1].query == {"at": "7"}


async def test_few_records(source: HttpSource, origin: Origin) -> None:
    origin.answer = answering(web.Response(text=encode(PAGE)))
    assert await source.records("a/v.m3u8", Span(7, 8)) == PAGE
    assert origin.asked[0].path == "/manifest/a/v.m3u8"
    assert origin.asked[0].query == {"records": "7-8"}


async def test_waiting_for_a_newer_segment(source: HttpSource, origin: Origin) -> None:
    origin.answer = answering(web.Response(text=encode(PAGE)))
    assert await source.newer("a/v.m3u8", 6) == PAGE
    assert origin.asked[0].query == {"after": "6"}
    origin.answer = answering(web.Response(text=encode(PAGE)))
    assert await source.newer("a/v.m3u8", 7) is None
    anew = replace(PAGE, era=5)
    origin.answer = answering(web.Response(text=encode(anew)))
    assert await source.newer("a/v.m3u8", 700) == anew
    origin.answer = answering(web.Response(text=encode(anew)))
    assert await source.newer("a/v.m3u8", 7, 5) is None


async def test_what_no_pinned_key_signed_is_refused(origin: Origin) -> None:
    signed = next(
        decode_manifest(json.dumps(case["page"]))
        for case in cases("manifest-bytes", "signatures")
        if case["valid"]
    )
    pin = hashlib.sha256(from_base64(signed.keys[0].public) or b"").hexdigest()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", origin.handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        address = ContentAddress.parse(str(server.make_url("/media/a/v.m3u8")))
        for pins in ((pin,), ("0" * 64, pin)):
            origin.answer = answering(web.Response(text=encode(signed)))
            assert await HttpSource(session, address, pins).manifest("a/v.m3u8") == signed
        origin.answer = answering(web.Response(text=encode(signed)))
        with pytest.raises(SourceError, match="not signed by a pinned key") as failure:
            await HttpSource(session, address, ("0" * 64,)).manifest("a/v.m3u8")
        assert failure.value.reason is SourceReason.INTEGRITY


async def test_hash_lists(source: HttpSource, origin: Origin) -> None:
    origin.answer = answering(web.Response(body=bytes(64)))
    assert await source.hashes("a/v.m3u8", Span(7, 8)) == bytes(64)
    assert origin.asked[0].path == "/manifest/a/v.m3u8"
    assert origin.asked[0].query == {"hashes": "7-8"}


@pytest.mark.parametrize("text", ["", "<html>", "{}", '{"type":"rendition"}'])
async def test_what_is_no_manifest(source: HttpSource, origin: Origin, text: str) -> None:
    origin.answer = answering(web.Response(text=text))
    with pytest.raises(SourceError) as caught:
        await source.manifest("a/v.m3u8")
    assert caught.value.reason is SourceReason.STATUS


async def test_a_manifest_that_does_not_end(
    source: HttpSource, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_source, "MANIFEST_BYTES", 1000)
    origin.answer = answering(web.Response(text=" " * 1001))
    with pytest.raises(SourceError) as caught:
        await source.manifest("a/v.m3u8")
    assert caught.value.reason is SourceReason.LENGTH
