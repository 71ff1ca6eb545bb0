"""Range headers: what they ask for, and what they do not get."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.http.ranges import Extent, requested
from p2pcdn.model import Span
from tests.origin import rfc9110


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("bytes=0-0", Span(0, 0)),
        ("bytes=0-99", Span(0, 99)),
        ("bytes=0-100", Span(0, 99)),
        ("bytes=10-", Span(10, 99)),
        ("bytes=-10", Span(90, 99)),
        ("bytes=-1000", Span(0, 99)),
        ("bytes=99-", Span(99, 99)),
        ("BYTES=1-2", Span(1, 2)),
        ("bytes= 1-2 ", Span(1, 2)),
        ("bytes=,1-2,,", Span(1, 2)),
        ("bytes=00000000000000000000001-2", Span(1, 2)),
        (f"bytes=5-{'9' * 90}", Span(5, 99)),
        ("bytes=100-", Extent.UNSATISFIABLE),
        ("bytes=100-200", Extent.UNSATISFIABLE),
        ("bytes=-0", Extent.UNSATISFIABLE),
        (f"bytes={'9' * 90}-", Extent.UNSATISFIABLE),
        (None, Extent.WHOLE),
        ("", Extent.WHOLE),
        ("bytes", Extent.WHOLE),
        ("bytes=", Extent.WHOLE),
        ("bytes=-", Extent.WHOLE),
        ("bytes=5-4", Extent.WHOLE),
        ("bytes=500-400", Extent.WHOLE),
        ("bytes=1 - 2", Extent.WHOLE),
        ("bytes=1-2,4-5", Extent.WHOLE),
        ("bytes=200-300,400-500", Extent.WHOLE),
        ("bytes=one-two", Extent.WHOLE),
        ("bytes=\u0661-\u0662", Extent.WHOLE),
        ("bytes=--1", Extent.WHOLE),
        ("items=0-1", Extent.WHOLE),
        (f"bytes={'9' * 100_000}-", Extent.WHOLE),
    ],
)
def test_of_a_hundred_bytes(header: str | None, answer: Span | Extent) -> None:
    assert requested(header, 100) == answer


def test_the_same_range_of_files_of_several_lengths() -> None:
    found = [requested("bytes=5-9", length) for length in (100, 10, 9, 6, 5, 0)]
    known = Span(5, 9)
    assert found[:4] == [known, known, Span(5, 8), Span(5, 5)]
    assert found[4:] == [Extent.UNSATISFIABLE] * 2


@pytest.mark.parametrize(
    ("header", "answer"),
    [("bytes=0-", Extent.UNSATISFIABLE), ("bytes=-5", Extent.WHOLE), (None, Extent.WHOLE)],
)
def test_of_nothing(header: str | None, answer: Extent) -> None:
    assert requested(header, 0) == answer


@given(st.binary(max_size=20), st.data())
def test_like_the_model(data: bytes, draws: st.DataObject) -> None:
    header = draws.draw(rfc9110.ranges(len(data)))
    answer = requested(header.lines[0], len(data))
    if isinstance(answer, Span):
        sent = data[answer.first : answer.last + 1]
        got = rfc9110.Expected(206, sent, f"bytes {answer.first}-{answer.last}/{len(data)}")
    elif answer is Extent.WHOLE:
        got = rfc9110.Expected(200, data)
    else:
        got = rfc9110.Expected(416, content_range=f"bytes */{len(data)}")
    asked = rfc9110.Request(range=cast("tuple[rfc9110.Range, ...] | None", header.meaning))
    assert got == rfc9110.expected(asked, rfc9110.Shown("/", data, '"now"'))
