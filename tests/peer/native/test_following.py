"""Lists of contents, in each of their forms, and none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from p2pcdn.errors import ConfigError
from peer.native.following import LIST_BYTES, ListError, contents_of, fetch_contents, list_url

URL = "https://o.test/lists/all"


@pytest.mark.parametrize(
    ("site", "url"),
    [
        ("https://o.test", "https://o.test/contents"),
        ("https://o.test/", "https://o.test/contents"),
        ("https://o.test/my/list.txt", "https://o.test/my/list.txt"),
    ],
)
def test_where_the_list_of_a_site_is(site: str, url: str) -> None:
    assert list_url(site) == url


def test_a_site_that_is_no_url() -> None:
    with pytest.raises(ConfigError, match="a URL such as https://HOST; 'http://\\[x' is none"):
        list_url("http://[x")


@pytest.mark.parametrize(
    "text",
    [
        '{"contents": ["/media/a.m3u8", "https://p.test/media/b.mp4", "/media/a.m3u8"]}',
        '["/media/a.m3u8", "https://p.test/media/b.mp4", 7, "/elsewhere/c.mp4", "/media/", "http://["]',
        '["/media/a.m3u8", "media/\\ud800.mp4", "https://p.test/media/b.mp4"]',
        "# ours\n\n/media/a.m3u8\r\n  https://p.test/media/b.mp4 \nftp://p.test/media/c.mp4\n",
    ],
)
def test_the_contents_of_a_list(text: str) -> None:
    found = contents_of(text, URL)
    assert found == ["https://o.test/media/a.m3u8", "https://p.test/media/b.mp4"]


@pytest.mark.parametrize("text", ["7", '"x"', '{"videos": []}', '{"contents": 1}', "[" * 100_000])
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(ListError, match="is no list of contents"):
        contents_of(text, URL)


def test_a_list_may_be_empty() -> None:
    assert contents_of("", URL) == contents_of("[]", URL) == []


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async def listed(request: web.Request) -> web.Response:
        return web.json_response({"contents": ["media/a.m3u8"]})

    async def long(request: web.Request) -> web.Response:
        return web.Response(text="#" * (LIST_BYTES + 1))

    app = web.Application()
    app.router.add_get("/contents", listed)
    app.router.add_get("/long", long)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


async def test_it_is_fetched(server: TestServer) -> None:
    async with aiohttp.ClientSession() as session:
        root = str(server.make_url("/"))
        assert await fetch_contents(session, root) == [f"{root}media/a.m3u8"]
        with pytest.raises(ListError, match="it answers 404: does the origin list them"):
            await fetch_contents(session, f"{root}none")
        with pytest.raises(ListError, match="has more than"):
            await fetch_contents(session, f"{root}long")
        await server.close()
        with pytest.raises(ListError, match="cannot be reached: connection refused"):
            await fetch_contents(session, root)
