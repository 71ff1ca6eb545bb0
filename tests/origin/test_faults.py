"""Twelve faults, each at three moments: before the first byte of a body, in the middle of it, and
while it is hashed.

Whatever happens, each answer has a clear status or shows by its length that it broke off, no byte
that was sent is another one than some version of the file has, nothing else is hashed or kept, and
as soon as the fault is over all is well again.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import resource
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientPayloadError, ClientSession
from aiohttp.abc import AbstractResolver, ResolveResult

from origin.app import Origin
from origin.catalog import hashing
from origin.catalog.edition import Stretch
from origin.catalog.hash_store import HashStore
from origin.catalog.hashing import chunk_hashes
from origin.fetching.client import Client, Patience
from origin.sources import Source
from origin.sources import upstream as upstream_module
from origin.sources.blocks import BLOCK
from origin.sources.versions import SLICE
from p2pcdn.config import Config, OriginConfig, UpstreamConfig
from p2pcdn.model import CHUNK_SIZE, content_id
from p2pcdn.service import Server
from p2pcdn.wire.manifest import segment_root
from tests.origin.buckets import KEYS, Store, equip, moto
from tests.origin.conftest import Site, Totals
from tests.origin.media_files import media_playlist, noise, write
from tests.origin.upstreams import Asked, FakeUpstream, Kept, Play, described, fake_upstream, head
from tests.origin.waiting import until

MOMENTS = ("first", "middle", "hashing")

PLAYLIST = "film/index.m3u8"
VICTIM = "film/1.ts"
LONG = noise(10_000_000, "long")
"""More than an upstream's file that is fetched as a whole, and than fits between two sockets."""

OTHER = noise(10_000_000, "other")
FILM = {
    PLAYLIST: media_playlist(f"{n}.ts" for n in range(3)).encode(),
    "film/0.ts": noise(150_000, 0),
    VICTIM: LONG,
    "film/2.ts": noise(150_000, 2),
}

NAME = "media.internal"
"""Of the upstream's machine."""

DAY = 86_400

HASTY = Patience(head=0.5, silence=0.5, grace=0.5, rate=1e9)

LIMITS = OriginConfig(upstream=UpstreamConfig(private_networks=("127.0.0.1/32",)))

INTERNALS = re.compile(
    rf"127\.0\.0\.1|{NAME}|/tmp|Errno|errno|Traceback|Error\(|\.py|sqlite|{'|'.join(KEYS.values())}"
)


