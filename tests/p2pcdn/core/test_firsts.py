"""What was sent for the first time, beside a set of bytes that says so without a thought."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.firsts import JOINS_WITHIN, MOST_FILES, MOST_STRETCHES, Firsts, Place

FILE = "/v/1.ts"

SENT = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 60), st.integers(0, 20)),
    max_size=40,
)
"""Content, file, start, size."""


@given(SENT)
def test_each_byte_is_new_once(sent: list[tuple[str, str, int, int]]) -> None:
    firsts = Firsts()
    seen: set[tuple[str, str, int]] = set()
    for content, file, start, size in sent:
        bytes_ = {(content, file, at) for at in range(start, start + size)}
        assert firsts.sent(content, Place(file, start), size) == len(bytes_ - seen)
        seen |= bytes_


def test_stretches_that_touch_become_one() -> None:
    firsts = Firsts()
    for start in (0, 20, 10):
        assert firsts.sent("a", Place(FILE, start), 10) == 10
    assert firsts._files["a", FILE] == [0, 30]


def test_who_is_forgotten_is_new_again() -> None:
    firsts = Firsts()
    for content in "ab":
        firsts.sent(content, Place(FILE, 0), 10)
    firsts.forget("a")
    firsts.forget("nobody has ever heard of")
    assert firsts.sent("a", Place(FILE, 0), 10) == 10
    assert firsts.sent("b", Place(FILE, 0), 10) == 0


def test_a_file_in_shreds_costs_no_more_memory() -> None:
    firsts = Firsts()
    firsts.sent("a", Place(FILE, 10**6), 1)  # the shortest
    for number in range(3 * MOST_STRETCHES):
        firsts.sent("a", Place(FILE, 10 * number), 2 + number % 3)
    assert len(firsts._files["a", FILE]) == 2 * MOST_STRETCHES
    assert firsts.sent("a", Place(FILE, 10**6), 1) == 1


def test_no_more_files_than_so_many_are_remembered() -> None:
    firsts = Firsts()
    for number in range(MOST_FILES):
        firsts.sent(f"{number % 7}", Place(f"{number}", 0), 1)
    firsts.sent("0", Place("0", 0), 1)  # is the newest now
    firsts.sent("one", Place("more", 0), 1)
    assert len(firsts._files) == MOST_FILES
    assert sum(map(len, firsts._contents.values())) == MOST_FILES
    assert firsts.sent("0", Place("0", 0), 1) == 0
    assert firsts.sent("1", Place("1", 0), 1) == 1


def test_a_content_of_which_all_files_are_forgotten_is_forgotten() -> None:
    firsts = Firsts()
    firsts.sent("first", Place(FILE, 0), 1)
    for number in range(MOST_FILES):
        firsts.sent("a", Place(f"{number}", 0), 1)
    assert "first" not in firsts._contents


def test_while_nobody_is_there_all_has_to_be_sent() -> None:
    firsts = Firsts()
    for _ in range(2):
        assert firsts.sent("a", Place(FILE, 0), 10, watched=False) == 10
    # Who took it has joined: it is there.
    assert firsts.sent("a", Place(FILE, 0), 10) == 0


def test_what_nobody_has_joined_for_is_forgotten_after_a_while() -> None:
    firsts = Firsts()
    firsts.on_timer(5.0, ())
    assert firsts.timer_at() is None
    for content in "ab":
        firsts.sent(content, Place(FILE, 0), 10, watched=False)
    firsts.on_timer(20.0, "")
    firsts.sent("a", Place(FILE, 0), 10, watched=False)  # changes nothing
    assert firsts.timer_at() == 5.0 + JOINS_WITHIN
    firsts.on_timer(4.0 + JOINS_WITHIN, "")
    assert firsts.timer_at() == 5.0 + JOINS_WITHIN
    firsts.on_timer(5.0 + JOINS_WITHIN, "b")
    assert firsts.timer_at() is None
    assert firsts.sent("a", Place(FILE, 0), 10) == 10
    assert firsts.sent("b", Place(FILE, 0), 10) == 0
