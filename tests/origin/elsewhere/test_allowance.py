"""How much may be fetched."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from origin.elsewhere.allowance import AT_ONCE, BURST, DAY, REQUESTS, STRANGE, Allowance


def test_what_was_spent_comes_back_by_the_second() -> None:
    allowance = Allowance(100.0, 1e9, 0.0)
    assert allowance.take(0.0)
    allowance.spend(int(100 * BURST) + 50)
    assert not allowance.take(0.4)
    assert allowance.take(0.6)


def test_a_day_has_its_own_bound() -> None:
    allowance = Allowance(1e9, 8640.0, 0.0)
    allowance.spend(8640)
    assert not allowance.take(0.0)
    allowance.spend(100)
    assert not allowance.take(DAY / 100)
    assert allowance.take(DAY / 80)


def test_made_up_names_keep_nobody_from_what_exists() -> None:
    allowance = Allowance(1e9, 1e12, 0.0)
    assert [allowance.take(0.0, strange=True) for _ in range(1000)].count(True) == STRANGE * AT_ONCE
    assert [allowance.take(0.0) for _ in range(1000)].count(True) == REQUESTS * AT_ONCE
    assert allowance.take(1.0, strange=True)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10_000)), max_size=60))
def test_over_any_time_no_more_than_rate_and_burst_and_one_more(
    asked: list[tuple[float, int]],
) -> None:
    allowance = Allowance(100.0, 50_000.0, 0.0)
    now, spent = 0.0, 0
    for gap, size in asked:
        now += gap
        if allowance.take(now):
            spent += size
            allowance.spend(size)
        assert spent <= 100.0 * (BURST + now) + 10_000
        assert spent <= 50_000.0 * (1 + now / DAY) + 10_000