class Witness:
    """Sees all that an origin gives, and holds it against what there is."""

    def __init__(self, site: Site, data: Path) -> None:
        self.site = site
        self._data = data
        self.versions = {path: [data] for path, data in FILM.items()}
        """All that was ever at a path; the last is what is there."""
        self._tagged: dict[tuple[str, str], bytes] = {}
        self._whole = b""
        """The last body that was."""

    async def ask(
        self,
        path: str = VICTIM,
        meanwhile: Callable[[], object] = lambda: None,
        *,
        torn: bool = False,
    ) -> int:
        """The status that a file has; 0 if its body breaks off. ``meanwhile`` happens once the
        first of it has come. It may be ``torn``, its first part of one version and the last before
        the end of another: then nobody is told that it is whole."""
        answer = await self.site.request("GET", f"/media/{path}")
        async with answer:
            if answer.status != 200:
                self._is_clear(answer.headers["Cache-Control"], await answer.text())
                return answer.status
            body = bytearray(await answer.content.readany())
            meanwhile()
            with contextlib.suppress(ClientPayloadError, ConnectionError):
                while block := await answer.content.readany():
                    body += block
            # What came of it may be used: it is played, or goes on by a range.
            right = [v for v in self.versions[path] if v.startswith(body)]
            assert right or torn, f"{path}: wrong bytes"
            if len(body) < int(answer.headers["Content-Length"]):
                return 0
            assert body in self.versions[path]
            self._whole = bytes(body)
            tag = answer.headers["ETag"]
            assert self._tagged.setdefault((path, tag), self._whole) == body, "two bodies, one tag"
            return 200

    async def ask_for_manifest(self) -> int:
        """The status that the film's manifest has; 0 if a segment is left out of it."""
        answer = await self.site.get(f"/manifest/{PLAYLIST}")
        if answer.status != 200:
            self._is_clear(answer.headers["Cache-Control"], await answer.text())
            return answer.status
        records = (await answer.json())["segments"]
        for record in records:
            versions = self.versions[f"film/{record['uri']}"]
            number = record["sequence"]
            roots = [_root(number, v) for v in versions if len(v) == record["length"]]
            assert record["root"] in roots, f"segment {number}: a root of nothing"
        if len(records) == 3:
            return 200
        assert answer.headers["Cache-Control"] == "no-cache"
        return 0

    async def time_of_manifest(self) -> int:
        """When the film's edition was made, as it says."""
        answer = await self.site.get(f"/manifest/{PLAYLIST}")
        time_: int = (await answer.json())["time"]
        return time_

    def look_again(self) -> None:
        """What was found is believed for a while; let that be over."""
        self.site.origin._catalog.doubt(PLAYLIST)

    async def is_well(self, *, ready: bool = True) -> None:
        """All is to be had as it is now; and the origin says so, if it is to be ``ready``."""
        for path, versions in self.versions.items():
            assert await self.ask(path) == 200
            assert self._whole == versions[-1], f"{path}: not what is there"
        assert await self.ask_for_manifest() == 200
        page = await (await self.site.get(f"/manifest/{PLAYLIST}")).json()
        now = [self.versions[f"film/{n}.ts"][-1] for n in range(3)]
        assert [r["root"] for r in page["segments"]] == [_root(n, v) for n, v in enumerate(now)]
        assert not ready or (await self.site.get("/readyz")).status == 200

    def has_kept_nothing_wrong(self) -> int:
        """How many hash lists there are, none of which is of anything but a version."""
        store = HashStore(self._data)
        lists = store.kept()
        for kept in lists:
            end = kept.offset + kept.length
            tagged = self._tagged.get((kept.path, kept.version))
            versions = self.versions[kept.path] if tagged is None else [tagged]
            right = [b"".join(_hashes(data[kept.offset : end])) for data in versions]
            assert store.list_of(kept) in right, f"wrong hashes of {kept}"
        store.close()
        parts = frozenset[bytes]().union(
            *(_parts(data) for versions in self.versions.values() for data in versions)
        )
        for piece in (self._data / "cache").rglob("*"):
            if piece.is_file() and not piece.name.startswith("."):  # which is being written
                held = piece.read_bytes()
                told = hashlib.blake2b(held[:-16], digest_size=16).digest()
                assert told == held[-16:], f"{piece.name} is left half-written"
                assert told in parts, f"{piece.name} is part of nothing"
        return len(lists)

    def _is_clear(self, cached: str, text: str) -> None:
        assert cached == "no-store"
        assert text.startswith('{"error"')
        assert not INTERNALS.search(text), text


@cache
def _parts(data: bytes) -> frozenset[bytes]:
    """Of all that may be kept of a version, what is written behind it."""
    return frozenset(
        hashlib.blake2b(data[at : at + size], digest_size=16).digest()
        for size in (BLOCK, SLICE, len(data))
        for at in range(0, len(data), size)
    )


@cache
def _hashes(data: bytes) -> list[bytes]:
    pieces = (data[at : at + CHUNK_SIZE] for at in range(0, len(data), CHUNK_SIZE))
    return [hashlib.sha256(piece).digest() for piece in pieces]


@cache
def _root(number: int, data: bytes) -> str:
    content = content_id("pk_demo", f"/media/{PLAYLIST}")
    return segment_root(content, PLAYLIST, number, len(data), _hashes(data))


@contextlib.asynccontextmanager
async def origin_of(content: Path | str, data: Path) -> AsyncIterator[Witness]:
    """An origin of this content, and who watches it."""
    config = Config(content=content, data=data, origin=LIMITS)
    totals = Totals()
    origin = Origin(config, totals)
    async with (
        Server([origin], host="127.0.0.1", port=0) as server,
        ClientSession(auto_decompress=False) as session,
    ):
        yield Witness(Site(origin, server, session, totals), data)


# On a disk


