"""An origin for media that stay at a CDN: what it answers to `/manifest/?url=`."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import structlog
from aiohttp import ClientSession

from origin.app import Origin
from origin.elsewhere import elsewhere, fetcher
from p2pcdn.config import Config, ElsewhereConfig, OriginConfig
from p2pcdn.errors import SourceReason
from p2pcdn.model import CHUNK_SIZE, content_id
from p2pcdn.service import Server
from p2pcdn.wire.codec import decode_manifest
from p2pcdn.wire.manifest import (
    PresentationManifest,
    Records,
    RenditionManifest,
    segment_root,
)
from tests.origin.conftest import Site, Totals
from tests.origin.elsewhere.cdn import BASE, Cdn
from tests.origin.media_files import media_playlist, multivariant_playlist, noise
from tests.origin.waiting import until

TOKEN = "s3cret-t0ken"


class Stage(NamedTuple):
    cdn: Cdn
    site: Site
    told: list[Records]

    async def ask(self, name: str, token: str = TOKEN, **questions: str) -> bytes:
        url = f"{BASE}{name}?token={token}"
        more = "".join(f"&{key}={quote(value, safe='')}" for key, value in questions.items())
        response = await self.site.get(f"/manifest/?url={quote(url, safe='')}{more}")
        assert response.status == 200, await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        return await response.read()

    async def page(self, name: str, **questions: str) -> RenditionManifest:
        manifest = decode_manifest(await self.ask(name, **questions))
        assert isinstance(manifest, RenditionManifest)
        return manifest


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def begin(**limits: Any) -> Stage:
            cdn, told, totals = Cdn(tokens={TOKEN, "other"}), list[Records](), Totals()
            monkeypatch.setattr(elsewhere, "asking", lambda client, places: cdn)
            config = Config(
                data=tmp_path / "data",
                elsewhere=(ElsewhereConfig(prefix=BASE),),
                origin=OriginConfig(**limits),
            )
            origin = Origin(config, totals, pass_on=told.append)
            server = await stack.enter_async_context(Server([origin], host="127.0.0.1", port=0))
            session = await stack.enter_async_context(ClientSession(auto_decompress=False))
            return Stage(cdn, Site(origin, server, session, totals), told)

        yield begin


def film(cdn: Cdn, name: str = "480p", count: int = 70, **more: Any) -> None:
    names = [f"{name}_{n}.ts" for n in range(count)]
    for segment in names:
        cdn.files.setdefault(segment, noise(CHUNK_SIZE + 7, segment))
    tokens = (f"{segment}?token={TOKEN}&n=1" for segment in names)
    cdn.files[f"{name}.m3u8"] = media_playlist(tokens, **more).encode()


async def test_a_page_has_what_was_asked_for_and_what_is_known(start: Start) -> None:
    stage = await start()
    film(stage.cdn)
    page = await stage.page("480p.m3u8", at="3")
    assert page.rendition == f"{BASE}480p.m3u8"
    assert page.content == content_id("pk_demo", f"{BASE}480p.m3u8")
    assert (page.first, page.last, page.live, page.era) == (0, 69, False, 0)
    records = {record.sequence: record for record in page.segments}
    assert 3 in records
    assert 0 not in records
    assert len(stage.cdn.asked) <= 10
    data = stage.cdn.files["480p_3.ts"]
    chunks = [hashlib.sha256(part).digest() for part in (data[:CHUNK_SIZE], data[CHUNK_SIZE:])]
    root = segment_root(page.content, page.rendition, 3, len(data), chunks)
    assert (records[3].root, records[3].length, records[3].uri) == (root, len(data), "480p_3.ts")
    assert await stage.ask("480p.m3u8", hashes="3-3") == b"".join(chunks)
    # What comes later only adds to it.
    later = await stage.page("480p.m3u8", records="40-41")
    assert [record.sequence for record in later.segments] == [40, 41]
    assert (later.first, later.last, later.era) == (0, 69, 0)
    assert later.time > page.time
    again = await stage.page("480p.m3u8", at="3")
    assert records.items() <= {record.sequence: record for record in again.segments}.items()


async def test_renditions_of_one_presentation_meet(start: Start) -> None:
    stage = await start()
    film(stage.cdn, "480p")
    film(stage.cdn, "720p")
    names = [f"480p.m3u8?token={TOKEN}", f"{BASE}720p.m3u8?token={TOKEN}"]
    stage.cdn.files["index.m3u8"] = multivariant_playlist(names).encode()
    whole = f"{BASE}index.m3u8?token=other"
    one = await stage.page("480p.m3u8", presentation=whole)
    two = await stage.page("720p.m3u8", presentation=whole.replace("other", TOKEN))
    assert one.content == two.content == content_id("pk_demo", f"{BASE}index.m3u8")
    manifest = decode_manifest(await stage.ask("index.m3u8"))
    assert isinstance(manifest, PresentationManifest)
    assert manifest.content == one.content
    assert [(r.rendition, r.uri) for r in manifest.renditions] == [
        (one.rendition, "480p.m3u8"),
        (two.rendition, "720p.m3u8"),
    ]
    assert stage.site.origin.path_of(one.content) == f"{BASE}index.m3u8"


async def test_two_tokens_are_one_content_and_one_download(start: Start) -> None:
    stage = await start()
    film(stage.cdn, count=3)
    first = await stage.page("480p.m3u8", at="0", token=TOKEN)
    second = await stage.page("480p.m3u8", at="0", token="other")
    assert first.segments[0] == second.segments[0]
    assert (first.content, first.rendition) == (second.content, second.rendition)
    assert len(stage.cdn.paths()) == len(set(stage.cdn.paths()))


async def test_nothing_of_a_token_is_told_logged_or_stored(start: Start, tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        stage = await start()
        film(stage.cdn)
        stage.cdn.files["index.m3u8"] = multivariant_playlist([f"480p.m3u8?token={TOKEN}"]).encode()
        answers = [
            await stage.ask("480p.m3u8", presentation=f"{BASE}index.m3u8?token={TOKEN}"),
            await stage.ask("480p.m3u8", records="0-9"),
            await stage.ask("index.m3u8"),
        ]
        stage.cdn.broken = SourceReason.TIMEOUT
        target = quote(f"{BASE}x.m3u8?token={TOKEN}", safe="")
        failed = await stage.site.get(f"/manifest/?url={target}")
        assert failed.status >= 400
        answers.append(await failed.read())
        refused = await stage.site.get(f"/manifest/?url={target.replace('films', 'other')}")
        assert refused.status == 404
        answers.append(await refused.read())
    for answer in answers:
        assert TOKEN.encode() not in answer
    assert TOKEN not in repr(logs)
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert any(path.name == elsewhere.FILE for path in files)
    for path in files:
        assert TOKEN.encode() not in path.read_bytes()
    with sqlite3.connect(tmp_path / "data" / elsewhere.FILE) as database:
        assert database.execute("SELECT count(*) FROM hashes").fetchone()[0] >= 10


async def test_what_is_fetched_is_overhead(start: Start) -> None:
    stage = await start()
    film(stage.cdn, count=2)
    answer = await stage.ask("480p.m3u8", records="0-1")
    fetched = sum(len(stage.cdn.files[name]) for name in stage.cdn.paths())
    await until(lambda: stage.site.totals.overhead >= fetched + len(answer))
    assert stage.site.totals.media == 0
    assert [*stage.site.totals.extents] == [
        (content_id("pk_demo", f"{BASE}480p.m3u8"), f"{BASE}480p.m3u8")
    ]


async def test_live_records_are_passed_on(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher._Playlist, "pause", property(lambda self: 0.02))
    stage = await start()
    film(stage.cdn, count=4, live=True)
    page = await stage.page("480p.m3u8", at="3")
    assert page.live
    assert [record.sequence for record in page.segments] == [0, 1, 2, 3]
    film(stage.cdn, count=5, live=True)
    await until(lambda: stage.told)
    assert [record.sequence for record in stage.told[0].page.segments] == [4]
    newer = await stage.page("480p.m3u8", after="3")
    assert newer.last == 4
    film(stage.cdn, count=5)
    await until(lambda: b"ENDLIST" in _shown(stage))
    assert not (await stage.page("480p.m3u8", at="4")).live


def _shown(stage: Stage) -> bytes:
    shelf: Any = stage.site.origin._elsewhere
    return bytes(shelf._fetcher._shelf.open(f"{BASE}480p.m3u8").read(0, 10**6))


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("url=https%3A%2F%2Fevil.example%2Fa.m3u8", 404, "This origin says nothing of media at"),
        (f"url={BASE}..%2Fa.m3u8", 404, "The path of a URL here has no empty parts"),
        (f"url={BASE}%252e%252e%252fa.m3u8", 404, "The path of a URL here has no semicolons"),
        ("url=", 404, "A URL here begins with"),
        (f"url={BASE}a.mp4", 404, "Of media elsewhere there are manifests of HLS playlists alone"),
        (f"url={BASE}a.mpd", 404, "Of media elsewhere there are manifests of HLS playlists alone"),
        (f"url={BASE}none.m3u8", 404, "There is no file at"),
        (f"url={BASE}page.m3u8", 422, "There is no manifest of"),
        (f"url={BASE}480p.m3u8&at=x", 400, "A segment is named by its sequence number"),
        (f"url={BASE}480p.m3u8&at=70", 404, "has no segment 70"),
        (f"url={BASE}480p.m3u8&at=1&after=1", 400, "Ask for one thing at a time"),
        (f"url={BASE}480p.m3u8&hashes=0-99", 400, "Ask for 1 to 64 segments"),
        (f"url={BASE}gone.m3u8&at=0", 404, "There is no file at"),
        (f"url={BASE}gone.m3u8&hashes=0-1", 503, "These segments are just being fetched"),
    ],
)
async def test_refusals(start: Start, query: str, status: int, message: str) -> None:
    stage = await start()
    stage.cdn.tokens = None
    film(stage.cdn)
    film(stage.cdn, "gone", 3)
    del stage.cdn.files["gone_0.ts"]
    stage.cdn.files["page.m3u8"] = b"<html>"
    code, _, said = await stage.site.error(f"/manifest/?{query}")
    assert code == status, said
    assert message in said


async def test_without_the_setting_nothing_is_fetched(site: Site) -> None:
    code, _, said = await site.error(f"/manifest/?url={BASE}a.m3u8")
    assert (code, said) == (404, "This origin says nothing of media elsewhere (elsewhere).")


async def test_an_allowance_that_is_used_up(start: Start) -> None:
    stage = await start(elsewhere_daily=1000.0)
    film(stage.cdn)
    code, _, _ = await stage.site.error(
        f"/manifest/?url={quote(BASE + '480p.m3u8?token=' + TOKEN, safe='')}&at=0"
    )
    assert code == 503
