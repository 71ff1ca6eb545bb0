"""A site whose media are on another server: playlists, manifests and ages, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from p2pcdn.config import OriginConfig, UpstreamConfig
from p2pcdn.model import CHUNK_SIZE, content_id
from tests.origin.conftest import Site, StartSite
from tests.origin.media_files import media_playlist, multivariant_playlist, noise
from tests.origin.upstreams import FakeUpstream, Kept, fake_upstream, head, says
from tests.origin.waiting import until

LIMITS = OriginConfig(upstream=UpstreamConfig(private_networks=("127.0.0.1/32",)))
SEGMENTS = {f"film/480p/{n}.ts": noise(150_000 + n, n) for n in range(3)}
FILM = {
    "film/master.m3u8": multivariant_playlist(["480p/index.m3u8"]).encode(),
    "film/480p/index.m3u8": media_playlist(f"{n}.ts" for n in range(3)).encode(),
    **SEGMENTS,
}


@pytest.fixture
async def server() -> AsyncIterator[FakeUpstream]:
    async with fake_upstream() as server:
        for name, data in FILM.items():
            server.files[f"/{name}"] = Kept.of(data)
        yield server


@pytest.fixture
def content(server: FakeUpstream) -> str:
    """Where the media are."""
    return server.url


@pytest.fixture
async def site(start_site: StartSite) -> Site:
    return await start_site(limits=LIMITS)


async def manifest(site: Site, target: str) -> dict[str, Any]:
    response = await site.get(f"/manifest/{target}")
    assert response.status == 200, await response.text()
    found: dict[str, Any] = msgspec.json.decode(await response.read())
    return found


async def test_a_film_is_fetched_once_and_hashed(site: Site, server: FakeUpstream) -> None:
    for name, data in FILM.items():
        response = await site.get(f"/media/{name}")
        assert (response.status, await response.read()) == (200, data)
        assert 0 <= int(response.headers["Age"]) < 60
    page = await manifest(site, "film/480p/index.m3u8")
    assert page["content"] == content_id("pk_demo", "/media/film/master.m3u8")
    lists = await site.get("/manifest/film/480p/index.m3u8?hashes=0-2")
    chunks = sum(-(-len(data) // CHUNK_SIZE) for data in SEGMENTS.values())
    assert len(await lists.read()) == 32 * chunks
    assert [server.gets(f"/{name}") for name in SEGMENTS] == [1, 1, 1]
    response = await site.get("/media/film/480p/0.ts", range="bytes=10-19")
    assert (response.status, await response.read()) == (206, FILM["film/480p/0.ts"][10:20])
    unchanged = await site.get("/media/film/480p/0.ts", if_none_match=response.headers["ETag"])
    assert unchanged.status == 304
    assert "Age" in unchanged.headers


async def test_who_names_whom_is_known_after_a_restart(
    start_site: StartSite, server: FakeUpstream
) -> None:
    first = await start_site(limits=LIMITS)
    await first.get("/media/film/master.m3u8")
    await first.server.close()
    second = await start_site(limits=LIMITS)
    page = await manifest(second, "film/480p/index.m3u8")
    assert page["content"] == content_id("pk_demo", "/media/film/master.m3u8")


async def test_nothing_is_fetched_before_somebody_asks(
    start_site: StartSite, server: FakeUpstream
) -> None:
    site = await start_site(limits=LIMITS)
    await site.get("/media/film/480p/index.m3u8")
    await site.origin._catalog._backlog.work()
    assert [server.gets(f"/{name}") for name in SEGMENTS] == [0, 0, 0]


async def test_a_live_rendition(site: Site, server: FakeUpstream) -> None:
    def put(first: int, last: int) -> None:
        names = [f"{n}.ts" for n in range(first, last + 1)]
        for name in names:
            server.files[f"/live/{name}"] = Kept(noise(100_000, name), f'"{name}"', None)
        text = media_playlist(names, first=first, live=True)
        server.files["/live/index.m3u8"] = Kept.of(text.encode())

    put(0, 2)
    page = await manifest(site, "live/index.m3u8")
    assert (page["live"], page["last"]) == (True, 2)
    waiting = asyncio.create_task(manifest(site, "live/index.m3u8?after=2"))
    put(1, 3)
    page = await waiting
    assert page["last"] == 3
    shown = await site.get("/media/live/index.m3u8")
    assert "3.ts" in await shown.text()
    assert [server.gets(f"/live/{n}.ts") for n in range(4)] == [1, 1, 1, 1]


async def test_what_goes_wrong_has_a_status_and_names_no_server(
    site: Site, server: FakeUpstream
) -> None:
    server.plays["/a.ts"] = says(head(500, {"Content-Length": "0"}))
    server.plays["/b.ts"] = says(head(503, {"Content-Length": "0"}))
    for path, expected in (("c.ts", 404), ("a.ts", 502), ("b.ts", 503)):
        status, _, message = await site.error(f"/media/{path}")
        assert status == expected
        assert "127.0.0.1" not in message
    response = await site.get("/readyz?verbose")
    assert "is in trouble" in await response.text()


async def test_a_body_that_breaks_off_is_no_answer_and_gets_no_hashes(
    site: Site, server: FakeUpstream
) -> None:
    name = "film/480p/1.ts"
    kept = server.files[f"/{name}"]
    headers = {"ETag": kept.etag or "", "Content-Length": str(len(kept.data))}
    await site.request("HEAD", f"/media/{name}")
    server.plays[f"/{name}"] = says(head(200, headers) + kept.data[:100], then="close")
    assert (await site.error(f"/media/{name}"))[0] == 502
    server.plays[f"/{name}"] = says(head(200, headers) + kept.data[:100], then="close")
    page = await manifest(site, "film/480p/index.m3u8")
    assert [record["sequence"] for record in page["segments"]] == [0, 2]
    server.plays.clear()
    await until(lambda: not server.plays)
    page = await manifest(site, "film/480p/index.m3u8")
    assert [record["sequence"] for record in page["segments"]] == [0, 1, 2]
    assert await (await site.get(f"/media/{name}")).read() == kept.data


@pytest.mark.parametrize(
    "target",
    [
        "/media/http://127.0.0.1:{port}/secret",
        "/media/http:/127.0.0.1:{port}/secret",
        "/media//127.0.0.1:{port}/secret",
        "/media/@127.0.0.1:{port}/secret",
        "/media/%40127.0.0.1:{port}/secret",
        "/media/:{port}/secret",
        "/media/..//127.0.0.1:{port}/secret",
        "/media/%2f%2f127.0.0.1:{port}/secret",
        "/media/..%2f..%2fsecret",
        "/media/%2e%2e/secret",
        "/media/film/../../secret",
        "/media/film/..;/secret",
        "/media/%5c%5c127.0.0.1:{port}/secret",
        "/media/film%0d%0aHost:%20127.0.0.1/secret",
        "/media/film%00/secret",
        "/media/?url=http://127.0.0.1:{port}/secret",
        "/manifest/http://127.0.0.1:{port}/secret.m3u8",
    ],
)
async def test_no_request_leads_to_another_server(
    site: Site, server: FakeUpstream, target: str
) -> None:
    async with fake_upstream() as secret:
        secret.files["/secret"] = Kept.of(b"secret")
        response = await site.get(target.format(port=secret.port))
        assert response.status in (400, 404)
        assert secret.connections == 0
    for asked in server.asked:  # names like others, as far as they are allowed
        if (asked.method, asked.path) == ("HEAD", "/"):
            continue  # we have looked whether it is there
        assert asked.path.startswith("/")
        assert not {"", ".", ".."}.intersection(asked.path[1:].split("/"))
