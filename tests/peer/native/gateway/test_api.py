"""The REST API: for the owner, and as far as it goes for pages."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from peer.native.gateway import Gateway
from peer.native.runner import PeerError
from tests.peer.native import test_tokens as tokens
from tests.peer.native.gateway.conftest import ask, request
from tests.peer.native.gateway.test_connection import NOTHING
from tests.peer.native.gateway.test_media import beside, on_disk, watched
from tests.peer.native.hosting import LENGTH, SEGMENTS, Site

PAGE = "https://page.example"


class Client:
    """Asks the API, as the owner or as a page."""

    def __init__(self, http: aiohttp.ClientSession, base: str, origin: str | None = None) -> None:
        self.base = base
        self.headers = {"Origin": origin} if origin else {}
        self._http = http

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        url = f"{self.base}api/v1/{path}"
        async with self._http.request(method, url, json=body, headers=self.headers) as answer:
            if answer.content_type == "application/json":
                return answer.status, await answer.json()
            return answer.status, await answer.text()


@pytest.fixture
def owner(gateway: Gateway, http: aiohttp.ClientSession) -> Client:
    return Client(http, gateway.url)


async def paired(gateway: Gateway, http: aiohttp.ClientSession, origin: str) -> Client:
    code = gateway.new_code().replace("-", "")
    host, port = gateway.address
    url = f"http://{host}:{port}/{code}/pair"
    async with http.post(url, headers={"Origin": origin}) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        return Client(http, (await answer.json())["base"], origin)


async def test_contents_are_added_shown_paused_and_removed(
    site: Site, owner: Client, http: aiohttp.ClientSession
) -> None:
    url = site.media("show/master.m3u8")
    status, added = await owner("POST", "contents", {"url": url})
    assert (status, added["state"], added["url"], added["keep"]) == (201, "shared", url, False)
    assert (await owner("POST", "contents", {"url": url}))[1]["id"] == added["id"]
    assert await watched(http, added["media"]) == on_disk(site)
    status, (listed,) = await owner("GET", "contents")
    assert listed["bytes"] == {"origin": SEGMENTS * LENGTH, "peers": 0, "shared": 0}
    assert listed["segments"] == {"kept": SEGMENTS, "known": 2 * SEGMENTS}

    path = f"contents/{added['id']}"
    assert (await owner("PATCH", path, {"paused": True}))[1]["state"] == "paused"
    async with http.get(beside(added["media"], "low/0.ts")) as answer:
        assert await answer.read() == (site.content / "show/low/0.ts").read_bytes()
    assert (await owner("PATCH", path, {"paused": False}))[1]["state"] == "shared"
    assert (await owner("GET", path))[1]["state"] == "shared"
    assert (await owner("DELETE", path)) == (204, "")
    assert await owner("GET", "contents") == (200, [])
    assert (await owner("GET", path))[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "contents", {"url": "film"}, 400, "'film' is none"),
        ("POST", "contents", {}, 400, "missing required field `url`"),
        ("POST", "contents", {"url": "x", "more": 1}, 400, "unknown field `more`"),
        ("PATCH", "contents/x", {"paused": 1}, 400, "Expected `bool`"),
        ("DELETE", "contents/x", None, 404, "no such content"),
        ("GET", "elsewhere", None, 404, "There is no GET elsewhere"),
        ("DELETE", "pages?origin=https://x.example", None, 404, "No such page"),
    ],
)
async def test_what_is_wrong_is_said(
    owner: Client, method: str, path: str, body: Any, status: int, said: str
) -> None:
    got, text = await owner(method, path, body)
    assert got == status
    assert said in text


async def test_a_content_that_is_not_there_is_kept_with_its_reason(
    site: Site, owner: Client
) -> None:
    _, added = await owner("POST", "contents", {"url": site.media("none.bin")})
    assert added["state"] == "plain"
    assert added["failure"] == f"There is no content at {site.media('none.bin')}."


async def test_a_page_is_paired_once_with_a_code(
    gateway: Gateway, owner: Client, http: aiohttp.ClientSession
) -> None:
    assert (await owner("GET", "code"))[1] == {"code": None, "seconds": None}
    shown = (await owner("POST", "code"))[1]
    assert shown["seconds"] == pytest.approx(300, abs=2)
    code = shown["code"].replace("-", "")
    text = request(f"POST /{code}/pair", gateway, origin=PAGE)
    assert (await ask(gateway, text)).data.startswith(b"HTTP/1.1 200")
    assert await ask(gateway, text) == NOTHING
    assert await owner("GET", "pages") == (200, [PAGE])
    assert await owner("DELETE", f"pages?origin={PAGE}") == (204, "")
    assert await owner("GET", "pages") == (200, [])


async def test_preflights_are_answered_to_those_who_are_let_in(
    gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    page = await paired(gateway, http, PAGE)
    asks = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    async with http.options(f"{page.base}api/v1/contents", headers=asks) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
        assert "Access-Control-Allow-Local-Network" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


async def test_a_page_reads_what_it_could_read_by_itself(
    site: Site, gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    page = await paired(gateway, http, "http://127.0.0.1:9")
    assert (await page("GET", ""))[0] == 200
    status, added = await page(
        "POST", "contents", {"url": site.media("show/master.m3u8"), "keep": True}
    )
    assert (status, added["state"], added["keep"]) == (201, "shared", False)
    async with http.get(beside(added["media"], "low/index.m3u8"), headers=page.headers) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == page.headers["Origin"]
        assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]
    async with http.get(beside(added["media"], "low/0.ts"), headers=page.headers) as answer:
        assert await answer.read() == (site.content / "show/low/0.ts").read_bytes()
    assert (await page("GET", f"contents/{added['id']}"))[1]["bytes"]["origin"] >= LENGTH


async def test_a_page_brings_a_token_where_a_site_wants_one(
    content: Path, tmp_path: Path, gateway: Gateway, owner: Client, http: aiohttp.ClientSession
) -> None:
    page = await paired(gateway, http, "http://127.0.0.1:9")
    async with tokens.hosted(content, tmp_path / "data") as (url, _):
        await page("POST", "contents", {"url": url})
        [entry] = gateway.contents.all
        assert entry.peer is not None
        with pytest.raises(PeerError, match="bad_token"):
            await entry.peer.until(lambda: False)
        status, wanted = await page("GET", f"token?url={url}")
        assert status == 200
        assert (wanted["site"], wanted["url"]) == (tokens.SITE, tokens.PATH)
        token = tokens.BACK_END.token(
            {
                "iss": wanted["site"],
                "content": wanted["content"],
                "client": wanted["client"],
                "cnf": {"jkt": wanted["thumbprint"]},
                "jti": "one",
                "exp": int(time.time()) + 120,
            }
        )
        _, added = await page("POST", "contents", {"url": url, "token": token})
        assert added["failure"] is None
        peer = entry.peer
        await peer.until(lambda: bool(peer.peer))
        assert token not in str(added)
        others = await owner("GET", f"token?url={url}")
        assert others[1]["thumbprint"] != wanted["thumbprint"], "nobody is known by his key"
    assert (await page("GET", f"token?url={url}"))[0] == 403
    assert (await owner("GET", f"token?url={url}"))[0] == 502
    assert (await owner("GET", "token"))[0] == 400


async def test_a_page_gets_nothing_of_this_machine(
    site: Site, gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    page = await paired(gateway, http, PAGE)
    status, said = await page("POST", "contents", {"url": site.media("show/master.m3u8")})
    assert (status, said) == (403, "A page gets what it could read by itself, nothing else.")
    assert gateway.contents.all == []


async def test_each_answer_has_to_admit_the_page(
    site: Site, gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    async def media(request: web.Request) -> web.Response:
        allowed = {"Access-Control-Allow-Origin": "*"} if request.path.endswith(".m3u8") else {}
        return web.Response(text="secret", headers=allowed)

    app = web.Application()
    app.router.add_get("/{path:.*}", media)
    async with TestServer(app) as server:
        page = await paired(gateway, http, "http://127.0.0.1:9")
        _, added = await page("POST", "contents", {"url": str(server.make_url("/media/x.m3u8"))})
        for name, status in (("x.m3u8", 200), ("x.ts", 403)):
            url = beside(added["media"], name)
            async with http.get(url, headers=page.headers) as answer:
                assert (answer.status, "secret" in await answer.text()) == (status, status == 200)


async def test_a_page_sees_nothing_of_the_owners_and_of_other_pages(
    site: Site, gateway: Gateway, owner: Client, http: aiohttp.ClientSession
) -> None:
    _, added = await owner("POST", "contents", {"url": site.media("show/master.m3u8")})
    page = await paired(gateway, http, "http://127.0.0.1:9")
    other = await paired(gateway, http, "http://127.0.0.1:10")
    _, theirs = await other("POST", "contents", {"url": site.media("movie.bin")})
    for method, path in (
        ("GET", "contents"),
        ("GET", "pages"),
        ("GET", "code"),
        ("POST", "code"),
        ("DELETE", f"contents/{added['id']}"),
    ):
        assert (await page(method, path))[0] == 403
    for entry in (added, theirs):
        assert (await page("GET", f"contents/{entry['id']}"))[0] == 404
        path = "media/" + entry["media"].partition("/media/")[2]
        async with http.get(page.base + path, headers=page.headers) as answer:
            assert answer.status == 404
    _, listed = await owner("GET", "contents")
    assert [entry["media"] is None for entry in listed] == [False, True]


async def test_a_page_forgets_itself_alone(
    gateway: Gateway, owner: Client, http: aiohttp.ClientSession
) -> None:
    page = await paired(gateway, http, PAGE)
    other = await paired(gateway, http, "https://other.example")
    assert (await page("DELETE", "pages?origin=https://other.example"))[0] == 204
    assert await owner("GET", "pages") == (200, ["https://other.example"])
    with pytest.raises(aiohttp.ClientError):
        await page("GET", "")
    assert (await other("GET", ""))[0] == 200
