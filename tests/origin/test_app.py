"""The origin as a service."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from origin.app import Origin
from p2pcdn.config import Config, OriginConfig
from p2pcdn.core.ledger import Ledger
from p2pcdn.errors import ConfigError
from p2pcdn.service import Server, Service
from p2pcdn.wire.manifest import Records
from tests.origin.conftest import Site, StartSite, Totals
from tests.origin.media_files import media_playlist, write, write_vod
from tests.origin.waiting import until


def test_it_is_a_service(content: Path, tmp_path: Path) -> None:
    service: Service = Origin(Config(content=content, data=tmp_path / "data"), Ledger())
    assert service.problems() == []


async def test_cut_off(site: Site, content: Path) -> None:
    write_vod(content)
    site.origin.cut = True
    for target in ("/media/480p_0.ts", "/media/480p.m3u8", "/manifest/480p.m3u8"):
        assert await site.error(target) == (
            503,
            "service_unavailable",
            "The origin is cut off for now.",
        )
    assert (await site.get("/livez")).status == 200
    site.origin.cut = False
    assert (await site.get("/media/480p_0.ts")).status == 200


async def test_what_comes_out_live_is_passed_on(content: Path, tmp_path: Path) -> None:
    def publish(last: int) -> None:
        write(content / f"{last}.ts", f"segment {last}")
        names = [f"{number}.ts" for number in range(last + 1)]
        write(content / "live.m3u8", media_playlist(names, live=True))

    told: list[Records] = []
    config = Config(content=content, data=tmp_path / "data")
    origin = Origin(config, Totals(), pass_on=told.append)
    publish(0)
    server = Server([origin], host="127.0.0.1", port=0)
    async with server, ClientSession() as session:
        await session.get(f"{server.url}/manifest/live.m3u8")
        publish(1)
        await until(lambda: told)
    assert [record.sequence for record in told[0].page.segments] == [1]


async def test_bytes_are_counted_by_content(site: Site, content: Path) -> None:
    write_vod(content)
    write(content / "other.bin", "of no content that is known")
    manifest = await (await site.get("/manifest/480p.m3u8")).json()
    sizes = [len(await (await site.get(f"/media/480p_{n}.ts")).read()) for n in range(3)]
    other = len(await (await site.get("/media/other.bin")).read())
    await until(lambda: site.totals.media == sum(sizes) + other)
    assert site.totals.contents[manifest["content"]] == sum(sizes)
    assert site.totals.contents.total() == site.totals.media


async def test_more_routes(start_site: StartSite) -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    site = await start_site(extra_routes=(web.get("/demo/", hello),))
    assert await (await site.get("/demo/")).text() == "hello"


async def test_pages_of_one_site_only(start_site: StartSite, content: Path) -> None:
    write(content / "a.ts", b"x")
    site = await start_site(limits=OriginConfig(allow_origin="https://page.example"))
    response = await site.get("/media/a.ts")
    assert response.headers["Access-Control-Allow-Origin"] == "https://page.example"
    assert response.headers["Timing-Allow-Origin"] == "https://page.example"


def test_it_needs_content(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Say what to serve"):
        Origin(Config(data=tmp_path), Totals())
    with pytest.raises(ConfigError, match="has to be a directory"):
        Origin(Config(content=tmp_path / "none", data=tmp_path), Totals())


async def test_problems(site: Site, content: Path) -> None:
    assert (await site.get("/readyz")).status == 200
    shutil.rmtree(content)
    response = await site.get("/readyz?verbose")
    assert response.status == 503
    assert await response.text() == f"The directory of the media, {content}, is gone.\n"


async def test_it_closes_while_somebody_downloads(start_site: StartSite, content: Path) -> None:
    write(content / "movie.mp4", b"x" * 20_000_000)
    site = await start_site()
    async with await site.request("GET", "/media/movie.mp4") as response:
        await response.content.read(100_000)
        await site.server.close()
    assert not site.origin._meter._flows
    assert site.totals.media >= 100_000


async def test_it_starts_hashing_by_itself(start_site: StartSite, content: Path) -> None:
    write_vod(content)
    site = await start_site()
    query = "SELECT count(*) FROM hashes"
    await until(lambda: site.origin._store._database.execute(query).fetchone() == (3,))


async def test_a_cdn_in_front_may_keep_what_does_not_change(site: Site, content: Path) -> None:
    write_vod(content)
    write(content / "tv" / "0.ts", b"live")
    write(content / "tv" / "live.m3u8", media_playlist(["0.ts"], live=True))
    await site.get("/manifest/tv/live.m3u8")
    await until(lambda: site.origin._catalog.is_live_segment("tv/0.ts"))
    kept = {
        "/media/480p_0.ts": "public, max-age=86400, immutable",
        "/media/480p.m3u8": "public, max-age=5",
        "/media/tv/0.ts": "public, max-age=60",
        "/media/tv/live.m3u8": "no-cache",
        "/media/none.ts": "no-store",
    }
    for target, wanted in kept.items():
        for page in ("https://one.example", "https://two.example", ""):
            for _ in range(2):  # by aiohttp, and past it
                answer = await site.get(target, origin=page, accept_encoding="gzip, br")
                assert answer.headers["Cache-Control"] == wanted
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert "Vary" not in answer.headers  # one copy for all pages and browsers
                assert "Content-Encoding" not in answer.headers
                assert "Set-Cookie" not in answer.headers
