"""A peer of many contents: as a site has them, within what it may take and give."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from structlog.testing import capture_logs

from p2pcdn.config import Config, PeerConfig
from p2pcdn.model import CHUNK_SIZE
from peer.native import edge as module
from peer.native.disk import disk as disk_module
from peer.native.edge import Edge, Part
from peer.native.runner import NativePeer, PeerError
from peer.native.shares import Wish
from tests.peer.native.hosting import LENGTH, SEGMENTS, Site, playlist, write_segments

ONE = SEGMENTS * LENGTH
"""Bytes of a rendition."""


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.1)
    monkeypatch.setattr(module, "LIMIT_EVERY", 0.05)
    monkeypatch.setattr(module, "SHARE_EVERY", 0.1)


@asynccontextmanager
async def running(edge: Edge) -> AsyncIterator[Edge]:
    task = asyncio.create_task(edge.run())
    try:
        yield edge
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - an edge tells nobody
            await asyncio.sleep(0.02)


def holds(edge: Edge, *urls: str) -> Callable[[], bool]:
    """Whether these are the contents of an edge, and complete."""
    return lambda: (
        set(edge.peers) == set(urls) and all(peer.is_complete() for peer in edge.peers.values())
    )


async def test_the_contents_of_a_site_are_held_as_they_come_and_go(site: Site) -> None:
    config = Config(peer=PeerConfig(follow=(site.url,)))
    show, movie = site.media("show/master.m3u8"), site.media("movie.bin")
    (site.content / "movie.bin").unlink()
    async with running(Edge([], config=config)) as edge:
        await until(holds(edge, show))
        write_segments(site.content / "more", range(2), "more")
        (site.content / "more" / "index.m3u8").write_text(playlist(2))
        more = site.media("more/index.m3u8")
        await until(holds(edge, show, more))
        (site.content / "more" / "index.m3u8").unlink()
        await until(holds(edge, show))
    assert movie not in edge.peers


async def test_a_list_that_is_not_there_is_said_once_and_tried_again(site: Site) -> None:
    config = Config(peer=PeerConfig(follow=(site.url + "/none",)))
    with capture_logs() as logs:
        async with running(Edge([site.media("movie.bin")], config=config)) as edge:
            await until(holds(edge, site.media("movie.bin")))
            await asyncio.sleep(0.3)
    assert [entry["event"] for entry in logs].count("not_followed") == 1


async def test_what_is_listed_and_broken_keeps_nothing_else_from_being_held(
    site: Site, tmp_path: Path
) -> None:
    (site.content / "list.txt").write_text("movie.bin\nnone.bin\n")
    config = Config(peer=PeerConfig(follow=(site.media("list.txt"),)))
    with capture_logs() as logs:
        async with running(Edge([], config=config)) as edge:
            await until(holds(edge, site.media("movie.bin")))
            await until(lambda: [entry["event"] for entry in logs].count("not_held") >= 2)
            (site.content / "none.bin").write_bytes(b"there")
            await until(holds(edge, site.media("movie.bin"), site.media("none.bin")))


async def test_what_fails_by_a_bug_keeps_nothing_else_from_being_held(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    show, movie = site.media("show/master.m3u8"), site.media("movie.bin")
    (site.content / "list.txt").write_text("movie.bin\nshow/master.m3u8\n")
    config = following(Config(), site.media("list.txt"))
    once = Edge._held_once

    async def held_once(edge: Edge, url: str) -> None:
        if url == movie:
            raise RuntimeError("a bug")
        await once(edge, url)

    monkeypatch.setattr(Edge, "_held_once", held_once)
    with capture_logs() as logs:
        async with running(Edge([], config=config)) as edge:
            await until(lambda: [entry["event"] for entry in logs].count("not_held") >= 2)
            await until(holds(edge, show))
    with pytest.raises(RuntimeError, match="a bug"):
        await Edge([movie]).run()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What any edge holds: contents that are nowhere, and need no peer."""
    urls: set[str] = set()

    async def held_once(edge: Edge, url: str) -> None:
        urls.add(url)
        try:
            await asyncio.Event().wait()
        finally:
            urls.remove(url)

    monkeypatch.setattr(Edge, "_held_once", held_once)
    return urls


