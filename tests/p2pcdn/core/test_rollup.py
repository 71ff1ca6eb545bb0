"""Rows add up to what was read, whatever the clock does and whichever batches are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pcdn.core import rollup
from p2pcdn.core.amounts import MOST_BYTES, SHOWN, Amounts
from p2pcdn.core.ledger import Ledger
from p2pcdn.core.ledger_ports import Failure, Group, Reading
from p2pcdn.core.rollup import (
    ALL,
    MOST_CONTENTS,
    MOST_SEEN,
    OTHERS,
    WIDTHS,
    Batch,
    GroupKey,
    Rollup,
)
from p2pcdn.model import CHUNK_SIZE
from tests.p2pcdn.core.telling import chunks, gave, got, report

Rows = dict[rollup.Key, rollup.Figures]

CALM = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long it takes is for the machine to say."""

MOVES = st.lists(
    st.tuples(
        st.sampled_from(["", "a", "b", "c"]),
        st.integers(0, 10**6),
        st.integers(-1000, 1000),
        st.integers(0, 5),
        st.floats(-7200, 7200) | st.floats(0, 3),
        st.booleans(),
    ),
    max_size=40,
)
"""Of which content, bytes, claimed bytes, viewers; seconds until then; whether it is written."""


def added_up(rows: Rows, width: int, of: Callable[[str], bool]) -> Amounts:
    total = Amounts()
    for key, figures in rows.items():
        if key.width == width and of(key.content):
            total.add(figures.amounts)
    return total


class Told(NamedTuple):
    """What came of a run."""

    rows: Rows
    """What stands in the storage: what a batch says replaces what was there."""
    batches: list[Batch]
    total: Amounts


def run(moves: list[tuple[str, int, int, int, float, bool]]) -> Told:
    machine, now, total = Rollup(), 1_700_000_000.0, Amounts()
    rows: Rows = {}
    batches = []
    for content, size, claimed, viewers, later, written in [*moves, ("", 0, 0, 0, 1.0, True)]:
        now += later
        amounts = Amounts(origin_bytes=size, peer_bytes_claimed=claimed, joins=viewers)
        total.add(amounts)
        machine.receive(Reading({content: amounts}, {content: viewers} if content else {}), now)
        if written:
            batch = machine.take_batch()
            assert batch is not None
            batches.append(batch)
            rows |= batch.rows
    return Told(rows, batches, total)


@CALM
@given(MOVES)
def test_rows_of_each_width_add_up_to_the_total(
    moves: list[tuple[str, int, int, int, float, bool]],
) -> None:
    told = run(moves)
    named = Amounts()
    for content, size, claimed, viewers, _, _ in moves:
        if content:
            named.add(Amounts(origin_bytes=size, peer_bytes_claimed=claimed, joins=viewers))
    for width in WIDTHS:
        assert added_up(told.rows, width, lambda content: content == ALL) == told.total
        assert added_up(told.rows, width, lambda content: content != ALL) == named
    assert told.batches[-1].total == told.total


@CALM
@given(MOVES)
def test_what_a_row_says_never_becomes_less(
    moves: list[tuple[str, int, int, int, float, bool]],
) -> None:
    before: Rows = {}
    for batch in run(moves).batches:
        for key, figures in batch.rows.items():
            old = before.get(key, rollup.Figures())
            assert figures.amounts.origin_bytes >= old.amounts.origin_bytes
            assert figures.seconds >= old.seconds
            assert figures.viewers_max >= old.viewers_max
        before |= batch.rows


@CALM
@given(MOVES, st.data())
def test_a_batch_may_be_written_again_or_with_the_next(
    moves: list[tuple[str, int, int, int, float, bool]], data: st.DataObject
) -> None:
    told = run(moves)
    rows: Rows = {}
    kept: Batch | None = None
    for batch in told.batches:
        kept = batch if kept is None else kept.then(batch)
        if data.draw(st.booleans()):
            rows |= kept.rows
            rows |= kept.rows
            kept = None
    if kept is not None:
        rows |= kept.rows
        assert kept.total == told.total
    assert rows == told.rows


def reading(content: str = "a", size: int = 0, viewers: int = 0) -> Reading:
    return Reading({content: Amounts(origin_bytes=size)}, {content: viewers} if viewers else {})


