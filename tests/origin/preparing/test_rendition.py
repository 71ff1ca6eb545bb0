"""How packets become segments."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from origin.preparing import rendition as module
from origin.preparing.boxes import Parts
from origin.preparing.rendition import PATIENCE, Finished, Progress, Rendition
from origin.preparing.timing import Cuts
from origin.preparing.tracks import Timed


class Table:
    """A rendition of a picture with a key frame every other second and of sound, whose muxer only
    says what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, done: Progress | None = None) -> None:
        def mux(templates: Any, packets: Any, number: int) -> Parts:
            return Parts(b"init", repr([[float(p.begin) for p in own] for own in packets]).encode())

        monkeypatch.setattr(module, "mux", mux)
        self.made: list[Finished] = []
        known = [Fraction(0), done.end] if done else []
        self.cuts = Cuts(2.0, known)
        kinds: Any = [
            SimpleNamespace(stream=SimpleNamespace(type=kind)) for kind in ("video", "audio")
        ]
        words = (done,) if done else ()
        self.rendition = Rendition("x", kinds, self.cuts, self._keep, *words)

    def _keep(self, name: str, segment: Finished) -> None:
        self.made.append(segment)

    def show(self, *times: float) -> None:
        for time in times:
            key = time % 2 == 0
            if key:
                self.cuts.offer(Fraction(time))
            self.rendition.take(0, timed(time, key))

    def hear(self, *times: float) -> None:
        for time in times:
            self.rendition.take(1, timed(time, True))

    @property
    def contents(self) -> list[Any]:
        return [eval(segment.parts.fragment) for segment in self.made]


def timed(time: float, key: bool) -> Timed:
    ticks = round(time * 1000)
    packet = SimpleNamespace(dts=ticks, time_base=Fraction(1, 1000), duration=500)
    return Timed(packet, Fraction(ticks, 1000), key)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    return Table(monkeypatch)


def test_a_segment_is_done_when_all_tracks_are_past_it(table: Table) -> None:
    table.show(0, 1, 2, 3, 4)
    assert table.made == []
    table.hear(0, 0.5, 1.9, 2.0)
    assert table.made == []  # its end is known when the next one is there
    table.hear(3.5, 4)
    assert table.contents == [[[0, 1], [0, 0.5, 1.9]]]
    table.rendition.finish()
    assert table.contents[1:] == [[[2, 3], [2, 3.5]], [[4], [4]]]
    assert [(float(s.begin), float(s.end)) for s in table.made] == [(0, 2), (2, 4), (4, 4.5)]
    assert [s.number for s in table.made] == [0, 1, 2]


def test_frames_that_are_shown_before_a_key_frame_follow_it(table: Table) -> None:
    table.show(0, 1, 2, 1.9, 3, 4)
    table.hear(0, 2, 4)
    table.rendition.finish()
    assert [pictures for pictures, _ in table.contents] == [[0, 1], [2, 1.9, 3], [4]]


def test_a_track_that_stays_behind_is_not_waited_for_forever(table: Table) -> None:
    table.hear(0)
    table.show(*(n / 2 for n in range(2 * (PATIENCE + 8))))
    assert len(table.made) >= 2
    assert table.contents[0] == [[0, 0.5, 1, 1.5], [0]]


def test_a_segment_without_anything_is_no_segment(table: Table) -> None:
    table.cuts.times = [Fraction(0), Fraction(2), Fraction(4)]
    table.rendition.take(0, timed(0, True))
    table.rendition.take(0, timed(4, True))
    table.hear(0, 4)
    table.rendition.finish()
    assert [(float(s.begin), float(s.end)) for s in table.made] == [(0, 4), (4, 4.5)]


def test_it_goes_on_after_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(monkeypatch, Progress(1, Fraction(2)))
    table.show(0, 1, 2, 3, 4)
    table.hear(0, 1, 2, 3, 4)
    table.rendition.finish()
    assert table.contents == [[[2, 3], [2, 3]], [[4], [4]]]
    assert [s.number for s in table.made] == [1, 2]


def test_pictures_last_until_the_next_one(table: Table) -> None:
    table.show(0, 1.5)
    first, second = table.rendition._waiting[0]
    assert (first.packet.duration, second.packet.duration) == (1500, 500)


def test_sound_after_the_last_picture_is_cut_where_it_is_long(table: Table) -> None:
    table.show(0, 1)
    table.hear(*range(12))
    table.rendition.finish()
    assert len(table.made) > 2
    assert max(float(s.end - s.begin) for s in table.made) <= 6
