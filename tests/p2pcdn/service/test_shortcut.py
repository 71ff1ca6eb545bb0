"""A shortcut made for the test beside aiohttp's routes, on real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from p2pcdn.config import OriginConfig
from p2pcdn.service import Server
from p2pcdn.service.plain import PlainRequest
from p2pcdn.service.shortcut import Knowing, Lane, Shortcut
from tests.p2pcdn.service.hosting import Host, Wire, connected, hello


class Track:
    """A lane that answers what is below /quick, at once or when the test says so."""

    def __init__(self, transport: asyncio.Transport, wake: Callable[[], None], desk: Desk) -> None:
        self.transport = transport
        self.wake = wake
        self.desk = desk
        self.target = ""
        self.left = False

    def begin(self, request: PlainRequest) -> HTTPStatus | None:
        if not request.target.startswith("/quick"):
            return None
        self.target = request.target
        return HTTPStatus.OK

    def go_on(self) -> bool:
        if self.desk.fails:
            raise BrokenPipeError
        if not self.desk.ready:
            return False
        text = f"quick {self.target}"
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n"
        self.transport.write(f"{head}{text}".encode())
        return True

    def pass_by(self) -> None:
        self.desk.passed += 1

    def leave(self) -> None:
        self.left = True


class Desk(Host):
    """A service with a shortcut."""

    route = "/quick"

    def __init__(self, *routes: web.AbstractRouteDef) -> None:
        super().__init__(*routes)
        self.tracks: list[Track] = []
        self.ready = True
        self.fails = False
        self.passed = 0

    def shortcut(self) -> Shortcut:
        return self

    def lane(self, transport: asyncio.Transport, wake: Callable[[], None]) -> Lane:
        self.tracks.append(Track(transport, wake, self))
        return self.tracks[-1]


@asynccontextmanager
async def quick(
    *routes: web.AbstractRouteDef, limits: OriginConfig | None = None
) -> AsyncIterator[tuple[Desk, Server, Wire]]:
    desk = Desk(web.get("/slow", hello), web.post("/slow", hello), *routes)
    server = Server([desk], host="127.0.0.1", port=0, limits=limits)
    async with server, connected(server) as wire:
        yield desk, server, wire


def asked(*paths: str) -> str:
    return "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths)


async def bodies(wire: Wire, count: int) -> list[str]:
    return [(await wire.answer()).body.decode() for _ in range(count)]


async def settled(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


def answers(route: str) -> float:
    labels = {"route": route, "status": "200"}
    return REGISTRY.get_sample_value("p2pcdn_http_requests_total", labels) or 0


async def test_what_it_knows_it_answers_and_the_rest_is_aiohttps() -> None:
    before = answers("/quick")
    async with quick() as (desk, _, wire):
        for path, body in (("/quick/1", "quick /quick/1"), ("/slow", "hello")) * 2:
            wire.send(asked(path))
            assert await bodies(wire, 1) == [body]
        assert desk.passed >= 2
    assert answers("/quick") == before + 2
    await settled(lambda: desk.tracks[0].left)


async def test_the_figures_are_told_a_moment_later() -> None:
    before = answers("/quick")
    async with quick() as (_, _, wire):
        for number in (1, 3):
            wire.send(asked("/quick/1", "/quick/2"))
            await bodies(wire, 2)
            await settled(lambda number=number: answers("/quick") == before + number + 1)  # type: ignore[misc]


async def test_answers_come_in_the_order_of_their_requests() -> None:
    async with quick() as (_, _, wire):
        wire.send(asked("/quick/1", "/quick/2", "/slow", "/quick/3", "/slow", "/quick/4"))
        wanted = ["quick /quick/1", "quick /quick/2", "hello"]
        assert await bodies(wire, 3) == wanted
        # What came behind one of aiohttp's is aiohttp's, too.
        assert [(await wire.answer()).status for _ in range(3)] == [404, 200, 404]
        wire.send(asked("/quick/5"))
        assert await bodies(wire, 1) == ["quick /quick/5"]


@pytest.mark.parametrize(
    "odd",
    [
        "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n\r\n",
        "GET /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /sl",
    ],
)
async def test_after_anything_odd_a_connection_is_aiohttps(odd: str) -> None:
    async with quick() as (_, _, wire):
        wire.send(asked("/quick/1"))
        assert await bodies(wire, 1) == ["quick /quick/1"]
        wire.send(odd)
        assert await bodies(wire, 1) == ["hello"]
        if odd.endswith("/sl"):
            wire.send("ow HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await bodies(wire, 1) == ["hello"]
        wire.send(asked("/quick/2"))
        assert (await wire.answer()).status == 404


async def test_a_request_that_comes_in_pieces_is_aiohttps() -> None:
    async with quick() as (_, _, wire):
        wire.send("GET /quick")
        await asyncio.sleep(0.01)
        wire.send(" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await wire.answer()).status == 404


async def test_what_comes_while_an_answer_is_sent_waits() -> None:
    async with quick() as (desk, _, wire):
        desk.ready = False
        wire.send(asked("/quick/1"))
        await settled(lambda: desk.tracks and desk.tracks[0].target)
        wire.send(asked("/slow", "/quick/2"))
        await asyncio.sleep(0.01)
        desk.ready = True
        desk.tracks[0].wake()
        assert await bodies(wire, 2) == ["quick /quick/1", "hello"]
        assert (await wire.answer()).status == 404  # behind one of aiohttp's
        wire.send(asked("/quick/3"))
        assert await bodies(wire, 1) == ["quick /quick/3"]


async def test_what_comes_while_aiohttp_answers_is_aiohttps() -> None:
    release = asyncio.Event()

    async def late(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response(text="late")

    async with quick(web.get("/late", late), web.get("/quick/2", hello)) as (_, _, wire):
        wire.send(asked("/late"))
        await asyncio.sleep(0.01)
        wire.send(asked("/quick/2"))
        await asyncio.sleep(0.01)
        release.set()
        assert await bodies(wire, 2) == ["late", "hello"]


async def test_an_idle_connection_is_closed_after_an_answer_as_ever() -> None:
    async with quick(limits=OriginConfig(keepalive=0.05)) as (desk, _, wire):
        desk.ready = False
        wire.send(asked("/quick/1"))
        await asyncio.sleep(0.15)  # longer than it is kept: but it is not idle
        desk.ready = True
        desk.tracks[0].wake()
        assert await bodies(wire, 1) == ["quick /quick/1"]
        assert await wire.ended() == b""


async def test_the_header_clock_stops_with_the_first_request() -> None:
    async with quick(limits=OriginConfig(header_timeout=0.1)) as (_, _, wire):
        wire.send(asked("/quick/1"))
        await bodies(wire, 1)
        await asyncio.sleep(0.2)
        wire.send(asked("/quick/2"))
        assert await bodies(wire, 1) == ["quick /quick/2"]


async def test_an_answer_under_way_is_finished_before_the_server_goes() -> None:
    async with quick() as (desk, server, wire):
        desk.ready = False
        wire.send(asked("/quick/1", "/quick/2"))
        await settled(lambda: desk.tracks and desk.tracks[0].target)
        closing = asyncio.create_task(server.close())
        await asyncio.sleep(0.05)
        desk.ready = True
        desk.tracks[0].wake()
        assert await bodies(wire, 1) == ["quick /quick/1"]
        assert await wire.ended() == b""
        await closing


async def test_a_server_does_not_wait_for_who_takes_nothing() -> None:
    async with quick() as (desk, server, wire):
        desk.ready = False
        wire.send(asked("/quick/1"))
        await settled(lambda: desk.tracks and desk.tracks[0].target)
        async with asyncio.timeout(5):
            await server.close()
        assert await wire.ended() == b""
        assert desk.tracks[0].left


async def test_a_lane_that_fails_ends_the_connection() -> None:
    async with quick() as (desk, _, wire):
        desk.fails = True
        wire.send(asked("/quick/1"))
        assert await wire.ended() == b""
        await settled(lambda: desk.tracks[0].left)


async def test_who_gets_no_place_gets_no_lane() -> None:
    async with quick(limits=OriginConfig(connections=1)) as (desk, server, wire):
        wire.send(asked("/quick/1"))
        await bodies(wire, 1)
        async with connected(server) as second:
            assert (await second.answer()).status == 503
        assert len(desk.tracks) == 1


async def test_a_service_may_have_none() -> None:
    class Without(Desk):
        def shortcut(self) -> None:  # type: ignore[override]
            return None

    async with Server([Without()], host="127.0.0.1", port=0) as server, connected(server) as wire:
        wire.send(asked("/quick/1"))
        assert (await wire.answer()).status == 404


def test_services_of_a_kind() -> None:
    services: Iterable[object] = [Desk(), Host()]
    assert [isinstance(service, Knowing) for service in services] == [True, False]
