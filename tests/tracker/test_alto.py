"""Maps from files and from a real server: read, kept up to date, and refused in a sentence."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from random import Random

import pytest
import structlog.testing
from aiohttp import web
from aiohttp.test_utils import TestServer

from p2pcdn.core.atlas import Atlas, Regions
from p2pcdn.wire.alto import AltoError, CostMap
from p2pcdn.wire.tracker import Joined, Welcome
from tests.tracker.rig import join, rig
from tracker import alto
from tracker.alto import LEAST, MOST, USUALLY, Alto, File, Web, good_for, read


def networks(pid: str = "home", tag: str = "1") -> bytes:
    document = {
        "meta": {"vtag": {"resource-id": "map", "tag": tag}},
        "network-map": {pid: {"ipv4": ["203.0.113.0/24"]}, "rest": {"ipv4": ["0.0.0.0/0"]}},
    }
    return json.dumps(document).encode()


def costs(cost: float = 5, tag: str = "1", pid: str = "home") -> bytes:
    document = {
        "meta": {"dependent-vtags": [{"resource-id": "map", "tag": tag}]},
        "cost-map": {pid: {"rest": cost}},
    }
    return json.dumps(document).encode()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alto, "LOOK_EVERY", 0.01)


class Watched:
    """Maps, and each atlas that came of them."""

    def __init__(self, *names: Path | str) -> None:
        self.drawn: asyncio.Queue[Atlas] = asyncio.Queue()
        self.maps = Alto(map(str, names), self.drawn.put_nowait, Random(1))

    async def next(self) -> Atlas:
        return await asyncio.wait_for(self.drawn.get(), 60)

    async def noted(self, *said: str) -> None:
        """Wait until the notes are these."""
        for _ in range(6000):
            notes = self.maps.notes()
            if len(notes) == len(said) and all(
                part in note for part, note in zip(said, notes, strict=True)
            ):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(notes)


@asynccontextmanager
async def watching(*names: Path | str) -> AsyncIterator[Watched]:
    made = Watched(*names)
    made.maps.start()
    try:
        yield made
    finally:
        await made.maps.close()


def region(atlas: Atlas, address: str = "203.0.113.7") -> str:
    return atlas.regions.of(ip_address(address))


def put(path: Path, data: bytes) -> Path:
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)
    return path


# Files


async def test_without_maps_nothing_is_known() -> None:
    async with watching() as watched:
        assert region(watched.maps.atlas) == ""
        assert watched.maps.notes() == []


async def test_files_are_read_in_whatever_order(tmp_path: Path) -> None:
    paths = put(tmp_path / "costs", costs()), put(tmp_path / "net", networks())
    async with watching(*paths) as watched:
        atlas = await watched.next()
        assert watched.maps.atlas is atlas
        assert region(atlas) == "home"
        assert atlas.costs.between("home", "rest") == 5


async def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = put(tmp_path / "net", networks())
    async with watching(path) as watched:
        assert region(await watched.next()) == "home"
        put(path, networks("another"))
        assert region(await watched.next()) == "another"


async def test_a_file_is_not_read_while_it_is_written(tmp_path: Path) -> None:
    path = put(tmp_path / "net", b"1")
    file = File(path)
    assert await file.fetch(0.0) == b"1"
    for data in (b"22", b"333"):
        path.write_bytes(data)
        assert await file.fetch(0.0) is None
    assert await file.fetch(0.0) == b"333"
    assert await file.fetch(0.0) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (b"{", "net: It is no map of ALTO: Input data was truncated."),
        (costs(-1), "from home to rest is -1.0: it can't be negative."),
        (b" " * 5_000, "net: It is larger than 4,096 bytes."),
        (None, "net: It cannot be read: No such file or directory."),
    ],
)
async def test_what_is_wrong_is_said_and_what_was_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: bytes | None, said: str
) -> None:
    monkeypatch.setattr(alto, "MOST_BYTES", 4_096)
    path = put(tmp_path / "net", networks())
    async with watching(path) as watched:
        await watched.next()
        with structlog.testing.capture_logs() as logs:
            if wrong is None:
                path.unlink()
            else:
                put(path, wrong)
            await watched.noted(said)
            await asyncio.sleep(0.1)
        assert [entry["event"] for entry in logs] == ["alto_refused"], "it is said once"
        assert region(watched.maps.atlas) == "home"
        put(path, networks("mended"))
        assert region(await watched.next()) == "mended"
        await watched.noted()


async def test_maps_that_do_not_belong_together_are_refused_until_they_do(tmp_path: Path) -> None:
    net, cost = put(tmp_path / "net", networks()), put(tmp_path / "cost", costs())
    async with watching(net, cost) as watched:
        await watched.next()
        put(net, networks("new", tag="2"))
        await watched.noted("The cost map is for the network map map of version 1, and not for")
        assert region(watched.maps.atlas) == "home"
        put(cost, costs(7, tag="2", pid="new"))
        atlas = await watched.next()
        assert region(atlas) == "new"
        assert atlas.costs.between("new", "rest") == 7
        await watched.noted()


async def test_a_cost_map_alone_is_no_map(tmp_path: Path) -> None:
    net = tmp_path / "net"
    async with watching(put(tmp_path / "cost", costs()), net) as watched:
        await watched.noted(
            "net: It cannot be read: No such file or directory.",
            "There is a cost map and no network map that could be read: tracker.alto has to name",
        )
        put(net, networks())
        await watched.next()
        await watched.noted()


async def test_costs_between_pids_that_nobody_has_are_refused(tmp_path: Path) -> None:
    net, cost = put(tmp_path / "net", networks()), put(tmp_path / "cost", costs(pid="elsewhere"))
    async with watching(net, cost) as watched:
        await watched.noted("it has no cost between two PIDs of this one.")
        put(cost, costs())
        await watched.next()
        await watched.noted()


async def test_two_of_a_kind_are_refused(tmp_path: Path) -> None:
    async with watching(
        put(tmp_path / "a", networks()), put(tmp_path / "b", networks())
    ) as watched:
        await watched.noted("There are two network maps: tracker.alto may name one.")


async def test_the_loop_goes_on_while_maps_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def noted(data: bytes) -> Regions | CostMap:
        threads.append(threading.current_thread())
        return read(data)

    monkeypatch.setattr(alto, "read", noted)
    async with watching(put(tmp_path / "net", networks())) as watched:
        await watched.next()
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are read in another process, or not at all."""

    def never(data: bytes) -> Regions | CostMap:
        raise AssertionError("It was read here.")

    monkeypatch.setattr(alto, "APART", 1)
    monkeypatch.setattr(alto, "read", never)


