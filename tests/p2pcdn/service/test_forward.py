"""Requests that the first worker answers, wherever they came."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from yarl import URL

from p2pcdn.config import Config
from p2pcdn.service import Server
from p2pcdn.service.admin import Admin
from p2pcdn.service.forward import Forward
from p2pcdn.service.probes import REQUESTS
from p2pcdn.service.worker import Worker
from tests.p2pcdn.service.hosting import Host


async def mirror(request: web.Request) -> web.Response:
    """Says what was asked."""
    return web.json_response(
        {
            "method": request.method,
            "path": request.raw_path,
            "host": request.headers["Host"],
            "names": sorted(name for name in request.headers),
            "body": (await request.read()).decode(),
        },
        status=418,
        headers={"X-Mirror": "yes", "Set-Cookie": "a=b"},
    )


async def ticking(request: web.Request) -> web.StreamResponse:
    """Says something, and after a while more."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: 1\n\n")
    await asyncio.sleep(30)
    return response


def counted() -> Counter[tuple[str, str]]:
    """Requests that were counted, at whichever worker."""
    return Counter(
        {
            (sample.labels["route"], sample.labels["status"]): int(sample.value)
            for metric in REQUESTS.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }
    )


@asynccontextmanager
async def pair(
    tmp_path: Path, *routes: web.AbstractRouteDef, admin: Admin | None = None
) -> AsyncIterator[tuple[Server, Server]]:
    """The first worker with these routes, and the second, which forwards them."""
    workers = [Worker(index=index, count=2, directory=str(tmp_path)) for index in (0, 1)]
    forward = Forward(workers[1].inside)
    there = Server([Host(*routes)], host="127.0.0.1", port=0, worker=workers[0], admin=admin)
    here = Server(
        [Host(web.route("*", "/{rest:.*}", forward.answer))],
        host="127.0.0.1",
        port=0,
        worker=workers[1],
        admin=admin,
    )
    async with there, here:
        yield there, here
        await forward.close()


async def test_request_and_answer_go_through_as_they_are(tmp_path: Path) -> None:
    async with (
        pair(tmp_path, web.post("/a/{rest:.*}", mirror)) as (_, here),
        aiohttp.ClientSession() as session,
        session.post(
            URL(f"{here.url}/a/b%20c?d=%2F", encoded=True), data="body", headers={"X-A": "1"}
        ) as answer,
    ):
        told = await answer.json()
        assert answer.status == 418
        assert answer.headers["X-Mirror"] == "yes"
        assert answer.headers["Set-Cookie"] == "a=b"
        assert answer.headers["Server"].startswith("p2pcdn/")
        assert told["method"] == "POST"
        assert told["path"] == "/a/b%20c?d=%2F"
        assert told["host"] == f"127.0.0.1:{here.port}"
        assert told["body"] == "body"
        assert "X-A" in told["names"]
        assert not {"X-Forwarded-For", "Via"} & set(told["names"])  # who asks is not hidden


async def test_what_comes_slowly_goes_on_as_it_comes(tmp_path: Path) -> None:
    async with (
        pair(tmp_path, web.get("/stream", ticking)) as (_, here),
        aiohttp.ClientSession() as session,
        session.get(f"{here.url}/stream") as answer,
    ):
        async with asyncio.timeout(5):
            assert await answer.content.readline() == b"data: 1\n"


async def test_those_who_listen_for_long_leave_room_for_others(tmp_path: Path) -> None:
    async with (
        pair(tmp_path, web.get("/stream", ticking), web.get("/a/{rest:.*}", mirror)) as (_, here),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        AsyncExitStack() as streams,
        asyncio.timeout(20),
    ):
        for _ in range(101):  # one more than a connector of aiohttp's has connections by itself
            await streams.enter_async_context(session.get(f"{here.url}/stream"))
        async with session.get(f"{here.url}/a/b") as answer:
            assert answer.status == 418


async def test_a_target_may_be_a_whole_url(tmp_path: Path) -> None:
    async with pair(tmp_path, web.get("/a/{rest:.*}", mirror)) as (_, here):
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        target = f"{here.url}/a/b%20c?d=%2F"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        assert b" 418 " in answer.splitlines()[0]
        assert b'"/a/b%20c?d=%2F"' in answer


async def test_a_request_counts_once_by_the_route_it_has(tmp_path: Path) -> None:
    async with (
        pair(tmp_path, web.get("/a/{rest:.*}", mirror)) as (there, here),
        aiohttp.ClientSession() as session,
    ):
        before = counted()
        for server in (here, there):
            async with session.get(f"{server.url}/a/b"):
                pass
        assert counted() - before == {("/a/{rest}", "418"): 2}


async def test_metrics_are_the_firsts_and_who_may_see_them_is_asked_there(tmp_path: Path) -> None:
    config = Config(listen="0.0.0.0:80", data=tmp_path)
    admin = Admin(config)
    async with pair(tmp_path, admin=admin) as (_, here), aiohttp.ClientSession() as session:
        async with session.get(f"{here.url}/metrics") as answer:
            assert answer.status == 401
        headers = {"Authorization": f"Bearer {admin.token}"}
        async with session.get(f"{here.url}/metrics", headers=headers) as answer:
            assert answer.status == 200
            assert "p2pcdn_http_requests_total" in await answer.text()


async def test_while_the_first_is_away_it_is_said_so(tmp_path: Path) -> None:
    async with pair(tmp_path) as (there, here), aiohttp.ClientSession() as session:
        await there.close()
        async with session.get(f"{here.url}/x") as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "1"
            assert (await answer.json())["error"]["code"] == "service_unavailable"
