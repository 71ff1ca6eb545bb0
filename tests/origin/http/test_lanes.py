"""Media past aiohttp: the same answers, to the byte, and the same account of them."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from origin.app import Origin
from origin.http import lanes
from origin.http.lanes import BLOCK, STEP, TURN, Body, Lane
from p2pcdn.config import Config, OriginConfig, Tls
from p2pcdn.service import Server, ssl_context
from p2pcdn.service.plain import PlainRequest
from tests.certificates import make_certificate
from tests.origin import rfc9110
from tests.origin.conftest import Site, Totals
from tests.origin.media_files import media_playlist, noise, write, write_vod
from tests.origin.waiting import until
from tests.origin.zips import Part, archive

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there are lanes")

SMALL = noise(20)
LARGE = noise(5_000_000)
EXAMPLES = int(os.environ.get("LANE_EXAMPLES", "150"))
"""More of them, once in a while."""

T = TypeVar("T")


class Spy:
    """Counts who answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = 0
        self.left = 0
        real = Lane.begin

        def begin(lane: Lane, request: PlainRequest) -> Any:
            status = real(lane, request)
            self.taken += status is not None
            self.left += status is None
            return status

        monkeypatch.setattr(Lane, "begin", begin)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch)


class Pair:
    """Two origins of the same files, one without lanes, on a loop of their own thread."""

    def __init__(self, root: Path) -> None:
        self.totals = [Totals(), Totals()]
        self.origins = [
            Origin(
                Config(
                    content=root / "content",
                    data=root / f"data{most}",
                    origin=OriginConfig(open_files=most),
                ),
                totals,
            )
            for most, totals in zip((64, 0), self.totals, strict=True)
        ]
        self.servers = [Server([origin], host="127.0.0.1", port=0) for origin in self.origins]
        self.loop = uvloop.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        for server in self.servers:
            self.do(server.start())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def both(self, *requests: bytes) -> tuple[bytes, bytes]:
        """What comes back for these, each sent once the answer before it is there, until the end
        of the connection; but for the time of day."""
        first, second = (self.exchange(server.port, *requests) for server in self.servers)
        return first, second

    def exchange(self, port: int, *requests: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
            reader = wire.makefile("rb")
            came = b""
            for request in requests:
                wire.sendall(request)
                head = b"".join(iter(lambda: reader.readline().removesuffix(b"\r\n"), b""))
                length = re.search(rb"Content-Length: ([0-9]+)", head)
                bodiless = request.startswith(b"HEAD") or head[9:12] in (b"204", b"304")
                came += head + (b"" if bodiless or not length else reader.read(int(length[1])))
                kept = b"Connection: keep-alive" in head if head[5:8] == b"1.0" else True
                if not kept or b"Connection: close" in head:
                    break
            came += reader.read()
        return re.sub(rb"Date: .{29}", b"", came)

    def media(self) -> list[int]:
        """What both have counted, once all is there."""

        async def all_there() -> None:
            await until(lambda: not any(origin._meter._flows for origin in self.origins))

        self.do(all_there())
        return [totals.media for totals in self.totals]

    def close(self) -> None:
        for server in self.servers:
            self.do(server.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    root = tmp_path_factory.mktemp("pair")
    for name, data in (("small.ts", SMALL), ("empty.ts", b""), ("a/ö.mp4", noise(300_000))):
        write(root / "content" / name, data)
    write_vod(root / "content")
    for path in (root / "content").rglob("*.*"):
        # The time of a file is told once its second is over, which may be between two answers.
        os.utime(path, (rfc9110.MODIFIED_SECONDS,) * 2)
    made = Pair(root)
    yield made
    made.close()


@pytest.fixture(scope="module")
def etag(pair: Pair) -> str:
    """That of the small file."""
    head, _ = pair.both(b"HEAD /media/small.ts HTTP/1.1\r\nHost: x\r\n\r\n", LAST)
    found = re.search(rb'Etag: ("[^"]+")', head)
    assert found
    return found[1].decode()


TARGETS = st.sampled_from(
    ["/media/small.ts", "/media/small.ts?token=a%20b", "/media/empty.ts", "/media/a/%C3%B6.mp4",
     "/media/480p_0.ts", "/media/480p.m3u8", "/media/none.ts", "/media/a/../small.ts",
     "/media/small.ts#x", "/media//small.ts", "/media/%73mall.ts", "/livez", "/contents",
     "/media/small.ts/"],
)  # fmt: skip
EXTRAS = st.lists(
    st.sampled_from(
        ["Accept: */*", "Accept-Encoding: gzip, br", "Connection: keep-alive", "Connection: close",
         "Origin: https://site.example", "range: bytes=3-5", "Cookie: a=b", "X-Odd:  a\tb ",
         "Content-Length: 0", "Keep-Alive: 5", "Upgrade: websocket", "Pragma:"]
    ),
    max_size=3,
)  # fmt: skip
VERSIONS = st.sampled_from(["HTTP/1.1"] * 5 + ["HTTP/1.0"])
METHODS = st.sampled_from(["GET"] * 5 + ["HEAD", "HEAD", "OPTIONS", "POST"])


@st.composite
def requests(draw: st.DrawFn, etag: str) -> bytes:
    line = f"{draw(METHODS)} {draw(TARGETS)} {draw(VERSIONS)}"
    asked = draw(rfc9110.requests(len(SMALL)))
    named = [f"{name}: {value.replace('ETAG', etag)}" for name, value in asked.lines]
    fields = [*named, *draw(EXTRAS)]
    return "\r\n".join([line, "Host: x", *fields, "", ""]).encode()


LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_lane_answers_as_aiohttp_does(pair: Pair, etag: str, data: st.DataObject) -> None:
    left, right = pair.both(*data.draw(st.lists(requests(etag), max_size=6)), LAST)
    assert left == right


def test_what_the_lane_answers_is_most(pair: Pair, spy: Spy) -> None:
    whole = b"GET /media/a/%C3%B6.mp4 HTTP/1.1\r\nHost: x\r\n\r\n"
    part = whole.replace(b"Host", b"Range: bytes=65536-131071\r\nHost")
    known = whole.replace(b"Host", b"If-None-Match: *\r\nHost")
    pair.both(whole, LAST)
    before = pair.media()
    spy.taken = 0
    for asked in (whole, part, known, whole.replace(b"GET", b"HEAD")):
        left, right = pair.both(asked, asked, asked, LAST)
        assert left == right
    assert spy.taken == 12
    wanted = 3 * (300_000 + 65_536)
    assert pair.media() == [count + wanted for count in before]
    assert pair.totals[0].overhead == pair.totals[1].overhead


class Client:
    """A raw connection whose buffer may be small: what it has not read it does not have."""

    def __init__(self, server: Server, buffer: int | None = None) -> None:
        self.port = server.port
        self.buffer = buffer

    async def __aenter__(self) -> Client:
        raw = socket.socket()
        if self.buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.buffer)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self.port))
        limit = self.buffer or 65_536
        self.reader, self.writer = await asyncio.open_connection(sock=raw, limit=limit)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    def send(self, target: str, *fields: str) -> None:
        lines = [f"GET {target} HTTP/1.1", "Host: x", *fields, "", ""]
        self.writer.write("\r\n".join(lines).encode())

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def get(self, target: str, *fields: str) -> bytes:
        """A whole answer's body."""
        self.send(target, *fields)
        length = re.search(rb"Content-Length: (\d+)", await self.head())
        assert length
        return await self.reader.readexactly(int(length[1]))


