"""The tone: soft, and without clicks."""

from __future__ import annotations

from array import array

import pytest

from origin.synth.tone import PATTERN, RATE, Tone


@pytest.fixture(scope="module")
def tone() -> Tone:
    return Tone()


def samples(tone: Tone, first: int, count: int) -> array[float]:
    return array("f", tone.samples(first, count))


def test_it_is_soft_and_not_silent(tone: Tone) -> None:
    loudest = [max(map(abs, samples(tone, n * RATE, RATE))) for n in range(PATTERN)]
    assert all(0.05 < peak < 0.25 for peak in loudest)


def test_each_second_begins_and_ends_in_silence(tone: Tone) -> None:
    """So that neither the notes nor a presentation that repeats can click."""
    for second in range(PATTERN):
        note = samples(tone, second * RATE, RATE)
        assert abs(note[0]) < 0.001
        assert abs(note[-1]) < 0.001


def test_it_repeats_without_a_seam(tone: Tone) -> None:
    end = PATTERN * RATE
    assert samples(tone, end - 500, 1000)[500:] == samples(tone, 0, 500)
    assert tone.samples(end + 77, 1024) == tone.samples(77, 1024)


def test_any_cut_gives_as_many_samples_as_were_asked_for(tone: Tone) -> None:
    assert all(
        len(samples(tone, first, 1024)) == 1024 for first in range(0, 2 * PATTERN * RATE, 9_973)
    )
