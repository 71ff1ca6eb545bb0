"""What the burnt-in digits look like."""

from __future__ import annotations

from itertools import pairwise

import pytest

from origin.synth.digits import BARS, glyph


def drawn(character: str, height: int) -> set[tuple[int, int]]:
    return {(y, x) for y, begin, end in glyph(character, height).runs for x in range(begin, end)}


def test_every_digit_looks_different() -> None:
    pictures = [frozenset(drawn(character, 40)) for character in BARS]
    assert len(set(pictures)) == len(BARS)
    assert all(pictures)


@pytest.mark.parametrize("digit", sorted(BARS))
def test_a_digit_is_part_of_an_eight(digit: str) -> None:
    assert drawn(digit, 40) <= drawn("8", 40)


@pytest.mark.parametrize("height", [9, 36, 144])
def test_characters_stay_within_their_box(height: int) -> None:
    for character in "0123456789:.p":
        shape = glyph(character, height)
        assert all(0 <= run.y < height for run in shape.runs)
        assert all(0 <= run.begin < run.end <= shape.advance for run in shape.runs)


def test_a_colon_is_two_dots_and_a_point_one_at_the_bottom() -> None:
    rows = sorted({run.y for run in glyph(":", 50).runs})
    gaps = [b - a for a, b in pairwise(rows) if b - a > 1]
    assert len(gaps) == 1
    assert min(run.y for run in glyph(".", 50).runs) > 40


def test_an_unknown_character_leaves_room_and_no_ink() -> None:
    assert glyph(" ", 50).runs == ()
    assert glyph(" ", 50).advance > 0
