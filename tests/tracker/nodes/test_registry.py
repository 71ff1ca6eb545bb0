"""Who is there, by what nodes say in the store."""

from __future__ import annotations

import pytest

from tests.tracker.nodes.stores import Shared
from tracker.nodes.registry import FORGET, TRUST, Node, Registry
from tracker.nodes.store import Batch, StoreError

KEYS = [f"content {number}".encode() for number in range(60)]


class Stage:
    """Nodes by their letters, at one clock."""

    def __init__(self) -> None:
        self.shared = Shared()
        self.now = 100.0
        self.registries: dict[str, Registry] = {}

    def node(self, name: str, ledger: str | None = None) -> Registry:
        made = Registry(Node(f"ws://{name}", f"{name}:1", name if ledger is None else ledger))
        self.registries[name] = made
        return made

    async def look(self, registry: Registry) -> bool:
        batch = Batch()
        registry.ask(batch)
        registry.forget(batch, self.now)
        try:
            await self.shared.store().do(batch)
        except StoreError:
            registry.away(self.now)
            return False
        return registry.looked(self.now)

    async def beat(self, *names: str, times: int = 1) -> None:
        """All, or these, look in turn, until all know all: names first, then who they are."""
        for _ in range(3 * times):
            self.now += 0.25
            for name in names or self.registries:
                await self.look(self.registries[name])

    def there(self, name: str) -> str:
        """Whom a node knows, by their letters."""
        return "".join(sorted(url[-1] for url in self.registries[name].there))


@pytest.fixture
async def stage() -> Stage:
    stage = Stage()
    for name in "abc":
        stage.node(name)
    return stage


def test_who_knows_nobody_is_there() -> None:
    alone = Registry(Node("ws://a"))
    assert list(alone.there) == ["ws://a"]
    assert alone.home(b"x") == "ws://a"
    assert alone.next_home(b"x") is None


async def test_all_know_each_other_and_where_what_is_at_home(stage: Stage) -> None:
    await stage.beat()
    assert [stage.there(name) for name in "abc"] == ["abc"] * 3
    homes = [[registry.home(key) for key in KEYS] for registry in stage.registries.values()]
    assert homes[0] == homes[1] == homes[2]
    assert set(homes[0]) == {"ws://a", "ws://b", "ws://c"}
    assert stage.registries["a"].there["ws://b"].exchange == "b:1"


async def test_it_is_said_when_somebody_comes_or_goes(stage: Stage) -> None:
    a, b = stage.registries["a"], stage.registries["b"]
    assert not await stage.look(a)
    await stage.look(b)
    assert not await stage.look(a)  # a name, and not yet whose
    assert await stage.look(a)
    assert not await stage.look(a)
    await stage.shared.lapse("ws://b")
    assert await stage.look(a)
    assert stage.there("a") == "a"


async def test_who_leaves_is_gone_at_once(stage: Stage) -> None:
    await stage.beat()
    batch = Batch()
    stage.registries["c"].leave(batch)
    await stage.shared.store().do(batch)
    await stage.beat("a")
    assert stage.there("a") == "ab"
    assert await stage.shared.ask("SMEMBERS", "p2pcdn:nodes") == {b"ws://a", b"ws://b"}


async def test_a_record_lasts_two_seconds(stage: Stage) -> None:
    await stage.look(stage.registries["a"])
    left = await stage.shared.ask("PTTL", "p2pcdn:node:ws://a")
    assert isinstance(left, int)
    assert 1500 < left <= 2000


async def test_homes_of_who_is_gone_move_and_no_others(stage: Stage) -> None:
    await stage.beat()
    a = stage.registries["a"]
    before = {key: a.home(key) for key in KEYS}
    after = {key: a.next_home(key) for key in KEYS}
    await stage.shared.lapse("ws://b")
    await stage.look(a)
    for key, home in before.items():
        assert a.home(key) == home if home != "ws://b" else a.home(key) in ("ws://a", "ws://c")
        assert after[key] in ("ws://b", "ws://c")


async def test_while_the_store_is_away_everybody_stays(stage: Stage) -> None:
    await stage.beat()
    stage.shared.away = True
    await stage.beat(times=20)
    assert [stage.there(name) for name in "abc"] == ["abc"] * 3


async def test_a_store_that_comes_back_empty_is_given_time(stage: Stage) -> None:
    await stage.beat()
    stage.shared.away = True
    await stage.beat()
    stage.shared.away = False
    for name in "abc":
        await stage.shared.lapse(f"ws://{name}")
    await stage.look(stage.registries["a"])
    assert stage.there("a") == "abc"
    stage.now += TRUST + 0.1
    await stage.look(stage.registries["a"])
    assert stage.there("a") == "a"
    await stage.beat()
    assert [stage.there(name) for name in "abc"] == ["abc"] * 3


async def test_whose_line_broke_is_doubted_until_it_says_that_it_is_there(stage: Stage) -> None:
    await stage.beat()
    a, b = stage.registries["a"], stage.registries["b"]
    await stage.look(b)  # its last word before its line broke, which we have not heard yet
    assert a.doubt("ws://b")
    assert not a.doubt("ws://b")
    for _ in range(3):
        await stage.look(a)
        assert stage.there("a") == "ac"
    await stage.look(b)
    assert await stage.look(a)
    assert stage.there("a") == "abc"


async def test_what_was_asked_before_the_line_broke_proves_nothing(stage: Stage) -> None:
    await stage.beat()
    a, b = stage.registries["a"], stage.registries["b"]
    batch = Batch()
    a.ask(batch)
    await stage.shared.store().do(batch)
    a.doubt("ws://b")
    a.looked(stage.now)
    await stage.look(b)
    await stage.look(a)
    assert stage.there("a") == "ac"


async def test_a_new_line_ends_all_doubt(stage: Stage) -> None:
    await stage.beat()
    a = stage.registries["a"]
    a.doubt("ws://b")
    assert a.trust("ws://b")
    assert stage.there("a") == "abc"
    assert not a.trust("ws://x")


async def test_who_begins_anew_is_not_doubted(stage: Stage) -> None:
    await stage.beat(times=3)
    a = stage.registries["a"]
    a.doubt("ws://b")
    await stage.look(a)
    stage.node("b")
    await stage.look(stage.registries["b"])
    await stage.look(a)
    assert stage.there("a") == "abc"


async def test_names_of_those_who_are_gone_for_long_are_forgotten(stage: Stage) -> None:
    await stage.beat()
    await stage.shared.lapse("ws://c")
    await stage.beat("a", "b")
    stage.now += FORGET + 1
    await stage.look(stage.registries["a"])
    names = await stage.shared.ask("SMEMBERS", "p2pcdn:nodes")
    assert names == {b"ws://a", b"ws://b"}


async def test_who_says_that_he_is_we_is_told(stage: Stage) -> None:
    await stage.beat("a")
    assert stage.registries["a"].rivals == []
    other = Registry(Node("ws://a", ledger="another"))
    await stage.look(other)
    await stage.look(stage.registries["a"])
    assert stage.registries["a"].rivals == ["ws://a"]


async def test_who_has_our_ledger_is_told(stage: Stage) -> None:
    stage.node("d", ledger="a")
    await stage.beat()
    assert stage.registries["a"].rivals == ["ws://d"]
    assert stage.registries["b"].rivals == []


async def test_a_record_that_is_none_is_nobodys(stage: Stage) -> None:
    await stage.beat()
    await stage.shared.ask("SET", "p2pcdn:node:ws://b", "nonsense")
    await stage.look(stage.registries["a"])
    assert stage.there("a") == "ac"
