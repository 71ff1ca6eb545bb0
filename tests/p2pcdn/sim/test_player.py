"""The player: what it asks for when, and what a stall is."""

from __future__ import annotations

import pytest

from p2pcdn.sim.clock import Clock
from p2pcdn.sim.media import Media
from p2pcdn.sim.player import Player


class Desk:
    """A loader that takes so long for each segment."""

    def __init__(self, takes: float = 0.5, *, behind: int = 0, count: int = 20) -> None:
        self.clock = Clock()
        self.media = Media(1_000, 4.0, count, behind)
        self.takes = takes
        self.late: dict[int, float] = {}
        self.asked: list[tuple[float, int, float]] = []
        self.playlists: list[float] = []
        self.got = 0
        self.player = Player(self.clock, self.media, 30.0, self, self._got)

    def load_playlist(self) -> None:
        self.playlists.append(self.clock.now)
        self.clock.after(0.1, lambda: self.player.playlist(self.media.newest(self.clock.now)))

    def load(self, sequence: int, within: float) -> None:
        self.asked.append((self.clock.now, sequence, within))
        takes = self.late.get(sequence, self.takes)
        self.clock.after(takes, self.player.arrived, sequence)

    def moved(self) -> None:
        pass

    def _got(self) -> None:
        self.got += 1

    def watch(self, seconds: float) -> Player:
        self.player.start()
        self.clock.run(seconds)
        return self.player


def test_playback_begins_with_the_first_segment() -> None:
    player = Desk().watch(1.0)
    assert player.started == pytest.approx(0.6)
    assert player.buffer == pytest.approx(3.6)
    assert player.head == 0


def test_one_segment_at_a_time_until_enough_is_buffered() -> None:
    desk = Desk()
    desk.watch(30.0)
    gaps = [b[0] - a[0] for a, b in zip(desk.asked, desk.asked[1:], strict=False)]
    assert [sequence for _, sequence, _ in desk.asked] == list(range(len(desk.asked)))
    assert gaps[:7] == pytest.approx([0.5] * 7)
    assert gaps[-1] == pytest.approx(4.0, abs=0.1)
    assert 26.0 < desk.player.buffer < 34.0


def test_a_segment_is_asked_for_with_the_time_that_it_has() -> None:
    desk = Desk()
    desk.watch(3.0)
    assert desk.asked[0][2] == 0.0
    assert desk.asked[1][2] == pytest.approx(4.0)
    assert desk.asked[2][2] == pytest.approx(7.5)


def test_a_late_segment_is_a_stall_of_so_many_seconds() -> None:
    desk = Desk()
    desk.late = {3: 15.0}
    player = desk.watch(60.0)
    # Segments 0 to 2 last from 0.6 s to 12.6 s; the third was asked for at 1.6 s.
    assert player.stalls == 1
    assert player.stalled == pytest.approx(16.6 - 12.6)
    assert min(player.margins) == pytest.approx(12.6 - 16.6)


def test_a_stall_that_goes_on_counts_as_far_as_it_has_gone() -> None:
    desk = Desk()
    desk.late = {1: 1_000.0}
    player = desk.watch(10.0)
    player.stop()
    assert player.stalls == 1
    assert player.stalled == pytest.approx(10.0 - 4.6)


def test_the_end_of_the_content_is_no_stall() -> None:
    player = Desk(count=3).watch(100.0)
    assert player.done
    player.stop()
    assert player.stalls == 0


def test_a_live_player_begins_three_segments_behind() -> None:
    desk = Desk(behind=6, count=100)
    player = desk.watch(1.0)
    assert desk.asked[0][1] == 3
    assert player.newest == 5


def test_a_live_player_looks_once_a_segment_and_sooner_if_nothing_is_new() -> None:
    desk = Desk(behind=6, count=100)
    desk.watch(20.0)
    assert desk.playlists == pytest.approx([0.0, 4.1, 8.2, 12.3, 16.4])
    assert desk.asked[-1][1] == 9
    never = Desk(behind=6, count=6)
    never.watch(9.0)
    assert never.playlists == pytest.approx([0.0, 4.1, 6.2, 8.3])


def test_live_segments_are_asked_for_when_the_playlist_names_them() -> None:
    desk = Desk(behind=6, count=100)
    player = desk.watch(60.0)
    assert player.stalls == 0
    assert {sequence: at for at, sequence, _ in desk.asked}[6] == pytest.approx(4.2)


def test_what_nobody_waits_for_any_more_does_not_count() -> None:
    desk = Desk()
    player = desk.watch(1.0)
    got = desk.got
    player.arrived(17)
    player.stop()
    player.arrived(1)
    assert desk.got == got
