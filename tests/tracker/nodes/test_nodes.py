"""A node among others: when it knows of them, what its owner is told, and what people are."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog.testing

from p2pcdn.config import Config, TrackerConfig
from p2pcdn.core.access import Site
from p2pcdn.core.amounts import Amounts
from p2pcdn.errors import ErrorCode, RemoteError
from tests.e2e.servers import free_port
from tests.tracker.nodes.stores import Shared
from tracker.guests import Facts, Guest
from tracker.nodes import nodes as nodes_module
from tracker.nodes.nodes import Nodes
from tracker.nodes.totals import Total

OPEN = {"s": Site()}
CLOSED = {"s": Site(enabled=False)}
FACTS = Facts("192.0.2.1", "chrome", None, "0" * 32)


class Realm:
    """Answers what it is told, in capitals."""

    def __init__(self) -> None:
        self.guests: dict[int, Guest] = {}

    def opened(self, guest: Guest) -> int:
        self.guests[len(self.guests)] = guest
        return len(self.guests) - 1

    def said(self, number: int, data: bytes) -> None:
        self.guests[number].tell(data.upper())

    def closed(self, number: int) -> None:
        del self.guests[number]

    def complain(self, error: RemoteError, retry: float | None = None, /) -> bytes | None:
        return error.code.encode()


class Visitor:
    """A guest whose socket is here."""

    facts = FACTS

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes | RemoteError] = asyncio.Queue()

    def tell(self, text: bytes) -> None:
        self.heard.put_nowait(text)

    def dismiss(self, code: ErrorCode | None) -> None: ...

    def send_back(self, error: RemoteError, together: int = 0) -> None:
        self.heard.put_nowait(error)


class Stage:
    """Nodes by their letters, and what each told its owner."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shared = Shared()
        self.nodes: dict[str, Nodes] = {}
        self.realms: dict[str, Realm] = {}
        self.applied: dict[str, list[dict[str, Site]]] = {}
        self.joined: dict[str, list[tuple[bytes, int]]] = {}
        self.changes: dict[str, int] = {}
        self.told: dict[str, Callable[[], None]] = {}
        """What is called as a node says that something has changed."""

    async def node(self, name: str, *, reached: bool = False, worker: str = "") -> Nodes:
        where = f"127.0.0.1:{free_port()}" if reached else None
        limits = TrackerConfig(
            store="valkey://127.0.0.1/0", url=self.url(name), exchange=where, joins_per_second=1.0
        )
        config = Config(data=self.folder / name, tracker=limits)
        key = name + worker
        applied = self.applied.setdefault(key, [])
        joined = self.joined.setdefault(key, [])
        self.changes.setdefault(key, 0)
        realm = self.realms[key] = Realm()

        def changed() -> None:
            self.changes[key] += 1
            if key in self.told:
                self.told[key]()

        made = self.nodes[key] = Nodes(
            config,
            OPEN,
            [realm],
            apply=applied.append,
            own=lambda: Total(Amounts(origin_bytes=100), 10, 1, 0, 5.0),
            joined=lambda address, joins: joined.append((address, joins)),
            changed=changed,
            store=self.shared.store(),
            worker=worker,
        )
        await made.start()
        return made

    @staticmethod
    def url(name: str) -> str:
        return f"ws://{name}.example/tracker/v1"

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - there is nothing to wait on
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        for node in self.nodes.values():
            await node.close()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    await stage.close()


async def test_a_node_knows_those_who_are_there_as_it_starts(stage: Stage) -> None:
    a = await stage.node("a")
    assert a.count == 1
    assert a.home(b"x") == stage.url("a")
    assert a.next_home(b"x") is None
    b = await stage.node("b")
    assert b.count == 2
    await stage.until(lambda: a.count == 2)
    assert stage.changes["a"] == 1
    assert a.home(b"x") == b.home(b"x")
    assert a.next_home(b"x") == stage.url("b")


async def test_who_goes_is_known_to_be_gone_at_once(stage: Stage) -> None:
    a, b = await stage.node("a"), await stage.node("b")
    await stage.until(lambda: a.count == 2)
    await stage.nodes.pop("b").close()
    await stage.until(lambda: a.count == 1)
    assert b.count == 2, "who has gone does not care"


