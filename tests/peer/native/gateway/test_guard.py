"""What a page may have the gateway fetch."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from peer.native.gateway.guard import connector, may_connect, may_read


@pytest.mark.parametrize(
    ("host", "address", "may"),
    [
        ("www.example.com", "93.184.215.14", True),
        ("www.example.com", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("www.example.com", "127.0.0.1", False),
        ("www.example.com", "192.168.1.1", False),
        ("www.example.com", "10.0.0.1", False),
        ("www.example.com", "169.254.169.254", False),
        ("www.example.com", "100.64.0.1", False),
        ("www.example.com", "0.0.0.0", False),
        ("www.example.com", "224.0.0.1", False),
        ("www.example.com", "::1", False),
        ("www.example.com", "fe80::1%eth0", False),
        ("www.example.com", "fd00::1", False),
        ("www.example.com", "::ffff:127.0.0.1", False),
        ("localhost", "127.0.0.1", True),
        ("localhost", "::1", True),
        ("localhost", "192.168.1.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("192.168.1.1", "192.168.1.1", True),
        ("192.168.1.1", "192.168.1.2", False),
    ],
)
def test_an_address_that_is_not_public_is_for_its_own_pages(
    host: str, address: str, may: bool
) -> None:
    assert may_connect(host, address) is may


@pytest.mark.parametrize(
    ("page", "reached"),
    [(None, True), ("http://127.0.0.1:9", True), ("https://evil.example", False)],
)
async def test_it_holds_for_every_connection(page: str | None, reached: bool) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/", answer)
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession(connector=connector(page)) as session,
    ):
        try:
            async with session.get(server.make_url("/")) as given:
                assert reached, given.status
        except aiohttp.ClientConnectorError:
            assert not reached


@pytest.mark.parametrize(
    ("allowed", "may"),
    [("*", True), ("https://page.example", True), ("https://other.example", False), (None, False)],
)
async def test_an_answer_of_another_origin_has_to_admit_the_page(
    allowed: str | None, may: bool
) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Origin"] == "https://page.example"
        headers = {} if allowed is None else {"Access-Control-Allow-Origin": allowed}
        return web.Response(headers=headers)

    app = web.Application()
    app.router.add_get("/manifest/x", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        url = str(server.make_url("/manifest/x"))
        assert await may_read(session, "https://page.example", url) is may
        assert await may_read(session, f"http://{server.host}:{server.port}", url)


async def test_who_does_not_answer_admits_nobody(unused_tcp_port: int) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{unused_tcp_port}/"
        assert not await may_read(session, "https://page.example", url)
