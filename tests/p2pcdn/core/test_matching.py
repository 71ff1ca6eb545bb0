"""Who is of use to whom, and a crowd that can be sampled."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.locality import Distance, Near
from p2pcdn.core.matching import AHEAD, Crowd, Use, ranked, ranked_near, use_of
from p2pcdn.wire.tracker import Position
from tests.p2pcdn.core.swarming import at, live


@dataclass
class Someone:
    position: Position | None = None
    upload: bool = True
    spare: float = 0.0


@pytest.mark.parametrize(
    ("supplier", "taker", "use"),
    [
        pytest.param(at(100), at(100), Use.COVERS, id="at the same place"),
        pytest.param(at(0, 0, 999), at(500), Use.COVERS, id="a seeder"),
        pytest.param(at(105), at(100), Use.COVERS, id="a little ahead"),
        pytest.param(at(0, 0, 0), at(0, 0, 0), Use.COVERS, id="both have just begun"),
        pytest.param(at(150), at(100), Use.AHEAD, id="ahead, within reach"),
        pytest.param(at(110 + AHEAD), at(100), Use.AHEAD, id="as far ahead as helps"),
        pytest.param(at(111 + AHEAD), at(100), Use.NONE, id="one further"),
        pytest.param(at(90), at(100), Use.NONE, id="what it has has been played"),
        pytest.param(at(91), at(100), Use.COVERS, id="it has one more"),
        pytest.param(at(500), at(100), Use.NONE, id="far ahead"),
        pytest.param(at(100), at(500), Use.NONE, id="far behind"),
        pytest.param(at(100, of="b"), at(100), Use.ALIKE, id="another rendition"),
        pytest.param(at(500, of="b"), at(100), Use.UNKNOWN, id="another one, perhaps shifted"),
        pytest.param(live(100), live(100), Use.COVERS, id="live, at the same place"),
        pytest.param(live(97), live(100), Use.COVERS, id="live, and all it has has been played"),
        pytest.param(live(20), live(100), Use.NONE, id="live, but far behind"),
        pytest.param(None, live(100), Use.UNKNOWN, id="live, and the supplier's place is unknown"),
        pytest.param(None, at(100), Use.UNKNOWN, id="the supplier's place is unknown"),
        pytest.param(at(100), None, Use.UNKNOWN, id="the taker's place is unknown"),
        pytest.param(None, None, Use.UNKNOWN, id="nothing is known"),
    ],
)
def test_a_supplier_is_of_use_where_it_holds_what_comes(
    supplier: Position | None, taker: Position | None, use: Use
) -> None:
    assert use_of(Someone(supplier), Someone(taker)) is use


def test_who_does_not_upload_is_of_no_use() -> None:
    assert use_of(Someone(at(1), upload=False), Someone(at(1))) is Use.NONE


def test_the_most_useful_come_first_and_the_useless_not_at_all() -> None:
    seeker = Someone(at(100))
    seeder, ahead, unknown = Someone(at(0, 0, 999)), Someone(at(140)), Someone()
    needy, far = Someone(at(90)), Someone(at(900))
    mixed = [far, needy, unknown, ahead, seeder]
    assert ranked(seeker, mixed, Random(1)) == [seeder, ahead, unknown, needy]


def test_whoever_is_near_comes_before_whom_it_helps_but_not_before_whoever_helps_more() -> None:
    seeker = Someone(at(100))
    covers, mutual = Someone(at(0, 0, 999)), Someone(at(100))
    ahead = Someone(at(140))
    nearness = {id(ahead): 0, id(covers): 1, id(mutual): 2}

    def away(other: Someone) -> Distance:
        return nearness[id(other)], 0.0, Near.FAR

    others = [ahead, mutual, covers]
    assert ranked(seeker, others, Random(1)) == [mutual, covers, ahead]
    assert ranked_near(seeker, others, away, Random(1)) == [covers, mutual, ahead]


def test_two_that_do_not_upload_make_no_pair() -> None:
    assert ranked(Someone(upload=False), [Someone(upload=False)], Random(1)) == []
    assert len(ranked(Someone(upload=True), [Someone(upload=False)], Random(1))) == 1


def test_who_has_more_to_spare_comes_first_more_often() -> None:
    fast, slow = Someone(spare=300_000.0), Someone(spare=100_000.0)
    rng = Random(1)
    firsts = [ranked(Someone(), [slow, fast], rng)[0] for _ in range(1000)]
    assert 700 < sum(first is fast for first in firsts) < 800


def test_equals_come_in_random_order() -> None:
    others = [Someone() for _ in range(20)]
    orders = {tuple(map(id, ranked(Someone(), others, Random(seed)))) for seed in range(5)}
    assert len(orders) == 5


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9))))
def test_a_crowd_is_a_set(steps: list[tuple[bool, int]]) -> None:
    crowd: Crowd[int] = Crowd()
    plain: set[int] = set()
    for add, number in steps:
        if add:
            crowd.add(number)
            plain.add(number)
        else:
            crowd.discard(number)
            plain.discard(number)
        assert set(crowd) == plain
        assert len(crowd) == len(plain)
        assert (number in crowd) == (number in plain)
        assert set(crowd.sample(100, Random(1))) == plain


def test_a_sample_of_a_large_crowd_is_small_and_without_repeats() -> None:
    crowd: Crowd[int] = Crowd()
    for number in range(1000):
        crowd.add(number)
    sample = crowd.sample(64, Random(1))
    assert len(sample) == len(set(sample)) == 64


@given(st.integers(0, 40), st.integers(1, 30))
def test_a_draw_is_a_sample_without_repeats(members: int, most: int) -> None:
    crowd: Crowd[int] = Crowd()
    for member in range(members):
        crowd.add(member)
    drawn = list(crowd.draw(most, Random(1)))
    assert len(drawn) == len(set(drawn)) == min(members, most)
    assert set(drawn) <= set(crowd)
    assert list(crowd) == list(range(members))


@pytest.mark.parametrize("members", [20, 500])
def test_a_draw_is_fair(members: int) -> None:
    """Whoever is taken first, and however few are."""
    crowd: Crowd[int] = Crowd()
    for member in range(members):
        crowd.add(member)
    rng = Random(1)
    firsts = [next(crowd.draw(10, rng)) for _ in range(100 * members)]
    lasts = [list(crowd.draw(10, rng))[-1] for _ in range(10 * members)]
    assert all(50 < firsts.count(member) < 160 for member in range(20))
    assert set(lasts) >= set(range(20))