@pytest.fixture
async def large(site: Site, content: Path, spy: Spy) -> Site:
    """A site whose large file is open already."""
    write(content / "large.ts", LARGE)
    async with Client(site.server) as client:
        assert await client.get("/media/large.ts", "Range: bytes=0-0") == LARGE[:1]
    spy.taken = site.totals.media = 0
    return site


async def test_a_slow_client_gets_it_all(large: Site, spy: Spy) -> None:
    async with Client(large.server, 16_384) as client:
        assert await client.get("/media/large.ts") == LARGE
        assert await client.get("/media/large.ts", "Range: bytes=7-9") == LARGE[7:10]
    assert spy.taken == 2
    await until(lambda: large.totals.media == len(LARGE) + 3)
    assert not large.origin._meter._flows


async def test_little_waits_for_a_client_who_does_not_read(large: Site) -> None:
    async with Client(large.server, 16_384) as client:
        client.send("/media/large.ts")
        await client.head()
        await asyncio.sleep(0.05)
        runner = large.server._runner
        assert runner
        assert runner.server
        transports = [handler.transport for handler in runner.server.connections]
        waiting = [transport.get_write_buffer_size() for transport in transports if transport]
        assert 0 < max(waiting) <= BLOCK
        assert large.totals.media < 1_000_000


