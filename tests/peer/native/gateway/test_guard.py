"""What a page may have the gateway fetch."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from peer.native.gateway.guard import NotForPagesError, may_connect, may_read, session

PAGE = "http://127.0.0.1:9"


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
        ("www.example.com", "::127.0.0.1", False),
        ("www.example.com", "fec0::1", False),
        ("www.example.com", "2002:c0a8:101::1", False),
        ("www.example.com", "64:ff9b::192.168.1.1", False),
        ("www.example.com", "64:ff9b::93.184.215.14", True),
        ("www.example.com", "64:ff9b:1::10.0.0.1", False),
        ("www.example.com", "2001:0:5db8:d70e:0:ffff:3f57:fefe", False),
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
        return web.Response(headers={"Access-Control-Allow-Origin": "*"})

    app = web.Application()
    app.router.add_get("/", answer)
    async with (
        TestServer(app) as server,
        session(page) as asking,
    ):
        try:
            async with asking.get(server.make_url("/")) as given:
                assert reached, given.status
        except aiohttp.ClientConnectorError:
            assert not reached


@pytest.mark.parametrize(
    ("allowed", "status", "may"),
    [
        ("*", 200, True),
        (PAGE, 200, True),
        ("http://other.example", 200, False),
        (None, 200, False),
        ("*", 404, False),
        ("*", 302, False),
    ],
)
async def test_an_answer_of_another_origin_has_to_admit_the_page(
    allowed: str | None, status: int, may: bool
) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Origin"] == PAGE
        headers = {} if allowed is None else {"Access-Control-Allow-Origin": allowed}
        return web.Response(status=status, headers=headers)

    app = web.Application()
    app.router.add_get("/manifest/x", answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/manifest/x"))
        assert await may_read(PAGE, url) is may
        assert await may_read(f"http://{server.host}:{server.port}", url)


async def test_who_does_not_answer_admits_nobody(unused_tcp_port: int) -> None:
    assert not await may_read(PAGE, f"http://127.0.0.1:{unused_tcp_port}/")


async def test_no_redirection_leads_to_another_origin_and_none_past_the_question() -> None:
    open_ = {"Access-Control-Allow-Origin": "*"}

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="secret", headers=open_)

    async def closed(request: web.Request) -> web.Response:
        return web.Response(text="secret")

    async def away(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": request.query["to"], **open_})

    app = web.Application()
    app.router.add_get("/open", answer)
    app.router.add_get("/closed", closed)
    app.router.add_get("/away", away)
    async with (
        TestServer(app) as server,
        TestServer(app) as other,
        session(PAGE, str(server.make_url("/site"))) as asking,
    ):
        async with asking.get(server.make_url("/away?to=/open")) as given:
            assert await given.text() == "secret"
        elsewhere = other.make_url("/open")
        for url in (
            server.make_url("/closed"),
            server.make_url("/away?to=/closed"),
            elsewhere,
            server.make_url("/away").with_query(to=str(elsewhere)),
        ):
            with pytest.raises(NotForPagesError):
                await asking.get(url)
