"""What is said of the sites at one node is in force at all, and the latest counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from p2pcdn.core.access import Site
from tests.tracker.nodes.stores import Shared
from tracker.nodes.decrees import Decrees
from tracker.nodes.store import Batch

OPEN = {"s": Site()}
FULL = {
    "s": Site(
        enabled=False,
        mode="lan",
        keys={"k": b"\x04" + bytes(range(64))},
        tokens=True,
        bound=False,
        origins=frozenset({"https://a.example", "https://b.example"}),
        revoked_tokens=frozenset({"t1", "t2"}),
        revoked_contents=frozenset({"0" * 32}),
    ),
    "t": Site(),
}


def off(*tokens: str) -> dict[str, Site]:
    return {"s": Site(revoked_tokens=frozenset(tokens))}


class Stage:
    """Nodes with a file of theirs each, and a store."""

    def __init__(self, folder: Path) -> None:
        self.shared = Shared()
        self.folder = folder
        self.nodes: dict[str, Decrees] = {}
        self.applied: dict[str, list[dict[str, Site]]] = {}

    def node(self, name: str, sites: dict[str, Site], *, keeps: bool = True) -> Decrees:
        """A node starts, with this in its configuration."""
        applied = self.applied[name] = []
        file = self.folder / name / "sites.json" if keeps else None
        made = self.nodes[name] = Decrees(f"ws://{name}", sites, applied.append, file)
        return made

    async def ask(self, *names: str, times: int = 5) -> None:
        for _ in range(times):
            for name in names or self.nodes:
                batch = Batch()
                self.nodes[name].ask(batch)
                await self.shared.store().do(batch)

    def in_force(self) -> list[dict[str, Site]]:
        return [node.sites for node in self.nodes.values()]


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_what_changes_at_one_node_is_in_force_at_all(stage: Stage) -> None:
    for name in "abc":
        stage.node(name, OPEN)
    await stage.ask()
    assert stage.applied == {"a": [], "b": [], "c": []}
    stage.nodes["b"].say(FULL)
    assert stage.applied["b"] == [FULL]
    await stage.ask()
    assert stage.in_force() == [FULL] * 3
    assert stage.applied["a"] == [FULL]
    assert [node.is_settled for node in stage.nodes.values()] == [True] * 3


async def test_the_latest_counts(stage: Stage) -> None:
    a, b = stage.node("a", OPEN), stage.node("b", OPEN)
    await stage.ask()
    a.say(off("1"))
    await stage.ask()
    b.say(off("1", "2"))
    await stage.ask()
    a.say(off("1", "2", "3"))
    await stage.ask()
    assert stage.in_force() == [off("1", "2", "3")] * 2


async def test_of_two_at_once_all_choose_the_same(stage: Stage) -> None:
    for name in "abc":
        stage.node(name, OPEN)
    await stage.ask()
    stage.nodes["a"].say(off("a"))
    stage.nodes["b"].say(off("b"))
    await stage.ask(times=5)
    first, *others = stage.in_force()
    assert others == [first] * 2
    assert first in (off("a"), off("b"))


async def test_a_file_that_comes_to_say_the_same_changes_nothing(stage: Stage) -> None:
    a, b = stage.node("a", OPEN), stage.node("b", OPEN)
    await stage.ask()
    a.say(off("1"))
    await stage.ask()
    head = await stage.shared.ask("GET", "p2pcdn:sites:head")
    assert [a.differs, b.differs] == [False, True]
    b.say(off("1"))
    assert [a.differs, b.differs] == [False, False]
    await stage.ask()
    assert await stage.shared.ask("GET", "p2pcdn:sites:head") == head
    assert stage.applied["b"] == [off("1")]


async def test_a_new_node_takes_what_is_in_force(stage: Stage) -> None:
    a = stage.node("a", OPEN)
    await stage.ask()
    a.say(off("1"))
    await stage.ask()
    b = stage.node("b", OPEN)
    assert b.sites == OPEN
    await stage.ask()
    assert b.sites == off("1")
    assert b.differs
    assert not a.differs


async def test_a_file_that_changed_while_its_node_was_down_counts(stage: Stage) -> None:
    stage.node("a", OPEN)
    stage.node("b", OPEN)
    await stage.ask()
    stage.nodes["b"].say(off("1"))
    await stage.ask()
    for number in range(3):  # others have gone on meanwhile
        stage.nodes["b"].say(off("1", f"b{number}"))
        await stage.ask("b")
    a = stage.node("a", off("2"))
    assert a.sites == off("2")
    await stage.ask()
    assert stage.in_force() == [off("2")] * 2


async def test_a_version_that_knows_one_more_setting_takes_no_file_for_changed(
    stage: Stage,
) -> None:
    """What was kept by the version before says nothing of that setting."""
    stage.node("a", OPEN)
    stage.node("b", OPEN)
    await stage.ask()
    stage.nodes["a"].say(off("stolen"))
    await stage.ask()
    file = stage.folder / "b/sites.json"
    kept = json.loads(file.read_bytes())
    for site in (kept["sites"]["s"], kept["said"]["s"]):
        del site["revoked_contents"]
    file.write_text(json.dumps(kept))
    b = stage.node("b", OPEN)
    assert b.sites == off("stolen")
    await stage.ask()
    assert stage.in_force() == [off("stolen")] * 2


async def test_what_was_kept_without_what_the_file_said_holds(stage: Stage) -> None:
    stage.node("a", off("stolen"))
    await stage.ask()
    file = stage.folder / "a/sites.json"
    kept = json.loads(file.read_bytes())
    del kept["said"]
    file.write_text(json.dumps(kept))
    a = stage.node("a", OPEN)
    assert a.sites == off("stolen")
    assert a.differs


async def test_a_node_that_starts_while_the_store_is_away_knows_what_was_revoked(
    stage: Stage,
) -> None:
    stage.node("a", OPEN)
    stage.node("b", OPEN)
    await stage.ask()
    stage.nodes["b"].say(off("1"))
    await stage.ask()
    assert stage.node("a", OPEN).sites == off("1")
    assert stage.node("a", off("1")).sites == off("1")


async def test_a_store_that_forgets_is_told_again(stage: Stage) -> None:
    a, b = stage.node("a", OPEN), stage.node("b", OPEN)
    await stage.ask()
    a.say(off("1"))
    await stage.ask()
    await stage.shared.ask("FLUSHALL")
    await stage.ask()
    assert stage.in_force() == [off("1")] * 2
    b = stage.node("b", OPEN, keeps=False)
    await stage.ask()
    assert b.sites == off("1")


async def test_a_race_is_mended(stage: Stage) -> None:
    """Somebody else writes an earlier one over ours."""
    a, b = stage.node("a", OPEN), stage.node("b", OPEN)
    await stage.ask()
    head = await stage.shared.ask("GET", "p2pcdn:sites:head")
    body = await stage.shared.ask("GET", "p2pcdn:sites")
    a.say(off("1"))
    await stage.ask("a")
    assert isinstance(head, bytes)
    assert isinstance(body, bytes)
    await stage.shared.ask("MSET", "p2pcdn:sites:head", head, "p2pcdn:sites", body)
    await stage.ask()
    assert b.sites == off("1")


async def test_what_is_not_understood_is_ignored_and_said_once(stage: Stage) -> None:
    a = stage.node("a", OPEN)
    await stage.ask()
    await stage.shared.ask("MSET", "p2pcdn:sites:head", '[9,"x"]', "p2pcdn:sites", '{"later":1}')
    with structlog.testing.capture_logs() as logs:
        await stage.ask(times=5)
    assert [entry["event"] for entry in logs] == ["sites_not_understood"]
    assert a.sites == OPEN
    assert a.is_settled
    a.say(off("1"))
    await stage.ask()
    assert await stage.shared.ask("GET", "p2pcdn:sites:head") == b'[10,"ws://a"]'


async def test_a_folder_that_cannot_be_written_is_said(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stage.folder / "a").write_text("a file, where there should be a folder")
    with structlog.testing.capture_logs() as logs:
        a = stage.node("a", OPEN)
        await stage.ask()
    assert "sites_not_kept" in [entry["event"] for entry in logs]
    assert a.sites == OPEN


@pytest.mark.parametrize("text", [b"", b"{}", b"nonsense", b'{"version":[1],"sites":{"s":1}}'])
async def test_a_kept_one_that_cannot_be_read_is_none(stage: Stage, text: bytes) -> None:
    (stage.folder / "a").mkdir()
    (stage.folder / "a/sites.json").write_bytes(text)
    assert stage.node("a", OPEN).sites == OPEN


def test_it_writes_whole_files(stage: Stage) -> None:
    """What is beside the file has gone when it is there."""
    written: Callable[[], list[Any]] = lambda: list((stage.folder / "a").iterdir())  # noqa: E731
    a = stage.node("a", OPEN)
    batch = Batch()
    a.ask(batch)
    batch.answered([None])
    assert [file.name for file in written()] == ["sites.json"]