async def test_who_leaves_has_what_was_read(large: Site) -> None:
    async with Client(large.server, 16_384) as client:
        client.send("/media/large.ts")
        await client.head()
        await client.reader.readexactly(1_000_000)
    await until(lambda: not large.origin._meter._flows)
    assert 1_000_000 <= large.totals.media <= 1_000_000 * 1.02 + 65_536


async def test_who_leaves_at_once_has_what_there_was(large: Site) -> None:
    async with Client(large.server) as client:
        for _ in range(20):
            assert len(await client.get("/media/large.ts", "Range: bytes=0-65535")) == 65_536
    await until(lambda: not large.origin._meter._flows)
    assert large.totals.media == 20 * 65_536


async def test_who_asks_ahead_gets_one_after_the_other(large: Site, spy: Spy) -> None:
    async with Client(large.server, 16_384) as client:
        for first in range(5):
            client.send("/media/large.ts", f"Range: bytes={first}-{first + 299_999}")
        for first in range(5):
            await client.head()
            assert await client.reader.readexactly(300_000) == LARGE[first : first + 300_000]
    assert spy.taken == 5
    await until(lambda: large.totals.media == 5 * 300_000)


async def test_a_client_that_stalls_is_cut(tmp_path: Path, content: Path, spy: Spy) -> None:
    write(content / "large.ts", LARGE)
    limits = OriginConfig(stall_timeout=0.1)
    origin = Origin(Config(content=content, data=tmp_path / "data"), Totals())
    async with Server([origin], host="127.0.0.1", port=0, limits=limits) as server:
        async with Client(server) as client:
            await client.get("/media/large.ts", "Range: bytes=0-0")
        async with Client(server, 16_384) as client:
            client.send("/media/large.ts")
            await client.head()
            await until(lambda: not origin._meter._flows)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.reader.readexactly(len(LARGE))
    assert spy.taken == 1


async def test_a_file_that_is_replaced_is_noticed_with_the_next_request(
    large: Site, content: Path, spy: Spy
) -> None:
    async with Client(large.server) as client:
        for number in range(3):
            data = write(content / "large.ts", noise(50_000, number))
            assert await client.get("/media/large.ts") == data
            assert await client.get("/media/large.ts") == data
        (content / "large.ts").unlink()
        client.send("/media/large.ts")
        assert (await client.head()).startswith(b"HTTP/1.1 404 ")
    assert spy.taken == 3


async def test_an_answer_goes_on_with_the_file_that_it_began_with(
    large: Site, content: Path
) -> None:
    async with Client(large.server, 16_384) as slow, Client(large.server) as quick:
        slow.send("/media/large.ts")
        await slow.head()
        data = write(content / "large.ts", b"another")
        assert await quick.get("/media/large.ts") == data
        assert await slow.reader.readexactly(len(LARGE)) == LARGE


async def test_a_file_that_shrinks_ends_the_connection(large: Site, content: Path) -> None:
    with capture_logs() as logs:
        async with Client(large.server, 16_384) as client:
            client.send("/media/large.ts")
            await client.head()
            os.truncate(content / "large.ts", 2_000_000)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.reader.readexactly(len(LARGE))
    assert "file_changed" in [entry["event"] for entry in logs]
    await until(lambda: not large.origin._meter._flows)


async def test_cut_off(large: Site, spy: Spy) -> None:
    large.origin.cut = True
    async with Client(large.server) as client:
        client.send("/media/large.ts")
        assert (await client.head()).startswith(b"HTTP/1.1 503 ")
    assert spy.taken == 0


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], bool]], None]:
    """Say what is in memory, by its offset."""

    def say(what: Callable[[int], bool]) -> None:
        monkeypatch.setattr(lanes, "is_cached", lambda _, offset: what(offset))

    return say


async def test_what_is_not_in_memory_is_aiohttps(
    large: Site, spy: Spy, cached: Callable[[Callable[[int], bool]], None]
) -> None:
    cached(lambda _: False)
    async with Client(large.server) as client:
        assert await client.get("/media/large.ts") == LARGE
    assert spy.taken == 0