class BadDisk:
    """Sectors of one file that cannot be read any more."""

    def __init__(self, patch: pytest.MonkeyPatch, path: Path) -> None:
        self.begin: int | None = None
        """From where on."""
        inode = path.stat().st_ino
        read, look, send = os.pread, os.preadv, os.sendfile

        def is_bad(descriptor: int, end: int) -> bool:
            is_it = self.begin is not None and os.fstat(descriptor).st_ino == inode
            return is_it and end > (self.begin or 0)

        def pread(descriptor: int, size: int, offset: int) -> bytes:
            if is_bad(descriptor, offset + size):
                raise OSError(errno.EIO, "Input/output error")
            return read(descriptor, size, offset)

        def preadv(descriptor: int, buffers: Any, offset: int, flags: int = 0) -> int:
            if is_bad(descriptor, offset + sum(map(len, buffers))):
                raise OSError(errno.EAGAIN, "not in memory")
            return look(descriptor, buffers, offset, flags)

        def sendfile(to: int, descriptor: int, offset: int, size: int) -> int:
            if is_bad(descriptor, offset + size):
                raise OSError(errno.EIO, "Input/output error")
            return send(to, descriptor, offset, size)

        patch.setattr(os, "pread", pread)
        patch.setattr(os, "preadv", preadv)
        patch.setattr(os, "sendfile", sendfile)


@pytest.fixture
async def on_disk(tmp_path: Path) -> AsyncIterator[tuple[Witness, Path]]:
    """An origin of a directory, whose background work does not get in between."""
    content = tmp_path / "content"
    for path, data in FILM.items():
        write(content / path, data)
    async with origin_of(content, tmp_path / "data") as witness:
        yield witness, content / VICTIM


