"""Which files are whole, whatever the time of day is said to be."""

from __future__ import annotations

import pytest

from origin.catalog import settling as module
from origin.catalog.settling import SETTLED, Settling

NS = 1_000_000_000
DAY = 86_400


class Clocks:
    """The time that passes, and what is made of it."""

    def __init__(self) -> None:
        self.now = 5000.0
        self.ahead = 1_700_000_000.0
        self.settling = Settling(lambda: self.now, lambda: self.time)

    @property
    def time(self) -> int:
        return round((self.now + self.ahead) * NS)

    def is_settled(self, age: float, path: str = "a.ts") -> bool:
        return self.settling.is_settled(path, self.time - round(age * NS))


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_a_file_that_nobody_has_written_to_for_a_while_is_whole(clocks: Clocks) -> None:
    assert clocks.is_settled(SETTLED + 0.1)
    assert not clocks.is_settled(SETTLED - 0.1)
    assert not clocks.is_settled(0.0)


@pytest.mark.parametrize("days", [1, -1])
def test_after_a_jump_it_counts_for_how_long_a_file_stays_as_it_is(
    clocks: Clocks, days: int
) -> None:
    written = clocks.time
    assert not clocks.settling.is_settled("a.ts", written)
    clocks.now += 1.0
    clocks.ahead += days * DAY
    assert not clocks.settling.is_settled("a.ts", written)  # it is a second old
    clocks.now += SETTLED - 0.5
    assert clocks.settling.is_settled("a.ts", written)


def test_a_file_of_the_future_is_whole_in_the_end(clocks: Clocks) -> None:
    future = clocks.time + DAY * NS  # its machine's clock is ahead
    for _ in range(3):
        assert not clocks.settling.is_settled("a.ts", future)
        clocks.now += SETTLED - 1
        future += NS  # it is written to
    assert not clocks.settling.is_settled("a.ts", future)
    clocks.now += SETTLED + 1
    assert clocks.settling.is_settled("a.ts", future)
    assert not clocks.settling.is_settled("b.ts", future)


def test_old_files_are_whole_again_a_while_after_a_jump(clocks: Clocks) -> None:
    assert clocks.is_settled(DAY, "old.ts")
    clocks.ahead += DAY
    assert not clocks.is_settled(2 * DAY, "old.ts")
    clocks.now += SETTLED + 0.1
    assert clocks.is_settled(2 * DAY, "other.ts")


def test_clocks_that_drift_have_not_jumped(clocks: Clocks) -> None:
    for _ in range(10):
        assert clocks.is_settled(60.0)
        clocks.ahead += 0.4
    assert clocks.is_settled(SETTLED + 0.1)


def test_no_more_is_remembered_than_there_is_room_for(
    clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_SEEN", 3)
    for number in range(5):
        assert not clocks.is_settled(0.0, f"{number}.ts")
    assert list(clocks.settling._seen) == ["2.ts", "3.ts", "4.ts"]
