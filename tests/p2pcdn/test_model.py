"""The arithmetic of segments, chunks and spans."""

from __future__ import annotations

import ipaddress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.model import (
    CHUNK_SIZE,
    ChunkKey,
    SegmentKey,
    Span,
    bytes_of,
    chunk_count,
    chunk_length,
    content_id,
    home_of,
    numbers_of,
    spans_of,
)
from tests.p2pcdn.wire.vectors import Case, cases, note_of


@pytest.mark.parametrize("case", cases("model", "spans"), ids=note_of)
def test_spans_of_numbers(case: Case) -> None:
    spans = spans_of(case["numbers"])
    assert [list(span) for span in spans] == case["spans"]
    assert list(numbers_of(spans)) == sorted(set(case["numbers"]))


@pytest.mark.parametrize("case", cases("model", "chunks"), ids=note_of)
def test_chunks_of_a_length(case: Case) -> None:
    assert chunk_count(case["length"]) == case["count"]
    assert chunk_length(case["length"], case["count"] - 1) == case["last"]
    with pytest.raises(IndexError):
        chunk_length(case["length"], case["count"])
    with pytest.raises(IndexError):
        chunk_length(case["length"], -1)


@pytest.mark.parametrize("case", cases("model", "ranges"), ids=note_of)
def test_bytes_of_chunks(case: Case) -> None:
    assert list(bytes_of(case["length"], Span(*case["chunks"]))) == case["bytes"]


@pytest.mark.parametrize("case", cases("model", "contents"), ids=note_of)
def test_content_ids(case: Case) -> None:
    assert content_id(case["site"], case["url"]) == case["id"]


def test_a_chunk_knows_its_segment() -> None:
    assert ChunkKey("demo/480p.m3u8", 7, 3).segment == SegmentKey("demo/480p.m3u8", 7)


def test_what_is_in_a_span() -> None:
    assert [n in Span(2, 4) for n in (1, 2, 4, 5)] == [False, True, True, False]


@given(st.sets(st.integers(0, 200)))
def test_spans_hold_exactly_their_numbers(numbers: set[int]) -> None:
    spans = spans_of(numbers)
    assert set(numbers_of(spans)) == numbers
    assert all(after.first > before.last + 1 for before, after in pairwise(spans))


@given(st.integers(1, 40 * CHUNK_SIZE))
def test_chunks_cover_a_segment_without_gap_or_overlap(length: int) -> None:
    at = 0
    for chunk in range(chunk_count(length)):
        first, last = bytes_of(length, Span(chunk, chunk))
        assert (first, last - first + 1) == (at, chunk_length(length, chunk))
        at = last + 1
    assert at == length


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7", "198.51.100.8", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
    ],
)
def test_a_home_is_an_address_or_an_ipv6_network(one: str, other: str, same: bool) -> None:
    homes = {home_of(ipaddress.ip_address(address)) for address in (one, other)}
    assert len(homes) == (1 if same else 2)