@pytest.mark.usefixtures("apart")
async def test_large_maps_are_read_in_a_process_of_their_own(tmp_path: Path) -> None:
    net = put(tmp_path / "net", networks())
    async with watching(net, put(tmp_path / "cost", costs())) as watched:
        atlas = await watched.next()
        assert region(atlas) == "home"
        assert atlas.costs.between("home", "rest") == 5
        put(net, b"{")
        await watched.noted("net: It is no map of ALTO: Input data was truncated.")


@pytest.mark.usefixtures("apart")
async def test_whoever_reads_them_ends_with_the_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
    create = asyncio.create_subprocess_exec

    async def noted(*_: str, stdin: int, stdout: int) -> asyncio.subprocess.Process:
        process = await create("sleep", "600", stdin=stdin, stdout=stdout)
        made.put_nowait(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    async with watching(put(tmp_path / "net", networks())):
        process = await made.get()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("executable", ["/none", "/bin/false"])
async def test_where_there_can_be_no_process_they_are_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    monkeypatch.setattr(alto, "APART", 1)
    monkeypatch.setattr(sys, "executable", executable)
    with structlog.testing.capture_logs() as logs:
        async with watching(put(tmp_path / "net", networks())) as watched:
            assert region(await watched.next()) == "home"
    assert [entry["event"] for entry in logs] == ["alto_not_apart", "alto_read"]


# URLs


class Server:
    """A server of maps on a real port."""

    def __init__(self) -> None:
        self.answer = web.Response(body=networks())
        self.asked: asyncio.Queue[web.Request] = asyncio.Queue()
        self.hangs = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.put_nowait(request)
        if self.hangs:
            await asyncio.sleep(60)
        etag = self.answer.headers.get("ETag")
        if etag is not None and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag, "Cache-Control": "max-age=700"})
        found, body = self.answer, self.answer.body
        assert isinstance(body, bytes)
        return web.Response(status=found.status, headers=found.headers, body=body)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, str]]:
    made = Server()
    app = web.Application()
    app.router.add_get("/map", made.handle)
    async with TestServer(app, host="127.0.0.1") as server:
        yield made, str(server.make_url("/map"))


