"""What all nodes have counted, each once."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from p2pcdn.core.amounts import Amounts
from tests.tracker.nodes.stores import Shared
from tracker.nodes.store import Batch
from tracker.nodes.totals import EVERY, Total, Totals


class Stage:
    def __init__(self) -> None:
        self.shared = Shared()
        self.now = 10.0
        self.own: dict[str, Total] = {}
        self.nodes: dict[str, Totals] = {}

    def node(self, name: str, total: Total, *, shared: bool = False) -> Totals:
        self.own[name] = total
        made = self.nodes[name] = Totals(name, lambda: self.own[name], shared=shared)
        return made

    async def ask(self, *names: str, times: int = 2) -> None:
        for _ in range(times):
            self.now += EVERY
            for name in names or self.nodes:
                batch = Batch()
                self.nodes[name].ask(batch, self.now)
                await self.shared.store().do(batch)


@pytest.fixture
async def stage() -> Stage:
    stage = Stage()
    stage.node("a", Total(Amounts(origin_bytes=1), viewers=10, swarms=1, refused=1, since=300.0))
    stage.node("b", Total(Amounts(origin_bytes=20), viewers=20, swarms=2, refused=2, since=100.0))
    stage.node("c", Total(Amounts(origin_bytes=300), viewers=30, swarms=3, refused=3, since=200.0))
    return stage


async def test_any_node_tells_the_sum(stage: Stage) -> None:
    await stage.ask()
    for totals in stage.nodes.values():
        found = totals.sum({"a", "b", "c"})
        assert found == Total(Amounts(origin_bytes=321), 60, 6, 6, 100.0)


async def test_our_own_is_as_of_now(stage: Stage) -> None:
    await stage.ask()
    stage.own["a"].amounts.origin_bytes = 7
    assert stage.nodes["a"].sum(()).amounts.origin_bytes == 327
    assert stage.own["a"].amounts.origin_bytes == 7, "it is not added to"


async def test_what_a_node_that_is_gone_has_told_counts_and_its_viewers_do_not(
    stage: Stage,
) -> None:
    await stage.ask()
    del stage.nodes["c"]
    await stage.ask()
    found = stage.nodes["a"].sum({"a", "b"})
    assert (found.amounts.origin_bytes, found.viewers, found.swarms) == (321, 30, 3)


async def test_a_store_that_forgets_is_told_again_of_nodes_that_are_gone(stage: Stage) -> None:
    await stage.ask()
    del stage.nodes["c"]
    await stage.shared.ask("FLUSHALL")
    await stage.ask()
    stage.node("d", Total(Amounts(origin_bytes=4000)))
    await stage.ask()
    for name in "abd":
        found = stage.nodes[name].sum({"a", "b", "c", "d"})
        assert found.amounts.origin_bytes == 4321
    assert found.viewers == 30, "it has none, whoever tells of it"


async def test_what_is_told_again_is_not_told_over_what_is_newer(stage: Stage) -> None:
    await stage.ask()
    await stage.shared.ask("FLUSHALL")
    await stage.ask("a", times=1)
    stage.own["c"] = replace(stage.own["c"], amounts=Amounts(origin_bytes=301))
    await stage.ask("c", times=1)
    await stage.ask("a")
    found = stage.nodes["a"].sum({"a", "c"})
    assert (found.amounts.origin_bytes, found.viewers) == (322, 40)


async def test_who_begins_anew_is_not_counted_twice(stage: Stage) -> None:
    await stage.ask()
    total = stage.own["c"]
    stage.node("c", replace(total, amounts=Amounts(origin_bytes=301), viewers=0))
    await stage.ask()
    assert stage.nodes["a"].sum({"a", "b", "c"}).amounts.origin_bytes == 322


async def test_the_last_word_has_no_viewers(stage: Stage) -> None:
    await stage.ask()
    batch = Batch()
    stage.nodes.pop("c").leave(batch)
    await stage.shared.store().do(batch)
    await stage.ask()
    assert stage.nodes["a"].sum({"a", "b", "c"}).viewers == 30


async def test_of_a_ledger_that_all_keep_together_only_what_is_now_is_added(stage: Stage) -> None:
    for name in "abc":
        stage.node(name, Total(Amounts(origin_bytes=321), 10, 1, 1, 100.0), shared=True)
    await stage.ask()
    assert stage.nodes["a"].sum({"a", "b", "c"}) == Total(
        Amounts(origin_bytes=321), 30, 3, 3, 100.0
    )


async def test_what_is_not_understood_is_left_out(stage: Stage) -> None:
    await stage.shared.ask("HSET", "p2pcdn:totals", "x", '{"amounts":{"origin_bytes":"many"}}')
    await stage.ask()
    assert stage.nodes["a"].sum(()).amounts.origin_bytes == 321


async def test_it_is_told_every_few_seconds_only(stage: Stage) -> None:
    await stage.ask()
    batch = Batch()
    stage.nodes["a"].ask(batch, stage.now + EVERY / 2)
    assert list(batch) == []