async def test_what_is_in_memory_but_in_part_is_read_in_a_thread(
    large: Site, spy: Spy, cached: Callable[[Callable[[int], bool]], None]
) -> None:
    cached(lambda offset: offset < STEP or offset > 3_000_000)
    async with Client(large.server) as client:
        assert await client.get("/media/large.ts") == LARGE
    assert spy.taken == 1
    await until(lambda: large.totals.media == len(LARGE))


async def test_a_disk_that_fails_ends_the_connection(
    large: Site,
    cached: Callable[[Callable[[int], bool]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    cached(lambda offset: offset < STEP)
    monkeypatch.setattr("origin.sources.directory.DirectoryFile.read", fail)
    with capture_logs() as logs:
        async with Client(large.server) as client:
            client.send("/media/large.ts")
            await client.head()
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.reader.readexactly(len(LARGE))
    assert [entry["event"] for entry in logs] == ["file_damaged"]
    await until(lambda: not large.origin._meter._flows)
    assert large.totals.media <= STEP + 65_536


async def test_who_leaves_while_a_thread_reads_lets_the_file_go(
    large: Site,
    cached: Callable[[Callable[[int], bool]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, release, bodies = threading.Event(), threading.Event(), list[Body]()
    real = Body.read

    def read(body: Body) -> bool:
        bodies.append(body)
        reading.set()
        release.wait(10)
        return real(body)

    cached(lambda offset: offset < STEP)
    monkeypatch.setattr(Body, "read", read)
    async with Client(large.server) as client:
        client.send("/media/large.ts")
        await until(reading.is_set)
    await until(lambda: bodies[0]._left)
    assert bodies[0]._is_own
    release.set()
    await until(lambda: not bodies[0]._is_own)


async def test_everybody_has_a_turn(large: Site, content: Path, spy: Spy) -> None:
    assert len(LARGE) > 2 * TURN
    async with Client(large.server) as client:
        assert await client.get("/media/large.ts") == LARGE
    assert spy.taken == 1


async def test_a_member_of_an_archive(tmp_path: Path, spy: Spy) -> None:
    members = {"a.ts": noise(200_000), "b.ts": noise(300_000, 1)}
    path = tmp_path / "site.zip"
    write(path, archive(*(Part(name.encode(), data) for name, data in members.items())))
    totals = Totals()
    origin = Origin(Config(content=path, data=tmp_path / "data"), totals)
    async with Server([origin], host="127.0.0.1", port=0) as server, Client(server) as client:
        for name, data in members.items():
            for _ in range(3):
                assert await client.get(f"/media/{name}") == data
                assert await client.get(f"/media/{name}", "Range: bytes=-5") == data[-5:]
        assert spy.taken == 10
        write(path, archive(Part(b"a.ts", b"new")))
        assert await client.get("/media/a.ts") == b"new"
        await until(lambda: totals.media == 3 * (500_000 + 10) + 3)


async def test_over_tls_there_is_no_lane(tmp_path: Path, content: Path, spy: Spy) -> None:
    cert, key = make_certificate(tmp_path)
    write(content / "a.ts", b"secret")
    origin = Origin(Config(content=content, data=tmp_path / "data"), Totals())
    tls = ssl_context(Tls(cert=cert, key=key))
    async with Server([origin], host="127.0.0.1", port=0, tls=tls) as server:
        context = ssl.create_default_context(cafile=cert)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, ssl=context, server_hostname="localhost"
        )
        for _ in range(2):
            writer.write(b"GET /media/a.ts HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(6) == b"secret"
        writer.close()
    assert spy.taken + spy.left == 0


async def test_the_files_of_a_live_stream_are_called_so(
    site: Site, content: Path, spy: Spy
) -> None:
    write(content / "0.ts", SMALL)
    write(content / "live.m3u8", media_playlist(["0.ts"], live=True))
    await site.get("/media/0.ts")
    await site.get("/manifest/live.m3u8")
    await until(lambda: site.origin._catalog.is_live_segment("0.ts"))
    answer = await site.get("/media/0.ts")
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert spy.taken == 1
    content_id = site.origin._catalog.content_of("0.ts")
    assert content_id
    await until(lambda: site.totals.contents[content_id] == len(SMALL))