async def test_a_map_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as (server, url), watching(url) as watched:
        assert region(await watched.next()) == "home"
        request = await server.asked.get()
        assert "application/alto-networkmap+json" in request.headers["Accept"]
        assert "application/alto-costmap+json" in request.headers["Accept"]


async def test_it_is_asked_again_when_it_is_stale_and_by_its_tag() -> None:
    async with serving() as (server, url):
        page = Web(url, Random(1))
        server.answer = web.Response(
            body=b"one", headers={"ETag": '"1"', "Cache-Control": "max-age=100"}
        )
        assert await page.fetch(1000.0) == b"one"
        assert 1100 <= page.due <= 1110
        assert await page.fetch(2000.0) is None
        assert 2700 <= page.due <= 2770
        server.answer = web.Response(body=b"two", headers={"ETag": '"2"'})
        assert await page.fetch(3000.0) == b"two"
        assert 3000 + USUALLY <= page.due <= 3000 + 1.1 * USUALLY
        tags = [server.asked.get_nowait().headers.get("If-None-Match") for _ in range(3)]
        assert tags == [None, '"1"', '"1"']


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", USUALLY),
        ("public", USUALLY),
        ("max-age=600", 600),
        ("public, max-age=600", 600),
        ("public,MAX-AGE=600,immutable", 600),
        ("s-maxage=600", USUALLY),
        ("max-age=1", LEAST),
        ("max-age=999999999", MOST),
        ("max-age=x", USUALLY),
        ("max-age=600, no-cache", LEAST),
        ("no-store", LEAST),
    ],
)
def test_how_long_an_answer_is_good(header: str, seconds: float) -> None:
    assert good_for(header) == seconds


async def test_what_a_server_does_wrong_is_said_and_it_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alto, "MOST_BYTES", 4_096)
    async with serving() as (server, url):
        page = Web(url, Random(1))

        async def said() -> str:
            with pytest.raises(AltoError) as raised:
                await page.fetch(0.0)
            assert LEAST <= page.due <= 1.1 * LEAST
            return str(raised.value)

        server.answer = web.Response(status=503, body=b"")
        assert await said() == "The server answered 503."
        server.answer = web.Response(body=b"x" * 5_000, headers={"ETag": '"large"'})
        with pytest.raises(AltoError, match=r"larger than 4,096 bytes"):
            await page.fetch(0.0)
        assert page._etag is None, "it was not read"
        server.answer = web.Response(status=302, headers={"Location": "/map"}, body=b"")
        assert (await said()).startswith("It cannot be fetched")
        server.hangs = True
        monkeypatch.setattr(alto, "TIMEOUT", 0.05)
        assert await said() == "There was no whole answer within 0.05 seconds."
    monkeypatch.setattr(alto, "TIMEOUT", 30.0)
    assert (await said()).startswith("It cannot be fetched: connection refused.")


def test_a_password_in_a_url_is_told_nobody() -> None:
    page = Web("https://me:secret@alto.example.net/map?key=secret#x", Random(1))
    assert page.name == "https://alto.example.net/map"


# In the tracker


async def test_regions_bring_viewers_together_and_are_told_nobody(tmp_path: Path) -> None:
    path = put(tmp_path / "net", networks())
    async with rig(alto=(str(path),), trusted_proxies=("127.0.0.1",)) as made:
        where = made.tracker._networks.where
        await made.until(lambda: where(ip_address("203.0.113.7")).region == "home")
        assert where(ip_address("8.8.8.8")).region == "rest"
        client = await made.client(headers={"X-Forwarded-For": "203.0.113.7"})
        await client.expect(Welcome)
        await client.send(join())
        await client.expect(Joined)
        [member] = made.tracker._mind._swarms._members.values()
        assert member.where.region == "home"
        put(path, b"{")
        await made.until(made.tracker.notes)
        [note] = made.tracker.notes()
        assert note.startswith(f"ALTO: {path}: It is no map of ALTO")
