"""Ranks: the same for everybody, in every language, and fair."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.rank import hash32, rank_of
from p2pcdn.model import SegmentKey
from tests.p2pcdn.core.scenario import VECTORS

CASES: dict[str, list[dict[str, Any]]] = json.loads(
    (VECTORS / "rank.json").read_text(encoding="utf-8")
)
IDS = st.text("0123456789abcdef", min_size=16, max_size=16)
SEGMENTS = st.builds(SegmentKey, st.text(max_size=20), st.integers(0, 2**53 - 1))


@pytest.mark.parametrize("case", CASES["hashes"], ids=lambda case: repr(case["text"])[:30])
def test_hashes(case: dict[str, Any]) -> None:
    assert hash32(case["text"]) == case["hash"]


@pytest.mark.parametrize("case", CASES["ranks"], ids=lambda case: f"{case['sequence']}")
def test_ranks(case: dict[str, Any]) -> None:
    segment = SegmentKey(case["rendition"], case["sequence"])
    assert rank_of(case["me"], case["others"], segment) == case["rank"]


@given(st.sets(IDS, min_size=1, max_size=12), SEGMENTS)
def test_everybody_has_a_rank_of_his_own(peers: set[str], segment: SegmentKey) -> None:
    ranks = [rank_of(me, peers - {me}, segment) for me in peers]
    assert sorted(ranks) == list(range(len(peers)))


@given(st.sets(IDS, min_size=2, max_size=12), SEGMENTS)
def test_who_leaves_changes_nobodys_order(peers: set[str], segment: SegmentKey) -> None:
    first, *rest = sorted(peers, key=lambda me: rank_of(me, peers - {me}, segment))
    left = set(rest)
    assert [rank_of(me, left - {me}, segment) for me in rest] == list(range(len(rest)))
    assert rank_of(first, peers - {first}, segment) == 0


def test_turns_are_shared_fairly() -> None:
    peers = [f"{number:016x}" for number in range(8)]
    first = [0] * len(peers)
    for sequence in range(800):
        for number, me in enumerate(peers):
            others = peers[:number] + peers[number + 1 :]
            first[number] += rank_of(me, others, SegmentKey("v", sequence)) == 0
    assert sum(first) == 800
    assert min(first) > 60
    assert max(first) < 140
