"""Homes: the same for everybody, shared equally, and nothing moves that need not."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.homes import home_of

PLACES = st.lists(st.text(max_size=12), min_size=1, max_size=9, unique=True)
KEYS = st.binary(max_size=40)
MANY = [f"content {number}".encode() for number in range(4000)]


@given(KEYS, PLACES, st.randoms(use_true_random=False))
def test_all_who_know_the_same_places_agree(
    key: bytes, places: list[str], rng: random.Random
) -> None:
    shuffled = rng.sample(places, len(places))
    assert home_of(key, shuffled) == home_of(key, places)
    assert home_of(key, places) in places


@given(st.lists(KEYS, max_size=20), PLACES, st.text(max_size=12))
def test_a_place_that_comes_moves_nothing_between_others(
    keys: list[bytes], places: list[str], new: str
) -> None:
    before = [place for place in places if place != new] or ["another"]
    for key in keys:
        assert home_of(key, [*before, new]) in (new, home_of(key, before))


@given(st.lists(KEYS, max_size=20), PLACES.filter(lambda places: len(places) > 1), st.data())
def test_a_place_that_goes_moves_only_its_own(
    keys: list[bytes], places: list[str], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(places))
    left = [place for place in places if place != gone]
    for key in keys:
        before = home_of(key, places)
        assert home_of(key, left) == before or before == gone


def test_all_places_have_equal_shares() -> None:
    places = [f"node-{number}" for number in range(8)]
    shares = Counter(home_of(key, places) for key in MANY)
    assert set(shares) == set(places)
    assert min(shares.values()) > 420  # 500 each, less four standard deviations
    assert max(shares.values()) < 580


def test_what_a_lost_place_had_goes_to_all_others() -> None:
    places = [f"node-{number}" for number in range(5)]
    lost = [key for key in MANY if home_of(key, places) == "node-3"]
    shares = Counter(home_of(key, [*places[:3], places[4]]) for key in lost)
    assert min(shares.values()) > len(lost) / 4 * 0.7


def test_homes_stay_where_they_are_from_one_version_to_the_next() -> None:
    """Nodes of two versions serve one swarm while they are being updated."""
    places = ["a", "b", "c"]
    homes = "".join(home_of(bytes([number]), places) for number in range(16))
    assert homes == "cabaaccbcbbcaaba"


def test_nothing_is_at_home_nowhere() -> None:
    with pytest.raises(ValueError, match="none"):
        home_of(b"x", [])
