"""A rendition's bit rate has a class."""

from __future__ import annotations

import pytest

from p2pcdn.core.ladder import rung_of


@pytest.mark.parametrize(
    ("megabits", "rung"),
    [
        (0.0, "up to 0.5 Mbit/s"),
        (0.5, "up to 0.5 Mbit/s"),
        (0.6, "0.5 to 1 Mbit/s"),
        (4.0, "2 to 4 Mbit/s"),
        (4.1, "4 to 8 Mbit/s"),
        (16.0, "8 to 16 Mbit/s"),
        (16.1, "over 16 Mbit/s"),
        (10**9, "over 16 Mbit/s"),
    ],
)
def test_classes(megabits: float, rung: str) -> None:
    assert rung_of(int(megabits * 1e6 / 8)) == rung
