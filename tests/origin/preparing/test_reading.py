"""Packets, moved so that nothing is before 0."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from origin.preparing.facts import opened
from origin.preparing.reading import packets, step_of
from tests.origin.preparing.films import film


def times(path: Path, lead: Fraction = Fraction(0)) -> dict[str, list[tuple[Fraction, Fraction]]]:
    """When packets are decoded and shown, by the kind of track."""
    found: dict[str, list[tuple[Fraction, Fraction]]] = {}
    with path.open("rb") as file, opened(file) as container:
        indexes = {stream.index for stream in container.streams}
        for packet in packets(container, indexes, indexes, lead):
            base = packet.time_base
            found.setdefault(packet.stream.type, []).append((packet.dts * base, packet.pts * base))
    return found


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_the_first_packet_is_decoded_at_0(tmp_path: Path, name: str) -> None:
    found = times(film(tmp_path / name, seconds=2, reorder=2))
    first = min(own[0][0] for own in found.values())
    assert 0 <= first < Fraction(1, 500)
    for own in found.values():
        decoded = [time for time, _ in own]
        assert decoded == sorted(set(decoded))
        assert all(shown >= time for time, shown in own)
    # They stay together: the picture is shown when it was, after the first sound.
    assert found["video"][0][1] - found["audio"][0][1] == pytest.approx(1024 / 48_000, abs=0.002)


def test_room_is_left_for_encoders(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", seconds=1)
    before, after = times(source), times(source, Fraction(1, 2))
    assert after["video"][0][0] - before["video"][0][0] == Fraction(1, 2)


def test_a_recording_that_began_long_ago(tmp_path: Path) -> None:
    hours = 10 * 3600 * 25
    source = film(tmp_path / "a.ts", times=range(hours, hours + 25), audio=None)
    assert times(source)["video"][0][0] == 0


def test_the_step_of_a_track(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", seconds=1)
    with source.open("rb") as file, opened(file) as container:
        steps = [step_of(s) * s.time_base for s in container.streams if s.time_base is not None]
    assert steps == [Fraction(1, 25), Fraction(1024, 48_000)]
