"""What was used last is remembered, within a bound."""

from __future__ import annotations

from peer.native.disk.recent import Name, Recent


def name(number: int) -> Name:
    return "root", number


def test_the_one_used_longest_ago_goes_first() -> None:
    recent = Recent(30)
    for number in (1, 2, 3):
        recent.put(name(number), bytes([number]) * 10)
    assert recent.get(name(1)) == b"\x01" * 10
    recent.put(name(4), bytes(10))
    assert recent.get(name(2)) is None
    assert all(recent.get(name(number)) is not None for number in (1, 3, 4))


def test_the_later_of_two_counts_once() -> None:
    recent = Recent(30)
    for _ in range(5):
        recent.put(name(1), bytes(20))
    recent.put(name(2), bytes(10))
    assert recent.get(name(1)) == bytes(20)


def test_what_is_dropped_makes_room() -> None:
    recent = Recent(30)
    recent.put(name(1), bytes(30))
    recent.drop(name(1))
    recent.drop(name(1))
    recent.put(name(2), bytes(30))
    assert recent.get(name(1)) is None
    assert recent.get(name(2)) == bytes(30)
    recent.clear()
    assert recent.get(name(2)) is None
    recent.put(name(3), bytes(30))
    assert recent.get(name(3)) == bytes(30)


def test_what_is_larger_than_all_is_not_remembered() -> None:
    recent = Recent(30)
    recent.put(name(1), bytes(31))
    assert recent.get(name(1)) is None
    recent.put(name(2), bytes(30))
    assert recent.get(name(2)) == bytes(30)
