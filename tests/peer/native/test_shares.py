"""How a store is shared out: to what is asked for, and rare."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peer.native.shares import HALF_LIFE, Demand, Wish, share_out, worth


def wish(size: int, *, held: int = 0, rare: float = 1.0) -> Wish:
    return Wish(size, held, 0, rare)


def test_who_fits_gets_all_and_what_is_left() -> None:
    shares = share_out(100, {"a": (wish(30), 1.0), "b": (wish(50), 0.0)})
    assert shares == {"a": 40, "b": 60}


def test_what_is_asked_for_goes_before_what_is_not() -> None:
    shares = share_out(100, {"a": (wish(80), 1.0), "b": (wish(80), 5.0), "c": (wish(80), 0.0)})
    assert shares == {"a": 20, "b": 80, "c": 0}


def test_what_is_rare_goes_before_what_others_hold() -> None:
    shares = share_out(100, {"a": (wish(80, rare=0.0), 3.0), "b": (wish(80, rare=0.9), 3.0)})
    assert shares == {"a": 20, "b": 80}


def test_what_is_there_is_not_driven_out_by_what_is_worth_the_same() -> None:
    shares = share_out(80, {"a": (wish(80), 3.0), "b": (wish(80, held=10), 3.0)})
    assert shares == {"a": 0, "b": 80}
    assert worth(wish(1, held=1), 3.0) < worth(wish(1), 5.0)


def test_of_what_nobody_asks_for_the_rare_counts() -> None:
    assert worth(wish(1), 0.0) > worth(wish(1, rare=0.5), 0.0) > 0


def test_what_nobody_knows_the_size_of_begins_with_its_part_of_the_rest() -> None:
    assert share_out(90, {"a": (wish(30), 9.0), "b": (wish(0), 0.0), "c": (wish(0), 0.0)}) == {
        "a": 50,
        "b": 20,
        "c": 20,
    }


def test_nothing_is_shared_out_to_nobody() -> None:
    assert share_out(100, {}) == {}


@given(
    st.integers(0, 1000),
    st.dictionaries(
        st.text("abc", min_size=1),
        st.tuples(
            st.builds(Wish, st.integers(0, 500), st.integers(0, 500), st.integers(0, 9)),
            st.floats(0, 9),
        ),
    ),
)
def test_never_more_than_there_is(room: int, wishes: dict[str, tuple[Wish, float]]) -> None:
    shares = share_out(room, wishes)
    assert set(shares) == set(wishes)
    assert sum(shares.values()) <= room
    assert all(share >= 0 for share in shares.values())


def test_who_has_gone_counts_for_a_while() -> None:
    demand = Demand()
    assert demand.note(4, 0.0) == 4.0
    assert demand.note(0, HALF_LIFE) == 2.0
    assert demand.note(3, HALF_LIFE + 1) == 3.0
    assert demand.note(0, 100 * HALF_LIFE) < 0.01