def test_a_bucket_is_open_until_the_next_one_begins() -> None:
    machine = Rollup()
    for now in (100.0, 105.0, 109.9, 110.0):
        machine.receive(reading(size=1), now)
    batch = machine.take_batch()
    assert batch is not None
    assert batch.at == 110.0
    sizes = {key: row.amounts.origin_bytes for key, row in batch.rows.items()}
    assert sizes[rollup.Key(10, 100, 0, "a")] == sizes[rollup.Key(10, 100, 0, ALL)] == 3
    assert sizes[rollup.Key(10, 110, 0, "a")] == 1
    assert sizes[rollup.Key(60, 60, 0, "a")] == sizes[rollup.Key(3600, 0, 0, "a")] == 4


def test_only_what_has_changed_is_in_a_batch() -> None:
    machine = Rollup()
    machine.receive(reading("a"), 100.0)
    machine.receive(reading("b"), 111.0)
    machine.take_batch()
    assert machine.take_batch() is None
    machine.receive(reading("a"), 112.0)
    batch = machine.take_batch()
    assert batch is not None
    assert {(key.width, key.at, key.content) for key in batch.rows} == {
        (width, 112 // width * width, content) for width in WIDTHS for content in (ALL, "a")
    }


def test_a_batch_is_not_changed_by_what_comes_after() -> None:
    machine = Rollup()
    machine.receive(reading(size=1), 100.0)
    batch = machine.take_batch()
    machine.receive(reading(size=1), 101.0)
    assert batch is not None
    assert batch.total.origin_bytes == 1
    assert {row.amounts.origin_bytes for row in batch.rows.values()} == {1}


def test_where_the_clock_goes_back_a_new_part_begins() -> None:
    machine = Rollup()
    machine.receive(reading(size=1), 125.0)
    machine.receive(reading(size=2), 124.0)  # the same bucket: nothing has happened
    machine.receive(reading(size=4), 103.0)
    machine.receive(reading(size=8), 125.0)
    batch = machine.take_batch()
    assert batch is not None
    tens = {
        (key.at, key.part): row.amounts.origin_bytes
        for key, row in batch.rows.items()
        if key.width == 10 and key.content == ALL
    }
    assert tens == {(120, 0): 3, (100, 1): 4, (120, 1): 8}
    assert all(row.seconds >= 0 for row in batch.rows.values())


def test_time_asleep_is_not_time_seen() -> None:
    machine = Rollup()
    machine.receive(reading(viewers=3), 1000.0)
    machine.receive(reading(viewers=2), 1002.0)
    machine.receive(reading(viewers=1), 3000.0)
    batch = machine.take_batch()
    assert batch is not None
    hour = batch.rows[rollup.Key(3600, 0, 0, ALL)]
    assert hour.seconds == 2 + MOST_SEEN
    assert hour.viewer_seconds == 2 * 2 + 1 * MOST_SEEN
    assert hour.viewers_max == 3


def test_contents_that_nobody_has_heard_of_fill_no_disk() -> None:
    machine = Rollup()
    for turn in range(2):
        contents = {f"{number:04}": 1 for number in range(2 * MOST_CONTENTS)}
        changes = {content: Amounts(joins=1) for content in contents}
        machine.receive(Reading(changes, contents), 7200.0 + turn)
    batch = machine.take_batch()
    assert batch is not None
    rows = {key.content: row for key, row in batch.rows.items() if key.width == 3600}
    assert len(rows) <= MOST_CONTENTS + 2
    left = 2 * MOST_CONTENTS - (len(rows) - 2)
    assert rows[OTHERS].viewers_max == left
    assert rows[OTHERS].amounts.joins == 2 * left
    assert rows[OTHERS].seconds == 1.0
    assert rows[ALL].viewers_max == 2 * MOST_CONTENTS
    assert rows[ALL].amounts.joins == 4 * MOST_CONTENTS


def test_absurd_figures_stay_within_what_can_be_written() -> None:
    machine = Rollup()
    for second in range(3):
        lie = Amounts(peer_bytes_claimed=MOST_BYTES, waste_bytes=2**70, overhead_bytes=-(2**70))
        machine.receive(Reading({"a": lie}, {}), 100.0 + second)
    batch = machine.take_batch()
    assert batch is not None
    for amounts in (batch.total, *(row.amounts for row in batch.rows.values())):
        assert amounts.peer_bytes_claimed == amounts.waste_bytes == MOST_BYTES
        assert amounts.overhead_bytes == -MOST_BYTES


def test_a_ledger_and_its_rows_say_the_same() -> None:
    ledger, machine = Ledger(), Rollup()
    ledger.joined("1", "a", 0.0)
    ledger.joined("2", "a", 0.0)
    ledger.paired("pair", "1", "2")
    ledger.origin_sent(1000, 10, "a")
    ledger.signalled(5)
    machine.receive(ledger.take_reading(), 100.0)
    ledger.report("1", report(1, gave(chunks(0, 6), pairing="pair")), 0.0)
    machine.receive(ledger.take_reading(), 101.0)
    ledger.report("2", report(1, got(chunks(0, 5), pairing="pair"), waste_bytes=7), 0.0)
    ledger.failed("pair")
    machine.receive(ledger.take_reading(), 102.0)
    batch = machine.take_batch()
    summary = ledger.summary()
    assert batch is not None
    for name in SHOWN:
        assert getattr(batch.total, name) == getattr(summary, name), name
    assert batch.total.peer_bytes_confirmed == 6 * CHUNK_SIZE
    assert batch.total.peer_bytes_claimed == CHUNK_SIZE
    row = batch.rows[rollup.Key(10, 100, 0, "a")].amounts
    assert row == with_changes(batch.total, overhead_bytes=10)


def grouped(kind: str, names: Iterable[str], now: float, machine: Rollup) -> None:
    groups = {Group(kind, name): Amounts(joins=1) for name in names}
    machine.receive(Reading({}, {}, groups, dict.fromkeys(groups, 2)), now)


def test_groups_have_rows_of_a_minute_and_an_hour() -> None:
    machine = Rollup()
    for now in (3600.0, 3601.0, 3660.0):
        grouped("country", ["DE"], now, machine)
    batch = machine.take_batch()
    assert batch is not None
    joins = {key: figures.amounts.joins for key, figures in batch.groups.items()}
    assert joins == {
        GroupKey(60, 3600, 0, "country", "DE"): 2,
        GroupKey(60, 3660, 0, "country", "DE"): 1,
        GroupKey(3600, 3600, 0, "country", "DE"): 3,
    }
    hour = batch.groups[GroupKey(3600, 3600, 0, "country", "DE")]
    assert (hour.viewers_max, hour.viewer_seconds) == (2, 2.0 + 2 * rollup.MOST_SEEN)
    grouped("country", [], 3661.0, machine)
    later = machine.take_batch()
    assert later is not None
    assert not later.groups


def test_groups_that_are_too_many_are_counted_together_and_each_kind_has_its_own() -> None:
    machine = Rollup()
    names = [f"AS{number:05}" for number in range(rollup.MOST_GROUPS + 3)]
    machine.receive(Reading({}, {}), 7200.0)
    for now in (7201.0, 7202.0):
        grouped("operator", names, now, machine)
    grouped("country", ["DE"], 7203.0, machine)
    batch = machine.take_batch()
    assert batch is not None
    others = batch.groups[GroupKey(3600, 7200, 0, "operator", OTHERS)]
    assert others.amounts.joins == others.viewers_max == 6
    assert others.seconds == 2.0
    assert batch.groups[GroupKey(3600, 7200, 0, "country", "DE")].amounts.joins == 1
    assert len(batch.groups) == 2 * (rollup.MOST_GROUPS + 2)


def test_failures_are_counted_by_reason() -> None:
    machine = Rollup()
    for now in (7200.0, 7259.0, 7260.0):
        failures = {Failure("link", "timeout"): 2, Failure("socket", "banned"): 1}
        machine.receive(Reading({}, {}, failures=failures), now)
    batch = machine.take_batch()
    assert batch is not None
    assert batch.failures[GroupKey(60, 7200, 0, "link", "timeout")] == 4
    assert batch.failures[GroupKey(60, 7260, 0, "link", "timeout")] == 2
    assert batch.failures[GroupKey(3600, 7200, 0, "link", "timeout")] == 6
    assert batch.failures[GroupKey(3600, 7200, 0, "socket", "banned")] == 3
    machine.receive(Reading({}, {}, failures={Failure("link", "failed"): 1}), 10_800.0)
    later = batch.then(machine.take_batch() or batch)
    assert later.failures[GroupKey(3600, 10_800, 0, "link", "failed")] == 1
    assert later.failures.items() > batch.failures.items()


def with_changes(amounts: Amounts, **changes: int) -> Amounts:
    return Amounts(**{name: getattr(amounts, name) for name in Amounts.__struct_fields__} | changes)
