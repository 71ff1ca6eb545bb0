"""A count that halves."""

from __future__ import annotations

from p2pcdn.core.fading import Fading


def test_what_happened_counts_less_and_less() -> None:
    count = Fading(30.0)
    assert count.at(5.0) == 0.0
    count.add(10.0)
    count.add(10.0)
    assert count.at(10.0) == 2.0
    assert count.at(40.0) == 1.0
    count.add(40.0)
    assert count.at(40.0) == 2.0
    assert count.at(1e6) == 0.0