async def settle() -> None:
    """Let tasks begin that were created, and end that were cancelled."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_content_of_two_sites_goes_when_neither_has_it(held: set[str]) -> None:
    edge = Edge([])
    async with running(edge):
        await settle()
        for site in ("A", "B"):
            edge._note(site, {"both", site})
        await settle()
        assert held == {"both", "A", "B"}
        for _ in range(module.MISSED):
            edge._note("A", set())
        await settle()
        assert held == {"both", "B"}
        for _ in range(module.MISSED):
            edge._note("B", set())
        await settle()
        assert held == set()
        edge._note("B", {"both"})
        await settle()
        assert held == {"both"}


async def test_a_content_goes_when_it_was_missing_again_and_again(held: set[str]) -> None:
    edge = Edge([])
    async with running(edge):
        await settle()
        for _ in range(2):
            edge._note("A", {"one", "two"})
            for _ in range(module.MISSED - 1):
                edge._note("A", {"one"})
                await settle()
                assert held == {"one", "two"}
        edge._note("A", {"one"})
        await settle()
        assert held == {"one"}


async def test_what_is_named_has_to_be_there(site: Site) -> None:
    with pytest.raises(PeerError, match="There is no content at"):
        await Edge([site.media("movie.bin"), site.media("none.bin")]).run()


async def test_a_day_has_one_budget_whatever_restarts(site: Site, tmp_path: Path) -> None:
    budget = 5 * CHUNK_SIZE
    url = site.media("show/low/index.m3u8")
    config = Config(peer=PeerConfig(store=tmp_path / "store", daily_budget=budget))
    given = 0
    for _ in range(2):
        async with running(Edge([url], config=config)) as edge:
            await until(holds(edge, url))
            async with NativePeer(url) as newcomer:
                await newcomer.complete()
                given += newcomer.stats.peer_bytes
    assert 0 < given <= budget
    written = json.loads((tmp_path / "store" / "given.json").read_text())
    assert given <= written["bytes"] <= budget


async def test_outside_of_its_hours_it_gives_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, hour = site.media("show/low/index.m3u8"), 12
    monkeypatch.setattr(module, "_now", lambda: dt.datetime(2026, 11, 30, hour))  # noqa: DTZ001
    config = Config(peer=PeerConfig(hours=("22-6",)))
    async with running(Edge([url], config=config)) as edge:
        await until(holds(edge, url))
        async with NativePeer(url) as newcomer:
            await newcomer.complete()
            assert newcomer.stats.peer_bytes == 0
        hour = 23
        await until(lambda: edge.peers[url]._limits[0])
        async with NativePeer(url) as newcomer:
            await newcomer.complete()
            assert newcomer.stats.peer_bytes > 0


def two_films(site: Site) -> list[str]:
    for name in ("one", "two"):
        write_segments(site.content / name, range(SEGMENTS), name)
        (site.content / name / "index.m3u8").write_text(playlist(SEGMENTS))
    return [site.media(f"{name}/index.m3u8") for name in ("one", "two")]


async def test_the_store_goes_to_what_is_asked_for(site: Site, tmp_path: Path) -> None:
    one, two = two_films(site)
    config = Config(peer=PeerConfig(store=tmp_path / "store", max_size=ONE + ONE // 2))
    async with running(Edge([one, two], config=config)) as edge:
        await until(lambda: len(edge.peers) == 2)
        for url, other in ((one, two), (two, one)):
            await until(lambda: not edge.peers[other].links)  # noqa: B023
            edge._demands.clear()  # as if it were long ago
            async with NativePeer(url, config=Config(peer=PeerConfig(upload=False))):
                await until(lambda: bool(edge.peers[url].links))  # noqa: B023 - awaited here
                await until(
                    lambda: edge.peers[url].store.size == ONE > edge.peers[other].store.size  # noqa: B023
                )
        sizes = [path.stat().st_size for path in (tmp_path / "store").glob("*/??/*")]
    assert sum(sizes) <= config.peer.max_size


async def test_contents_have_one_memory_together(site: Site) -> None:
    """Each had all of it, and two together twice as much."""
    one, two = two_films(site)
    config = Config(peer=PeerConfig(store_bytes=ONE + ONE // 2))
    async with running(Edge([one, two], config=config)) as edge:
        await until(lambda: len(edge.peers) == 2)
        assert sum(peer.store.limit for peer in edge.peers.values()) <= config.peer.store_bytes
        async with NativePeer(two, config=Config(peer=PeerConfig(upload=False))):
            await until(lambda: edge.peers[two].store.size == ONE)
            held = sum(peer.store.size for peer in edge.peers.values())
            assert 0 < held <= config.peer.store_bytes


@pytest.mark.parametrize("turns", range(4))
async def test_who_shares_out_ends_though_a_content_comes_meanwhile(turns: int) -> None:
    """Or the process would go on when one of its contents cannot be held."""
    edge = Edge([])
    sharing = asyncio.create_task(edge._share_out())
    await asyncio.sleep(0)
    edge._coming.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    sharing.cancel()
    await asyncio.wait([sharing], timeout=5)
    assert sharing.cancelled()


async def test_a_content_that_comes_has_its_part_of_the_memory_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first had all of it for a minute, whether it needed that or not."""
    monkeypatch.setattr(module, "SHARE_EVERY", 3600.0)
    one, two = two_films(site)
    listed = site.content / "list.txt"
    listed.write_text(one)
    config = Config(peer=PeerConfig(store_bytes=2 * ONE))
    async with running(Edge([], config=following(config, site.media("list.txt")))) as edge:
        await until(holds(edge, one))
        listed.write_text(f"{one}\n{two}")
        await until(lambda: two in edge.peers and edge.peers[two].store.size == ONE)
        assert edge.peers[one].store.size == ONE
        assert sum(peer.store.limit for peer in edge.peers.values()) <= config.peer.store_bytes


