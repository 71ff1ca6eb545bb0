"""Joins from an address, at all nodes together."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tracker.nodes.stores import Shared
from tracker.nodes.joins import Joins
from tracker.nodes.store import Batch

HERE, THERE = b"\xc0\x00\x02\x01", b"\xc0\x00\x02\x02"
SECRET = b"s" * 32


class Stage:
    def __init__(self) -> None:
        self.shared = Shared()
        self.unix = 6000.0
        self.heard: dict[str, Counter[bytes]] = {}
        self.nodes: dict[str, Joins] = {}
        for name in "abc":
            heard = self.heard[name] = Counter()
            self.nodes[name] = Joins(f"ws://{name}", 100, self._hears(heard))

    @staticmethod
    def _hears(heard: Counter[bytes]):  # type: ignore[no-untyped-def]
        def hear(address: bytes, joins: int) -> None:
            heard[address] += joins

        return hear

    def join(self, name: str, times: int, address: bytes = HERE) -> None:
        for _ in range(times):
            self.nodes[name].joined(address, self.unix)

    async def ask(self, *names: str) -> None:
        for name in names or self.nodes:
            batch = Batch()
            self.nodes[name].ask(batch, SECRET, self.unix)
            await self.shared.store().do(batch)


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_each_hears_of_what_came_to_the_others(stage: Stage) -> None:
    stage.join("a", 50)
    stage.join("b", 30)
    await stage.ask()
    await stage.ask()
    assert stage.heard["a"] == {HERE: 30}
    assert stage.heard["b"] == {HERE: 50}
    assert stage.heard["c"] == {}, "nobody has come to it from there"
    stage.join("b", 1)
    await stage.ask()
    await stage.ask()
    assert stage.heard["a"] == {HERE: 31}


async def test_of_an_address_with_little_nothing_is_said(stage: Stage) -> None:
    stage.join("a", 9)
    await stage.ask()
    assert await stage.shared.ask("KEYS", "*") == []


async def test_who_comes_to_a_node_hears_of_the_past_minute(stage: Stage) -> None:
    stage.join("a", 90)
    await stage.ask()
    stage.join("b", 10)
    await stage.ask()
    assert stage.heard["b"] == {HERE: 90}


async def test_each_minute_begins_anew(stage: Stage) -> None:
    stage.join("a", 50)
    stage.join("b", 50)
    await stage.ask()
    stage.unix += 60
    stage.join("b", 20)
    await stage.ask()
    await stage.ask()
    assert stage.heard["b"] == {HERE: 50}
    assert len(await _keys(stage)) == 2


async def test_little_does_not_add_up_from_minute_to_minute(stage: Stage) -> None:
    stage.nodes = {"a": stage.nodes["a"]}
    for minute in range(20):
        stage.unix = 6000.0 + 60 * minute
        stage.join("a", 9)
        await stage.ask()
    assert await stage.shared.ask("KEYS", "*") == []


async def test_who_was_here_is_forgotten_with_the_minute_though_nobody_asks(stage: Stage) -> None:
    for minute in range(20):
        stage.unix = 6000.0 + 60 * minute
        stage.join("a", 1, b"%d" % minute)
    assert list(stage.nodes["a"]._here) == [b"19"]


async def test_workers_of_one_node_are_not_others(stage: Stage) -> None:
    stage.nodes["a2"] = Joins("ws://a", 100, stage._hears(Counter()))
    stage.join("a", 50)
    stage.join("a2", 50)
    await stage.ask()
    await stage.ask()
    assert stage.heard["a"] == {}


async def test_nobody_who_looks_in_learns_an_address(stage: Stage) -> None:
    stage.join("a", 50)
    stage.join("a", 50, THERE)
    await stage.ask("a")
    [key] = await _keys(stage)
    fields = await stage.shared.ask("HGETALL", key)
    assert isinstance(fields, dict)
    assert len(fields) == 4
    assert not any(HERE in name or THERE in name for name in fields)
    left = await stage.shared.ask("TTL", key)
    assert isinstance(left, int)
    assert 0 < left <= 180


async def _keys(stage: Stage) -> list[bytes]:
    found = await stage.shared.ask("KEYS", "p2pcdn:joins:*")
    assert isinstance(found, list)
    return found
