"""Chunks as reports tell them: one way to say anything, and no other is believed."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.account import Moved, Room
from p2pcdn.core.bits import run
from p2pcdn.core.runs import RunsError, Stretches, read, size_of
from p2pcdn.model import CHUNK_SIZE, ChunkKey, SegmentKey

NAMES = ("v", "w")


def test_what_runs_say() -> None:
    assert read([(0, 7, 100, 0, 2, 5, 5), (1, 3, 0, 65_535, 65_535)], NAMES) == [
        (SegmentKey("v", 7), run(0, 2) | run(5, 5), (5, 100)),
        (SegmentKey("w", 3), run(65_535, 65_535), None),
    ]


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([(0, 0, 0)], id="no run"),
        pytest.param([()], id="nothing"),
        pytest.param([(0, 0, 0, 1)], id="half a run"),
        pytest.param([(0, 0, 0, 0, 1, 2)], id="a run and a half"),
        pytest.param([(0, 0, 0, 2, 1)], id="backwards"),
        pytest.param([(0, 0, 0, 0, 3, 3, 4)], id="overlapping"),
        pytest.param([(0, 0, 0, 0, 3, 4, 5)], id="no gap"),
        pytest.param([(0, 0, 0, 4, 5, 0, 1)], id="descending"),
        pytest.param([(0, 0, 0, 0, 65_536)], id="a chunk too far"),
        pytest.param([(0, 0, 65_536, 0, 0)], id="a chunk too long"),
        pytest.param([(2, 0, 0, 0, 0)], id="no such rendition"),
        pytest.param([(0, 0, 0, 0, 0), (0, 0, 0, 0, 0)], id="twice"),
        pytest.param([(0, 1, 0, 0, 0), (0, 0, 0, 0, 0)], id="segments descend"),
        pytest.param([(1, 0, 0, 0, 0), (0, 1, 0, 0, 0)], id="renditions descend"),
        *(
            pytest.param(
                [tuple(value if at == place else 0 for at in range(5))], id=f"{place} {value}"
            )
            for place in range(5)
            for value in (-1, 2**53, 2**64, nan, inf, 0.5, True, "1", None)
        ),
    ],
)
def test_what_is_not_canonical_is_not_read(runs: list[Any]) -> None:
    with pytest.raises(RunsError):
        read(runs, NAMES)


@pytest.mark.parametrize(
    ("mask", "tail", "size"),
    [
        (0, None, 0),
        (0b11, None, 2 * CHUNK_SIZE),
        (0b11, (1, 10), CHUNK_SIZE + 10),
        (0b11, (2, 10), 2 * CHUNK_SIZE),
    ],
)
def test_sizes(mask: int, tail: tuple[int, int] | None, size: int) -> None:
    assert size_of(mask, tail) == size


KEYS = st.builds(ChunkKey, st.sampled_from("vwx"), st.integers(0, 3), st.integers(0, 40))


@given(st.lists(KEYS, max_size=60))
def test_what_a_peer_tells_is_read_as_it_was_meant(keys: list[ChunkKey]) -> None:
    moved, room = Moved(), Room()
    for key in keys:
        moved.add(key, 77 if key.chunk == 40 else CHUNK_SIZE)
    told = read(moved.take(room), room.renditions)
    assert {(s, n) for s, mask, _ in told for n in range(41) if mask >> n & 1} == {
        (key.segment, key.chunk) for key in keys
    }
    assert all((tail == (40, 77)) == bool(mask >> 40 & 1) for _, mask, tail in told)
    assert not moved


def test_what_stretches_say() -> None:
    ahead = Stretches([(1, 3, 3, 5, 9), (0, 0, 0)], NAMES)
    assert [n for n in range(12) if SegmentKey("w", n) in ahead] == [3, 5, 6, 7, 8, 9]
    assert [n for n in range(12) if SegmentKey("v", n) in ahead] == [0]
    assert SegmentKey("x", 0) not in ahead
    assert SegmentKey("v", 0) not in Stretches()


@pytest.mark.parametrize(
    "stretches",
    [
        [(0,)],
        [(0, 1, 2, 3)],
        [(0, 2, 1)],
        [(0, 1, 2, 3, 4)],
        [(0, 1, 3, 2, 4)],
        [(2, 0, 0)],
        [(0, 0, 0), (0, 5, 5)],
        [(0, 0, 0.5)],
        [(0, 0, nan)],
        [(0, 0, True)],
        [(0, -1, 0)],
        [(0, 0, 2**53)],
    ],
)
def test_stretches_that_are_none(stretches: Any) -> None:
    with pytest.raises(RunsError):
        Stretches(stretches, NAMES)