@pytest.fixture(autouse=True)
def nothing_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    async def rest(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("origin.catalog.backlog.Backlog.run", rest)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_disk_with_bad_sectors(
    on_disk: tuple[Witness, Path], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    witness, place = on_disk
    disk = BadDisk(monkeypatch, place)
    for known in (False, True):  # by the long way, and by that of files that are open
        disk.begin = 5_000_000 if moment == "middle" else 0
        if moment == "hashing":
            assert await witness.ask_for_manifest() == (200 if known else 0)
        else:
            assert await witness.ask() == (0 if moment == "middle" else 503)
        assert await witness.ask("film/0.ts") == 200
        disk.begin = None
        await witness.is_well()
    assert witness.has_kept_nothing_wrong() == 3


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_file_is_replaced(on_disk: tuple[Witness, Path], moment: str) -> None:
    witness, place = on_disk

    def replace() -> None:
        witness.versions[VICTIM].append(OTHER)
        write(place, OTHER)

    if moment == "first":
        await witness.is_well()
        replace()
    elif moment == "middle":
        assert await witness.ask(meanwhile=replace) == 200
    else:
        asking = asyncio.create_task(witness.ask_for_manifest())
        await until(lambda: witness.site.origin._catalog.hasher._under_way)
        replace()
        assert await asking == 200
    witness.look_again()
    await witness.is_well()
    assert witness.has_kept_nothing_wrong() == 3


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_file_is_written_to_where_it_is(on_disk: tuple[Witness, Path], moment: str) -> None:
    """As by `cp`, or by a download that goes on."""
    witness, place = on_disk

    def overwrite(data: bytes = OTHER) -> None:
        witness.versions[VICTIM].append(data)
        with place.open("r+b") as file:
            file.write(data)

    if moment == "first":
        await witness.is_well()
        overwrite()
    elif moment == "middle":
        assert await witness.ask(meanwhile=overwrite) == 0
        assert await witness.ask() == 200  # and it is kept open, and sent by the kernel
        assert await witness.ask(meanwhile=lambda: overwrite(LONG), torn=True) == 0
    else:
        asking = asyncio.create_task(witness.ask_for_manifest())
        await until(lambda: witness.site.origin._catalog.hasher._under_way)
        overwrite()
        assert await asking in (200, 503)
    witness.look_again()
    await witness.is_well()
    assert witness.has_kept_nothing_wrong() == 3


Fill = Callable[[Witness, bool], None]
"""Lets the disk that an origin keeps its data on be full, or not any more."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Fill]:
    """A disk of its own, if we may mount one; else files that may not grow larger than a megabyte,
    which is noticed while they are written, and a hash store that may not grow at all."""
    data = tmp_path / "data"
    data.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=32m", "p2pcdn-test", str(data))
    may = os.geteuid() == 0 and shutil.which("mount") is not None
    if not may or subprocess.run(mount, check=False, capture_output=True).returncode:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        yield _limit
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return

    def fill(_: Witness, full: bool) -> None:
        ballast = data / "ballast"
        if not full:
            ballast.unlink()
            return
        with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(65_536))

    yield fill
    subprocess.run(("umount", "--lazy", str(data)), check=True)


def _limit(witness: Witness, full: bool) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000 if full else hard, hard))
    database = witness.site.origin._store._database
    pages = database.execute("PRAGMA page_count").fetchone()[0] if full else 1_000_000
    database.execute(f"PRAGMA max_page_count = {pages}")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_disk_that_is_full(upstream: Upstream, small_disk: Fill, moment: str) -> None:
    async with origin_of(upstream.url, upstream.data) as witness:
        if moment == "middle":
            assert await witness.ask(meanwhile=lambda: small_disk(witness, True)) == 200
            cache = upstream.data / "cache"
            await until(lambda: not [*cache.glob(".*")])  # what was begun is given up
        small_disk(witness, True)
        if moment == "hashing":
            assert await witness.ask_for_manifest() == 200
        for _ in range(2):
            assert await witness.ask() == 200
        assert await witness.ask_for_manifest() == 200
        assert witness.has_kept_nothing_wrong() < 3
        is_full = small_disk is not _limit  # where small things still fit
        assert (await witness.site.get("/readyz")).status == (503 if is_full else 200)
        small_disk(witness, False)
        await witness.is_well(ready=False)  # what is known is not written down once more
        witness.has_kept_nothing_wrong()


class Clock:
    """The time of day, which jumps by days."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.days = 0
        now, now_ns = time.time, time.time_ns
        patch.setattr(time, "time", lambda: now() + self.days * DAY)
        patch.setattr(time, "time_ns", lambda: now_ns() + self.days * DAY * 10**9)
        defaults = upstream_module.Upstream.__init__.__kwdefaults__
        assert defaults is not None
        patch.setitem(defaults, "wall", lambda: time.time())


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("days", [1, -1])
async def test_a_clock_that_jumps(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, moment: str, days: int
) -> None:
    clock = Clock(monkeypatch)

    def jump() -> None:
        clock.days = days

    async with origin_of(upstream.url, upstream.data) as witness:
        await witness.ask("film/0.ts")
        if moment == "first":
            jump()
        if moment == "hashing":
            assert await witness.ask_for_manifest() == 200
            jump()
        assert await witness.ask(meanwhile=jump if moment == "middle" else lambda: None) == 200
        await witness.is_well()
        assert witness.has_kept_nothing_wrong() == 3


@pytest.mark.parametrize("days", [1, -1])
async def test_editions_get_later_whatever_the_clock_says(
    on_disk: tuple[Witness, Path], monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    clock = Clock(monkeypatch)
    witness, place = on_disk
    before = await witness.time_of_manifest()
    clock.days = days
    witness.versions[VICTIM].append(OTHER[:-1])
    write(place, OTHER[:-1])
    witness.look_again()
    assert await witness.time_of_manifest() > before
    await witness.is_well()
    assert witness.has_kept_nothing_wrong() == 4  # one has two lengths


# At an upstream


class Names(AbstractResolver):
    """Leads to this machine, or nowhere."""

    def __init__(self) -> None:
        self.fails = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self.fails or host != NAME:
            raise OSError(None, f"no address of {host}")
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


class Upstream:
    """A server with the film, what is wrong with it, and the origin's ways to it."""

    def __init__(self, server: FakeUpstream, data: Path) -> None:
        self.server = server
        self.data = data
        self.names = Names()
        self.clients: list[Client] = []
        for path, bytes_ in FILM.items():
            server.files[f"/{path}"] = Kept.of(bytes_)

    @property
    def url(self) -> str:
        return f"http://{NAME}:{self.server.port}/"

    def client(self, **options: Any) -> Client:
        """What the origin asks by."""
        made = Client(resolver=self.names, remember=0.0, **options)
        self.clients.append(made)
        return made

    def fails(self, fault: str, begin: int) -> None:
        """Let each answer with bytes from ``begin`` on have a fault; "" ends it."""
        self.server.plays.pop(f"/{VICTIM}", None)
        self.names.fails = False
        for client in self.clients:
            client._patience = HASTY._replace(head=30) if fault == "slow drip" else Patience()
        if fault:
            self.server.plays[f"/{VICTIM}"] = self._play(fault, begin)

    def _play(self, fault: str, begin: int) -> Play:
        async def play(asked: Asked, writer: asyncio.StreamWriter) -> None:
            match = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
            first = int(match[1]) if match else 0
            if asked.method == "HEAD" or first < begin:
                await self.server._serve(asked, writer)
                if fault == "no name" and asked.method == "GET":
                    await writer.drain()
                    self.names.fails = True
                    writer.close()
                return
            assert match is not None
            await self._spoil(fault, first, int(match[2]) + 1, writer)

        return play

    async def _spoil(self, fault: str, first: int, end: int, writer: asyncio.StreamWriter) -> None:
        kept = self.server.files[f"/{VICTIM}"]
        headers = described(kept)
        end = min(end, len(kept.data))
        data = kept.data[first:end]
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(kept.data)}"
        headers["Content-Length"] = str(len(data))
        if fault == "status 500":
            writer.write(head(500, {"Content-Length": "9"}) + b"/etc/oops")
        elif fault == "other tag":
            writer.write(head(206, headers | {"ETag": '"other"'}) + OTHER[first:end])
        elif fault == "other length":
            shown = {"Content-Range": f"bytes {first}-{end - 2}/{len(kept.data)}"}
            writer.write(head(206, headers | shown | {"Content-Length": str(len(data) - 1)}))
            writer.write(data[:-1])
        else:
            # A little, of which nothing is sent on yet, or a lot.
            at = len(data) // 2 if first else 1000
            writer.write(head(206, headers) + data[:at])
            await writer.drain()
            if fault == "reset":
                writer.transport.abort()
            elif fault == "truncated":
                writer.close()
            while fault == "slow drip":
                writer.write(data[at : at + 1])
                at += 1
                await writer.drain()
                await asyncio.sleep(0.05)


@pytest.fixture
async def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Upstream]:
    async with fake_upstream() as server:
        made = Upstream(server, tmp_path / "data")
        monkeypatch.setattr(upstream_module, "Client", made.client)
        yield made


FAULTS = {
    "status 500": 502,
    "reset": 502,
    "truncated": 502,
    "slow drip": 504,
    "other length": 502,
    "other tag": 502,
    "no name": 502,
}
"""With what a viewer hears of them."""


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_an_upstream(upstream: Upstream, fault: str, moment: str) -> None:
    async with origin_of(upstream.url, upstream.data) as witness:
        upstream.fails(fault, SLICE if moment == "middle" else 0)
        if fault == "no name" and moment != "middle":
            upstream.names.fails = True
        told = FAULTS[fault]
        if moment == "hashing":
            assert await witness.ask_for_manifest() in (0, told, 503)
        else:
            assert await witness.ask() == (0 if moment == "middle" else told)
        if fault != "no name":  # which nothing is to be had without
            assert await witness.ask("film/0.ts") == 200
        assert witness.has_kept_nothing_wrong() <= 2
        upstream.fails("", 0)
        await witness.is_well()
        assert witness.has_kept_nothing_wrong() == 3


# In a bucket


@pytest.fixture(scope="module")
def moto_port() -> Iterator[int]:
    with moto() as port:
        yield port


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_bucket_that_denies(
    moto_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    equip(monkeypatch)
    monkeypatch.setattr("origin.sources.bucket.LEAST", 60.0)  # what is known, on a slow machine too
    store = Store(moto_port, f"faults-{moment}")
    store.put_all(FILM)

    def deny() -> None:
        store.fault = "denied"

    def deny_and_hash(source: Source, stretch: Stretch, stop: threading.Event) -> bytes:
        if stretch.path == VICTIM:
            deny()
        return chunk_hashes(source, stretch, stop)

    try:
        async with origin_of(store.url(), tmp_path / "data") as witness:
            await witness.ask("film/0.ts")
            await witness.ask(PLAYLIST)
            if moment == "middle":
                assert await witness.ask(meanwhile=deny) == 0
            elif moment == "hashing":
                monkeypatch.setattr(hashing, "chunk_hashes", deny_and_hash)
                assert await witness.ask_for_manifest() == 0
            deny()
            if moment == "first":
                assert await witness.ask() == 502
            assert await witness.ask("film/0.ts") == 200
            assert witness.has_kept_nothing_wrong() <= 2
            store.fault = ""
            await witness.is_well(ready=moment != "hashing")  # it is listed anew a while later
            assert witness.has_kept_nothing_wrong() == 3
    finally:
        store.close()