async def test_what_one_says_of_sites_is_in_force_everywhere(stage: Stage) -> None:
    a, b = await stage.node("a"), await stage.node("b")
    a.decree(CLOSED)
    await stage.until(lambda: bool(stage.applied["b"]))
    assert stage.applied == {"a": [CLOSED], "b": [CLOSED]}
    assert b.sites == CLOSED
    assert b.notes() == ["What this node's configuration says of sites is older than what holds."]


async def test_joins_elsewhere_are_heard_of(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Nodes, "_unix", lambda _: 6000.0)  # or a minute might end amid it
    a, b = await stage.node("a"), await stage.node("b")
    for node in (a, b):
        for _ in range(6):
            node.joined(b"address")
    await stage.until(lambda: bool(stage.joined["a"]) and bool(stage.joined["b"]))
    assert stage.joined == {"a": [(b"address", 6)], "b": [(b"address", 6)]}


async def test_which_minute_it_is_the_store_says(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(nodes_module, "time", SimpleNamespace(time=lambda: 6000.0))
        a = await stage.node("a")
        assert abs(a._unix() - time.time()) < 30


async def test_each_tells_what_all_have_counted(stage: Stage) -> None:
    a = await stage.node("a")
    await stage.node("b")
    await stage.until(lambda: a.total().viewers == 20)
    assert a.total().amounts.origin_bytes == 200


async def test_a_store_that_is_away_is_said_and_everybody_stays(stage: Stage) -> None:
    a, _ = await stage.node("a"), await stage.node("b")
    await stage.until(lambda: a.count == 2)
    stage.shared.away = True
    await stage.until(lambda: bool(a.notes()))
    [note] = a.notes()
    assert note.startswith("The store of the nodes is of no use since 20")
    assert a.count == 2
    stage.shared.away = False
    await stage.until(lambda: not a.notes())
    assert a.count == 2


@pytest.mark.parametrize(
    "strange",
    [
        ("SADD", "p2pcdn:nodes", b"\xff\xfe"),
        ("HSET", "p2pcdn:totals", b"\xff\xfe", '{"amounts":{}}'),
        ("SET", "p2pcdn:node:ws://x.example/tracker/v1", '{"url":"ws://x","exchange":"10.0.0.1"}'),
    ],
)
async def test_what_is_strange_in_the_store_is_passed_over(
    stage: Stage, strange: tuple[str | bytes, ...]
) -> None:
    await stage.shared.ask("SADD", "p2pcdn:nodes", "ws://x.example/tracker/v1")
    await stage.shared.ask(*strange)
    a, b = await stage.node("a", reached=True), await stage.node("b", reached=True)
    await stage.until(lambda: a.reaches(stage.url("b")) and a.total().viewers == 20)
    assert a.notes() == b.notes() == []


async def test_a_node_whose_owner_fails_goes_on_being_there(stage: Stage) -> None:
    a, b = await stage.node("a"), await stage.node("b")
    await stage.until(lambda: a.count == 2)

    def fail(_: object) -> None:
        raise RuntimeError("a mistake of ours")

    b._decrees._apply = fail
    with structlog.testing.capture_logs() as logs:
        a.decree(CLOSED)
        await stage.until(lambda: any(entry["event"] == "store_back" for entry in logs))
    assert [entry["exc_info"] for entry in logs if entry["event"] == "store_away"] == [True]
    a.decree(OPEN)
    await stage.until(lambda: b.sites == OPEN)
    assert a.count == 2


async def test_a_node_starts_while_the_store_is_away(stage: Stage) -> None:
    stage.shared.away = True
    a = await stage.node("a")
    assert a.count == 1
    assert a.notes()
    await stage.nodes.pop("a").close()


async def test_a_guest_is_heard_at_another_node(stage: Stage) -> None:
    a = await stage.node("a", reached=True)
    await stage.node("b", reached=True)
    await stage.until(lambda: a.reaches(stage.url("b")))
    realm = a.at(stage.url("b"), 0)
    visitor = Visitor()
    number = realm.opened(visitor)
    realm.said(number, b"hello")
    assert await visitor.heard.get() == b"HELLO"
    assert stage.realms["b"].guests[0].facts == FACTS
    realm.closed(number)
    await stage.until(lambda: not stage.realms["b"].guests)
    assert not a.reaches(stage.url("c"))


async def test_who_could_not_be_passed_on_is_once_a_line_is_up(stage: Stage) -> None:
    """Homes change before there is a line to the node that has come."""
    a = await stage.node("a", reached=True)
    reached: list[bool] = []
    stage.told["a"] = lambda: reached.append(a.reaches(stage.url("b")))
    await stage.node("b", reached=True)
    await stage.until(lambda: reached[-1:] == [True])
    assert reached[0] is False


async def test_who_cannot_be_reached_has_no_realm(stage: Stage) -> None:
    a = await stage.node("a", reached=True)
    await stage.node("b")
    await stage.until(lambda: a.count == 2)
    assert not a.reaches(stage.url("b"))


async def test_it_is_said_where_there_is_no_line(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes_module, "UNREACHED", 0.0)
    a = await stage.node("a", reached=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        monkeypatch.setattr(
            "tests.tracker.nodes.test_nodes.free_port", lambda: taken.getsockname()[1]
        )
        b = await stage.node("b", reached=True)
        await stage.until(lambda: len(a.notes()) == 1 and len(b.notes()) == 1)
        [unreached], [deaf] = a.notes(), b.notes()
    assert unreached.startswith(f"There is no line to {stage.url('b')} at 127.0.0.1:")
    assert deaf.startswith("Other nodes cannot reach this one at tracker.exchange: ")
    await stage.until(lambda: b.reaches(stage.url("a")))


async def test_whose_line_breaks_is_doubted_before_the_store_knows(stage: Stage) -> None:
    a = await stage.node("a", reached=True)
    b = await stage.node("b", reached=True)
    await stage.until(lambda: a.reaches(stage.url("b")))
    await stage.until(lambda: b.reaches(stage.url("a")))
    stage.shared.away = True  # or the store would be sooner to say so, as b takes its leave
    await stage.until(lambda: bool(a.notes()) and bool(b.notes()))
    await stage.nodes.pop("b").close()
    await stage.until(lambda: a.count == 1)
    stage.shared.away = False


async def test_a_worker_whom_nobody_dials_sees_its_own_line_break(stage: Stage) -> None:
    worker = await stage.node("a", reached=True, worker="1")
    b = await stage.node("b", reached=True)
    await stage.until(lambda: worker.reaches(stage.url("b")))
    stage.shared.away = True  # nobody else says so
    await stage.until(lambda: len(worker.notes()) == len(b.notes()) == 1)
    await stage.nodes.pop("b").close()
    await stage.until(lambda: worker.count == 1)
    stage.shared.away = False


async def test_workers_of_a_node_reach_others_and_are_one(stage: Stage) -> None:
    await stage.node("a", reached=True)
    worker = await stage.node("a", reached=True, worker="1")
    b = await stage.node("b", reached=True)
    await stage.until(lambda: worker.reaches(stage.url("b")))
    assert b.count == 2
    assert worker.notes() == []
    await stage.nodes.pop("a1").close()
    await asyncio.sleep(0.1)
    assert b.count == 2, "its first is there"


async def test_two_with_one_folder_are_said(stage: Stage) -> None:
    a = await stage.node("a")
    (stage.folder / "b").mkdir()
    id_ = (stage.folder / "a/ledger-id").read_text()
    (stage.folder / "b/ledger-id").write_text(id_)
    await stage.node("b")
    await stage.until(lambda: bool(a.notes()))
    assert a.notes() == [
        f"Another node, {stage.url('b')}, has the data directory of this one; each needs its own."
    ]


async def test_a_file_without_an_id_gets_one_that_stays(stage: Stage) -> None:
    file = stage.folder / "a/ledger-id"
    file.parent.mkdir()
    file.touch()
    await stage.node("a")
    worker = await stage.node("a", worker="1")
    assert len(file.read_text()) == 16
    assert worker.notes() == []
    assert worker._registry._me.ledger == file.read_text()


def test_an_id_that_somebody_is_writing_is_waited_for(tmp_path: Path) -> None:
    """Of those who start at the same time all have the same."""
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path / "ledger-id").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with ThreadPoolExecutor() as pool:
            found = pool.submit(nodes_module._ledger_id, tmp_path)
            assert not wait([found], timeout=0.05).done
            file.write("of another")
            file.close()
    assert found.result() == "of another"
