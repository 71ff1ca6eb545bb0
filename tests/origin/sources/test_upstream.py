"""Another HTTP server as a source: fetched once, kept, and never believed more than it deserves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar

import pytest

from origin.fetching.client import Client, Patience
from origin.fetching.place import Place
from origin.sources import Listing, since_of
from origin.sources import upstream as module
from origin.sources.arrivals import Arrival
from origin.sources.cache import DiskCache
from origin.sources.known import KnownFiles
from origin.sources.turns import MOST_OF_ONE
from origin.sources.upstream import AGAIN, STALE, Upstream, UpstreamFile
from origin.sources.versions import LEAST, SLICE, WHOLE
from p2pcdn.errors import SourceError, SourceReason
from tests.origin.fetching.test_client import HASTY
from tests.origin.media_files import noise
from tests.origin.upstreams import OLD, FakeUpstream, Kept, Play, fake_upstream, head, says
from tests.origin.waiting import until

DATA = noise(3_000_000)
LARGE = noise(2 * SLICE + 100_000, "large")

T = TypeVar("T")


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return OLD + 100_000.0 + self.now


@pytest.fixture
async def server() -> AsyncIterator[FakeUpstream]:
    async with fake_upstream() as server:
        yield server


class Stand:
    """A source, and the server that it is of; `again` begins anew with what is on the disk."""

    def __init__(self, server: FakeUpstream, data: Path, size: int, patience: Patience) -> None:
        self.server = server
        self.clock = Clock()
        self.cache = DiskCache(data / "cache", size)
        self._data = data
        self._patience = patience
        self.source = self._made()

    def _made(self) -> Upstream:
        place = Place.parse(f"{self.server.url}films/")
        client = Client(private=[ip_network("127.0.0.1/32")], patience=self._patience)
        files = KnownFiles(self._data, str(place.base))
        clock = self.clock
        return Upstream(place, client, self.cache, files, clock=clock.monotonic, wall=clock.wall)

    async def again(self) -> None:
        await asyncio.to_thread(self.source.close)
        self.cache = DiskCache(self._data / "cache", self.cache._most)
        self.source = self._made()

    def put(self, path: str, kept: Kept) -> None:
        self.server.files[f"/films/{path}"] = kept

    def gets(self, path: str) -> int:
        return self.server.gets(f"/films/{path}")

    def heads(self, path: str) -> int:
        return [(a.method, a.path) for a in self.server.asked].count(("HEAD", f"/films/{path}"))

    async def open(self, path: str) -> UpstreamFile:
        return await asyncio.to_thread(self.source.open, path)

    async def read(self, path: str) -> bytes:
        file = await self.open(path)
        try:
            return await asyncio.to_thread(_all_of, file)
        finally:
            file.close()

    async def fails(self, path: str) -> SourceError:
        with pytest.raises(SourceError) as caught:
            await self.read(path)
        return caught.value

    async def sizes(self, *paths: str) -> dict[str, int]:
        found = await asyncio.to_thread(self.source.identify_all, paths)
        return {path: identity.size for path, identity in found.items()}


def _all_of(file: UpstreamFile) -> bytes:
    parts, offset = [], 0
    while offset < file.identity.size:
        part = file.read(offset, 131_072)
        assert part
        parts.append(part)
        offset += len(part)
    assert file.read(offset, 1) == b""
    return b"".join(parts)


Start = Callable[..., Stand]


@pytest.fixture
async def start(server: FakeUpstream, tmp_path: Path) -> AsyncIterator[Start]:
    stands: list[Stand] = []

    def begin(size: int = 2**30, patience: Patience | None = None) -> Stand:
        stands.append(Stand(server, tmp_path / "data", size, patience or Patience()))
        return stands[-1]

    yield begin
    for stand in stands:
        await asyncio.to_thread(stand.source.close)


async def test_a_file_is_fetched_once(start: Start) -> None:
    stand = start()
    stand.put("a%20b/%C3%BC.ts", Kept.of(DATA))
    for _ in range(3):
        assert await stand.read("a b/ü.ts") == DATA
    asked = [(asked.method, asked.path) for asked in stand.server.asked]
    assert asked == [(method, "/films/a%20b/%C3%BC.ts") for method in ("HEAD", "GET")]


async def test_all_who_come_at_once_wait_for_one_request(start: Start) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(DATA))
    assert await asyncio.gather(*(stand.read("a.ts") for _ in range(20))) == [DATA] * 20
    assert (stand.gets("a.ts"), stand.heads("a.ts")) == (1, 1)
    file = await stand.open("a.ts")
    cached = file.read_cached(0, 10)  # nobody waits for a thread if it is in the page cache
    assert cached is None or bytes(cached) == DATA[:10]
    assert await stand.read("a.ts") == DATA
    assert stand.gets("a.ts") == 1


async def test_who_comes_when_somebody_has_just_looked_does_not_look_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(DATA))
    source, turn = stand.source, stand.source.turn

    @contextmanager
    def late() -> Iterator[None]:
        """Between finding that nothing is known and asking, somebody else asks."""
        monkeypatch.undo()
        source.open("a.ts").close()
        with turn():
            yield

    monkeypatch.setattr(source, "turn", late)
    assert await stand.read("a.ts") == DATA
    assert stand.heads("a.ts") == 1


async def test_it_is_read_while_it_arrives(start: Start) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(DATA))
    go_on = asyncio.Event()

    async def in_two(_: object, writer: asyncio.StreamWriter) -> None:
        described = {"ETag": Kept.of(DATA).etag or "", "Content-Length": str(len(DATA))}
        writer.write(head(200, described) + DATA[:1_000_000])
        await go_on.wait()
        writer.write(DATA[1_000_000:])

    file = await stand.open("a.ts")
    stand.server.plays["/films/a.ts"] = in_two
    assert await asyncio.to_thread(file.read, 999_000, 1000) == DATA[999_000:1_000_000]
    assert file.read_cached(2_000_000, 1) is None
    rest = asyncio.create_task(asyncio.to_thread(file.read, 2_000_000, 1000))
    go_on.set()
    assert await rest == DATA[2_000_000:2_001_000]


async def test_a_large_file_is_fetched_in_slices(start: Start) -> None:
    stand = start()
    data = noise(WHOLE) + b"end"
    stand.put("a.mp4", Kept.of(data))
    file = await stand.open("a.mp4")
    assert await asyncio.to_thread(file.read, SLICE + 5, 10) == data[SLICE + 5 : SLICE + 15]
    assert stand.server.asked[-1].headers["range"] == f"bytes={SLICE}-{2 * SLICE - 1}"
    assert await stand.read("a.mp4") == data
    assert stand.gets("a.mp4") == 3
    assert stand.server.asked[-1].headers["range"] == f"bytes={2 * SLICE}-{len(data) - 1}"


async def test_what_there_is_of_many(start: Start) -> None:
    stand = start()
    for number in range(100):
        stand.put(f"{number}.ts", Kept.of(bytes(number)))
    paths = [f"{number}.ts" for number in range(120)]
    assert await stand.sizes(*paths) == {f"{number}.ts": number for number in range(100)}
    assert sum(stand.gets(path) for path in paths) == 0
    assert await stand.sizes(*paths[:100]) == {f"{number}.ts": number for number in range(100)}
    assert [stand.heads(path) for path in paths] == [1] * 120
    assert await stand.read("0.ts") == b""


async def test_what_is_not_there(start: Start) -> None:
    stand = start()
    assert (await stand.fails("a.ts")).reason is SourceReason.MISSING
    assert (await stand.fails("a.ts")).reason is SourceReason.MISSING
    assert stand.heads("a.ts") == 1
    stand.put("a.ts", Kept.of(DATA))
    stand.clock.now += LEAST
    assert await stand.read("a.ts") == DATA
    del stand.server.files["/films/a.ts"]
    stand.clock.now += 1000
    assert (await stand.fails("a.ts")).reason is SourceReason.MISSING


async def test_what_was_asked_for_is_listed(start: Start) -> None:
    stand = start()
    stand.put("show/720p/1.ts", Kept.of(b"1"))
    stand.put("show/a.m3u8", Kept.of(b"#EXTM3U"))
    assert stand.source.list("") == Listing((), ())
    before = stand.source.folder_time("")
    await stand.read("show/720p/1.ts")
    await stand.read("show/a.m3u8")
    assert stand.source.list("show") == Listing(("720p",), ("a.m3u8",))
    assert stand.source.folder_time("") > before
    assert stand.source.is_far("show/a.m3u8")
    with pytest.raises(SourceError):
        stand.source.list("other")
    await stand.again()
    assert stand.source.list("show") == Listing(("720p",), ("a.m3u8",))


async def test_a_restart_fetches_nothing_anew(start: Start) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(DATA))
    await stand.read("a.ts")
    await stand.again()
    assert await stand.sizes("a.ts") == {"a.ts": len(DATA)}
    assert await stand.read("a.ts") == DATA
    assert stand.gets("a.ts") == 1


# Versions


async def test_another_version_has_another_identity(start: Start) -> None:
    stand = start()
    stand.put("a.ts", Kept(DATA, '"one"'))
    file = await stand.open("a.ts")
    stand.put("a.ts", Kept(DATA[::-1], '"two"'))
    stand.clock.now += 1000
    other = await stand.open("a.ts")
    assert file.identity != other.identity
    assert file.current() == other.current() == other.identity
    assert await asyncio.to_thread(other.read, 0, 10) == DATA[::-1][:10]


@pytest.mark.parametrize("size", [3_000_000, WHOLE + 5_000_000])
@pytest.mark.parametrize("how", ["etag", "modified", "size"])
async def test_a_version_that_is_replaced_while_it_is_read(
    start: Start, size: int, how: str
) -> None:
    stand = start()
    old, new = noise(size), noise(size, seed=2)
    tag = '"one"' if how != "modified" else None
    stand.put("a.mp4", Kept(old, tag))
    file = await stand.open("a.mp4")
    if size > WHOLE:
        assert await asyncio.to_thread(file.read, 0, 100) == old[:100]
    after = {
        "etag": Kept(new, '"two"'),
        "modified": Kept(new, None, OLD + 5),
        "size": Kept(new[:-1], '"one"'),
    }
    stand.put("a.mp4", after[how])
    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            await asyncio.to_thread(file.read, size - 100, 100)
        assert caught.value.reason is SourceReason.MISSING
    assert file.current() != file.identity
    assert await stand.read("a.mp4") == after[how].data


async def test_servers_with_one_tag_may_have_copied_the_file_at_different_times(
    start: Start,
) -> None:
    stand = start()
    stand.put("a.ts", Kept(DATA, '"one"', OLD))
    first = await stand.open("a.ts")
    stand.put("a.ts", Kept(DATA, '"one"', OLD + 7))
    stand.clock.now += 1000
    assert (await stand.open("a.ts")).identity == first.identity


@pytest.mark.parametrize(
    "kept",
    [Kept(DATA, None, None), Kept(DATA, 'W/"weak"', None), Kept(DATA, 'W/"weak"', 4_000_000_000)],
)
async def test_without_a_strong_validator_the_bytes_tell(start: Start, kept: Kept) -> None:
    stand = start()
    stand.put("a.ts", kept)
    file = await stand.open("a.ts")
    assert stand.gets("a.ts") == 1
    assert await stand.read("a.ts") == DATA
    assert await stand.sizes("a.ts") == {"a.ts": len(DATA)}
    assert stand.gets("a.ts") == 1
    kept.data = DATA[::-1]  # and its validators, if any, are as they were
    kept.etag = None
    kept.modified = None
    stand.clock.now += 1000
    other = await stand.open("a.ts")
    assert file.identity != other.identity
    assert await stand.read("a.ts") == DATA[::-1]
    stand.clock.now += 1000
    assert (await stand.open("a.ts")).identity == other.identity


async def test_a_large_file_without_a_strong_validator_is_refused(start: Start) -> None:
    stand = start()
    stand.put("a.mp4", Kept(bytes(WHOLE + 1), 'W/"weak"', None))
    error = await stand.fails("a.mp4")
    assert error.reason is SourceReason.STATUS
    assert "neither a strong ETag" in error.detail


async def test_a_playlist_is_asked_for_after_a_second_and_comes_if_it_has_changed(
    start: Start,
) -> None:
    stand = start()
    stand.put("a.m3u8", Kept.of(b"#EXTM3U\n1"))
    first = await stand.open("a.m3u8")
    assert await stand.read("a.m3u8") == b"#EXTM3U\n1"
    assert stand.gets("a.m3u8") == 1
    stand.clock.now += 1.0
    second = await stand.open("a.m3u8")
    assert (second.identity, since_of(second)) == (first.identity, stand.clock.wall())
    assert stand.server.asked[-1].headers["if-none-match"] == Kept.of(b"#EXTM3U\n1").etag
    stand.put("a.m3u8", Kept.of(b"#EXTM3U\n2"))
    assert await stand.read("a.m3u8") == b"#EXTM3U\n1"
    stand.clock.now += 1.0
    assert await stand.read("a.m3u8") == b"#EXTM3U\n2"
    assert (stand.gets("a.m3u8"), stand.heads("a.m3u8")) == (3, 0)


async def test_known_versions_are_told_at_once_and_looked_at_for_the_next_time(
    start: Start,
) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(DATA))
    await stand.sizes("a.ts")
    stand.put("a.ts", Kept.of(b"new"))
    stand.clock.now += 1000
    assert await stand.sizes("a.ts") == {"a.ts": len(DATA)}
    await until(lambda: not stand.source._looks)
    assert await stand.sizes("a.ts") == {"a.ts": 3}


async def test_servers_that_answer_no_heads(start: Start) -> None:
    stand = start()
    stand.server.heads = False
    stand.put("a.ts", Kept.of(DATA))
    assert await stand.read("a.ts") == DATA


# Faults

BAD = {
    "500": (says(head(500, {"Content-Length": "0"})), {SourceReason.STATUS}),
    "503": (says(head(503, {"Content-Length": "0"})), {SourceReason.BUSY}),
    "403": (says(head(403, {"Content-Length": "0"})), {SourceReason.STATUS}),
    "partial": (says(head(206, {"Content-Length": "5"}) + b"12345"), {SourceReason.STATUS}),
    "gzip": (
        says(head(200, {"Content-Encoding": "gzip", "Content-Length": "5"}) + b"12345"),
        {SourceReason.STATUS},
    ),
    "redirect": (
        says(head(302, {"Location": "http://127.0.0.2:1/films/a.ts", "Content-Length": "0"})),
        {SourceReason.UNREACHABLE},
    ),
    "reset": (says(b"HTTP/1.1 2", then="reset"), {SourceReason.CLOSED, SourceReason.UNREACHABLE}),
}


@pytest.mark.parametrize("fault", BAD)
async def test_a_head_of_no_use(start: Start, fault: str) -> None:
    stand = start()
    stand.server.plays["/films/a.ts"], reasons = BAD[fault]
    assert (await stand.fails("a.ts")).reason in reasons
    del stand.server.plays["/films/a.ts"]
    stand.put("a.ts", Kept.of(DATA))
    assert await stand.read("a.ts") == DATA


def _bad_bodies(kept: Kept) -> dict[str, Play]:
    tag, size = {"ETag": kept.etag or ""}, len(kept.data)
    whole = head(200, tag | {"Content-Length": str(size)})
    chunked = head(200, tag | {"Transfer-Encoding": "chunked"})
    short = f"{size - 1:x}\r\n".encode() + kept.data[:-1] + b"\r\n0\r\n\r\n"
    long = f"{size + 1:x}\r\n".encode() + kept.data + b"x\r\n0\r\n\r\n"
    return {
        "truncated": says(whole + kept.data[:-1], then="close"),
        "reset": says(whole + kept.data[:-1], then="reset"),
        "silent": says(whole + kept.data[:-1], then="wait"),
        "drips": says(whole + kept.data[:1000], drip=0.005),
        "shorter chunks": says(chunked + short),
        "longer chunks": says(chunked + long),
        "shorter": says(head(200, tag | {"Content-Length": str(size - 1)}) + kept.data[:-1]),
        "longer": says(head(200, tag | {"Content-Length": str(size + 1)}) + kept.data + b"x"),
        "another tag": says(head(200, {"ETag": '"x"', "Content-Length": str(size)}) + kept.data),
        "no tag": says(head(200, {"Content-Length": str(size)}) + kept.data),
        "gone": says(head(404, {"Content-Length": "0"})),
        "500": says(head(500, {"Content-Length": "0"})),
    }


@pytest.mark.parametrize("fault", _bad_bodies(Kept.of(DATA)))
async def test_a_body_of_no_use_is_not_kept_nor_believed(start: Start, fault: str) -> None:
    late = fault in ("silent", "drips")
    # Heads come in time, however busy the machine is; what the rest of a body misses is short.
    stand = start(patience=HASTY._replace(head=30.0) if late else Patience())
    stand.put("a.ts", Kept.of(DATA))
    file = await stand.open("a.ts")
    stand.server.plays["/films/a.ts"] = _bad_bodies(Kept.of(DATA))[fault]
    with pytest.raises(SourceError):
        await asyncio.to_thread(file.read, len(DATA) - 10, 10)
    assert stand.cache.total == 0
    assert not stand.source._arrivals
    del stand.server.plays["/films/a.ts"]
    if not late:  # who is hasty may not get it now, either
        assert await stand.read("a.ts") == DATA


@pytest.mark.parametrize("told", ["bytes 0-9/100", "bytes 4194304-8388606/8388609", "", "x"])
async def test_another_range_than_was_asked_for(start: Start, told: str) -> None:
    stand = start()
    kept = Kept.of(bytes(WHOLE + 1))
    stand.put("a.mp4", kept)
    file = await stand.open("a.mp4")
    headers = {"ETag": kept.etag or "", "Content-Length": str(SLICE), "Content-Range": told}
    stand.server.plays["/films/a.mp4"] = says(head(206, headers) + bytes(SLICE))
    with pytest.raises(SourceError):
        await asyncio.to_thread(file.read, SLICE, 10)
    assert stand.cache.total == 0


async def test_a_large_file_of_a_server_that_gives_no_ranges(start: Start) -> None:
    stand = start()
    stand.server.ranges = False
    stand.put("a.mp4", Kept.of(bytes(WHOLE + 1)))
    assert "gives no ranges" in (await stand.fails("a.mp4")).detail


async def test_what_is_kept_is_served_while_the_server_is_away(start: Start) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(DATA))
    stand.put("a.m3u8", Kept.of(b"#EXTM3U"))
    stand.put("b.ts", Kept.of(DATA))
    await stand.read("a.ts")
    await stand.read("a.m3u8")
    await stand.open("b.ts")
    away = says(head(500, {"Content-Length": "0"}))
    stand.server.plays = dict.fromkeys(("/films/a.ts", "/films/a.m3u8", "/films/b.ts"), away)
    stand.clock.now += 1000
    assert await stand.read("a.ts") == DATA
    assert await stand.read("a.m3u8") == b"#EXTM3U"
    assert (await stand.fails("b.ts")).reason is SourceReason.STATUS
    assert "status 500" in stand.source.problems()[0]
    asked = len(stand.server.asked)
    assert await stand.read("a.ts") == DATA
    assert len(stand.server.asked) == asked  # nobody waits for a server that is away
    file = await stand.open("a.ts")
    assert stand.clock.wall() - (since_of(file) or 0) == 1000
    await stand.again()
    stand.clock.now += AGAIN
    assert await stand.read("a.ts") == DATA
    stand.clock.now += STALE
    assert (await stand.fails("a.ts")).reason is SourceReason.STATUS
    stand.server.plays.clear()
    assert await stand.read("a.ts") == DATA
    assert stand.source.problems() == ()


async def test_a_no_is_no_trouble_of_the_server(start: Start) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(DATA))
    await stand.read("a.ts")
    stand.server.plays["/films/a.ts"] = says(head(403, {"Content-Length": "0"}))
    stand.clock.now += 1000
    assert (await stand.fails("a.ts")).reason is SourceReason.STATUS
    assert stand.source.problems() == ()
    assert await stand.sizes("b.ts") == {}


async def test_the_age_of_what_another_cache_has_kept(start: Start) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(DATA))
    stand.server.files["/films/a.ts"].headers["Age"] = "30"
    assert since_of(await stand.open("a.ts")) == stand.clock.wall() - 30


async def test_a_disk_that_is_full(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(DATA))
    stand.put("a.m3u8", Kept.of(b"#EXTM3U"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stand.cache, "_make_room", full)
    assert await stand.read("a.ts") == DATA
    assert await stand.read("a.m3u8") == b"#EXTM3U"
    assert stand.source.problems() == (
        f"Nothing can be kept in {stand.cache._directory}: No space left on device.",
    )


async def test_without_a_cache_on_disk(start: Start, tmp_path: Path) -> None:
    stand = start(size=0)
    stand.put("a.ts", Kept.of(DATA))
    assert await stand.read("a.ts") == DATA
    assert not (tmp_path / "data" / "cache").exists()
    assert stand.source.problems() == ()


async def test_slices_that_are_on_the_disk_take_no_memory(start: Start) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(LARGE))
    files = [await stand.open("a.ts") for _ in range(3)]
    for number, file in enumerate(files):  # each in a slice of its own, and stays there
        begin = number * SLICE
        part = await asyncio.to_thread(file.read, begin, 10)
        assert part == LARGE[begin : begin + 10]
    await until(lambda: not stand.source._arrivals)
    held = [file._slice for file in files]
    assert not any(one.data for one in held if isinstance(one, Arrival))
    for number, file in enumerate(files):
        begin = number * SLICE + 1000
        assert await asyncio.to_thread(file.read, begin, 70_000) == LARGE[begin : begin + 70_000]
        cached = file.read_cached(begin, 10)
        assert cached is None or bytes(cached) == LARGE[begin : begin + 10]
    assert stand.gets("a.ts") == 3


async def test_where_the_disk_takes_none_there_is_a_bound(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_IN_MEMORY", 2 * SLICE)
    monkeypatch.setattr(module, "_HELD", 0)  # but by those who read
    stand = start(size=0)
    stand.put("a.ts", Kept.of(LARGE))
    files = [await stand.open("a.ts") for _ in range(3)]
    for number, file in enumerate(files[:2]):
        assert len(await asyncio.to_thread(file.read, number * SLICE, 10)) == 10
    with pytest.raises(SourceError) as caught:
        await asyncio.to_thread(files[2].read, 2 * SLICE, 10)
    assert caught.value.reason is SourceReason.BUSY
    assert len(await asyncio.to_thread(files[2].read, 0, 10)) == 10  # what another reads already
    files[1].close()
    await until(lambda: len(stand.source._arrivals) == 1)
    assert len(await asyncio.to_thread(files[2].read, 2 * SLICE, 10)) == 10


@contextmanager
def _all_turns(source: Upstream) -> Iterator[None]:
    turns = [source.turn() for _ in range(MOST_OF_ONE)]
    for turn in turns:
        turn.__enter__()
    yield
    for turn in turns:
        turn.__exit__(None, None, None)


async def test_no_more_threads_wait_than_there_are_to_spare(start: Start) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(DATA))
    stand.put("b.ts", Kept.of(DATA))
    await stand.read("a.ts")
    with _all_turns(stand.source):
        assert (await stand.fails("b.ts")).reason is SourceReason.BUSY
        assert await stand.read("a.ts") == DATA
    assert await stand.read("b.ts") == DATA


async def test_whoever_waits_is_let_go(start: Start) -> None:
    stand = start()
    stand.put("a.ts", Kept.of(DATA))
    file = await stand.open("a.ts")
    stand.server.plays["/films/a.ts"] = says(b"", then="wait")
    stand.server.plays["/films/b.ts"] = says(b"", then="wait")
    reading = asyncio.create_task(asyncio.to_thread(file.read, 0, 10))
    opening = asyncio.create_task(asyncio.to_thread(stand.source.open, "b.ts"))
    await until(lambda: stand.server.gets("/films/a.ts") and stand.heads("b.ts"))
    await asyncio.to_thread(stand.source.close)
    for task in (reading, opening):
        with pytest.raises(SourceError):
            await task
    with pytest.raises(SourceError):
        await stand.open("c.ts")
    assert not [thread for thread in threading.enumerate() if thread.name == "upstream"]
