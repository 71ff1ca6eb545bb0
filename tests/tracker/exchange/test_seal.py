"""What keeps others from speaking on a line."""

from __future__ import annotations

import pytest

from tracker.exchange.frames import FrameError
from tracker.exchange.seal import SIZE, Seal

SAID = [b"one", b"", b"three"]


@pytest.fixture
def sealed() -> list[bytes]:
    seal = Seal(b"key")
    return [seal.put(said) for said in SAID]


def test_what_was_said_comes_as_it_was(sealed: list[bytes]) -> None:
    seal = Seal(b"key")
    assert [seal.take(one) for one in sealed] == SAID
    assert len(sealed[0]) == len(SAID[0]) + SIZE


@pytest.mark.parametrize("order", [(1,), (0, 0), (0, 2), (0, 1, 0)])
def test_nothing_is_left_out_repeated_or_swapped(sealed: list[bytes], order: list[int]) -> None:
    seal = Seal(b"key")
    for at in order[:-1]:
        seal.take(sealed[at])
    with pytest.raises(FrameError, match="changed on its way"):
        seal.take(sealed[order[-1]])


@pytest.mark.parametrize("changed", [b"", b"short", bytes(SIZE) + b"one"])
def test_nothing_is_changed(changed: bytes) -> None:
    with pytest.raises(FrameError):
        Seal(b"key").take(changed)


def test_nobody_else_can_seal(sealed: list[bytes]) -> None:
    with pytest.raises(FrameError):
        Seal(b"another").take(sealed[0])