async def test_what_is_promised_to_those_that_come_is_nobody_elses() -> None:
    edge = Edge([], config=Config(peer=PeerConfig(store_bytes=900)))
    there, done = Standing(), cast(Any, None)
    edge.peers["there"] = cast(Any, there)
    edge._holding.update(dict.fromkeys(["there", "first", "second"], done))
    edge._promised["first"] = edge._first_share()
    edge._holding["third"] = done  # while the first is about to be at work
    for url in ("second", "third"):
        edge._promised[url] = edge._first_share()
    assert edge._promised == {"first": 450, "second": 225, "third": 225}
    del edge._promised["third"]
    edge._share()
    assert there.share == 225


async def test_who_comes_for_a_new_content_is_seen_soon(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARE_EVERY", 3600.0)
    one, two = two_films(site)
    listed = site.content / "list.txt"
    listed.write_text(one)
    config = Config(peer=PeerConfig(store_bytes=ONE))
    async with running(Edge([], config=following(config, site.media("list.txt")))) as edge:
        await until(holds(edge, one))
        listed.write_text(f"{one}\n{two}")
        await until(lambda: two in edge.peers)
        async with NativePeer(two, config=Config(peer=PeerConfig(upload=False))):
            await until(lambda: edge.peers[two].store.size == ONE)


async def test_what_a_content_was_asked_for_is_forgotten_with_it(site: Site) -> None:
    one, two = two_films(site)
    listed = site.content / "list.txt"
    listed.write_text(f"{one}\n{two}")
    edge = Edge([], config=following(Config(), site.media("list.txt")))
    async with running(edge):
        await until(lambda: edge._demands.keys() == {one, two})
        listed.write_text(one)
        await until(lambda: edge._demands.keys() == {one})


async def test_contents_that_went_make_room(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_module, "SETTLED", 0.0)
    one, two = two_films(site)
    config = Config(peer=PeerConfig(store=tmp_path / "store", max_size=ONE + ONE // 16))
    for url in (one, two):
        (site.content / "list.txt").write_text(url)
        edge = Edge([], config=following(config, site.media("list.txt")))
        async with running(edge):
            await until(holds(edge, url))
            assert edge.peers[url].store.size == ONE


def following(config: Config, site: str) -> Config:
    peer = msgspec.structs.replace(config.peer, follow=(site,))
    return msgspec.structs.replace(config, peer=peer)


class Standing:
    """A peer that stands still, unless the test has it move."""

    def __init__(self, *, links: int = 0, complete: bool = False, live: bool = False) -> None:
        self.links = dict.fromkeys(range(links), "somebody")
        self.store = SimpleNamespace(size=0)
        self.waits = False
        self.share = 0
        self.is_complete = lambda: complete
        self.is_live = lambda: live

    def wait(self, waits: bool) -> None:
        self.waits = waits

    def wish(self) -> Wish:
        return Wish(size=1_000, held=0, peers=0)

    def resize(self, share: int, memory: int) -> None:
        self.share = share


async def test_a_few_contents_are_fetched_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILLING", 2)
    monkeypatch.setattr(module, "STUCK", 0.05)
    edge = Edge([])
    peers = {
        "asked for": Standing(links=1),
        "first": Standing(),
        "second": Standing(),
        "complete": Standing(complete=True),
        "live": Standing(live=True),
    }
    edge.peers.update(cast(dict[str, Any], peers))

    def waiting() -> list[str]:
        edge._take_turns()
        return [name for name, peer in peers.items() if peer.waits]

    assert waiting() == ["second"]
    await asyncio.sleep(0.1)
    peers["asked for"].store.size = peers["second"].store.size = 1
    assert waiting() == ["first"], "of which nothing has come for so long"
    peers["first"].store.size = 1
    assert waiting() == ["second"]


# Parts


URLS = [f"https://o.test/media/{number}.mp4" for number in range(200)]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_content_is_of_one_part(count: int) -> None:
    parts = [Part(index, count) for index in range(count)]
    assert all(sum(part.has(url) for part in parts) == 1 for url in URLS)
    assert all(sum(part.has(url) for url in URLS) > 100 / count for part in parts)


def test_one_process_more_takes_and_nothing_else_moves() -> None:
    for url in URLS:
        (before,) = (n for n in range(4) if Part(n, 4).has(url))
        (after,) = (n for n in range(5) if Part(n, 5).has(url))
        assert after in (before, 4)


def test_a_part_has_its_part_of_everything() -> None:
    peer = PeerConfig(
        store=Path("/srv/store"), max_size=100, store_bytes=10, upload_rate=8.0, daily_budget=40
    )
    config = Config(peer=peer)
    assert Part().of(config) is config
    ours = Part(1, 4).of(config).peer
    assert (ours.store, ours.max_size, ours.store_bytes) == (Path("/srv/store/2-of-4"), 25, 2)
    assert (ours.upload_rate, ours.upload_budget, ours.daily_budget) == (2.0, None, 10)
