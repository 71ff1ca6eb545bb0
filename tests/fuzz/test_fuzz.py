"""A fixed sample of what `make fuzz` does for hours, and the proof that it would find something."""

from __future__ import annotations

import time
from random import Random

import pytest

from p2pcdn.wire.chunk import decode_frame
from tests.fuzz.__main__ import portions
from tests.fuzz.engine import FaultError, fuzz
from tests.fuzz.mutator import LONGEST, Mutator
from tests.fuzz.targets import TARGETS, Target

INPUTS = 300_000
"""In all; with those of the TypeScript decoders half a million and more."""


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_inputs_of_strangers_do_no_harm(target: Target) -> None:
    fuzz(target, portions(INPUTS)[target.name], seed=1)


def test_all_inputs_are_made() -> None:
    assert sum(portions(INPUTS).values()) >= INPUTS


def test_a_crash_is_found() -> None:
    def naive(data: bytes) -> None:
        decode_frame(data)

    target = Target("naive", (b"\0" * 10,), naive, 1)
    with pytest.raises(FaultError, match="RemoteError"):
        fuzz(target, 1000, seed=1)


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.engine.HANG", 0.05)

    def dawdle(data: bytes) -> None:
        end = time.process_time() + (0.1 if len(data) > 20 else 0)
        while time.process_time() < end:
            pass

    with pytest.raises(FaultError, match="took"):
        fuzz(Target("slow", (b"0123456789",), dawdle, 1), 1000, seed=1)


def test_growth_is_found() -> None:
    kept: list[list[bytes]] = []
    target = Target("hoarder", (b"x",), lambda data: kept.append([data]), 1)
    with pytest.raises(FaultError, match="behind"):
        fuzz(target, 1000, seed=1)


def test_the_same_seed_gives_the_same_inputs() -> None:
    corpus = (b'{"a": [1, "b"]}', b"plain")
    one, other = Mutator(corpus, 7), Mutator(corpus, 7)
    inputs = [one.next() for _ in range(500)]
    assert inputs == [other.next() for _ in range(500)]
    assert inputs != [Mutator(corpus, Random(8).randrange(100)).next() for _ in range(500)]
    assert len(set(inputs)) > 300
    assert max(map(len, inputs)) <= LONGEST
