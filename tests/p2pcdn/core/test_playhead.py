"""Where the player is, and when it needs what."""

from __future__ import annotations

from math import inf

import pytest

from p2pcdn.core.playhead import EMPTY, Playhead
from p2pcdn.core.ports import Playing
from p2pcdn.model import SegmentKey

NOW = 0.0


def playing(
    buffer: float = 10.0, rendition: str = "v", head: int = 5, live: bool = False
) -> Playing:
    return Playing(rendition, head, 99, buffer, live, target=20.0)


def playhead_at(buffer: float = 10.0, *, started: bool = True) -> Playhead:
    playhead = Playhead(started=started)
    playhead.moved(playing(buffer), NOW)
    return playhead


def test_before_the_player_has_said_anything() -> None:
    playhead = Playhead()
    assert not playhead.live
    assert playhead.buffer(NOW) == 0.0
    assert playhead.reached() == -1


def test_the_buffer_is_played_as_time_passes() -> None:
    playhead = playhead_at(10.0)
    assert playhead.target == 20.0
    assert playhead.buffer(NOW + 4) == 6.0
    assert playhead.buffer(NOW + 14) == 0.0
    playhead.moved(playing(9.0, live=True), NOW + 14)
    assert playhead.buffer(NOW + 14) == 9.0
    assert playhead.live


def test_playback_that_runs_dry_has_stalled_once() -> None:
    playhead = playhead_at(10.0)
    assert playhead.moved(playing(EMPTY), NOW + 10)
    assert not playhead.moved(playing(0.0), NOW + 11), "it stands still already"
    assert not playhead.moved(playing(4.0), NOW + 12)
    assert playhead.moved(playing(0.0), NOW + 16)


def test_who_has_not_begun_does_not_stall() -> None:
    playhead = Playhead()
    assert not playhead.moved(playing(0.0), NOW)
    assert not playhead.moved(playing(0.0), NOW + 1)
    fed = playhead_at(10.0, started=False)
    assert not fed.moved(playing(0.0), NOW + 1)


def test_a_viewer_waits_for_the_first_picture_until_there_is_something() -> None:
    playhead = Playhead()
    assert playhead.starting(NOW)
    playhead.moved(playing(0.0), NOW)
    assert playhead.starting(NOW)
    playhead.moved(playing(4.0), NOW)
    assert not playhead.starting(NOW), "it has come from elsewhere"
    assert playhead.starting(NOW + 5)
    playhead.started = True
    assert not playhead.starting(NOW + 5)


def test_what_the_player_has_asked_for() -> None:
    playhead = playhead_at()
    assert playhead.reached() == 4, "nothing: the play head is at 5"
    playhead.asked(SegmentKey("v", 6))
    playhead.asked(SegmentKey("w", 9))
    assert playhead.reached() == 6
    playhead.asked(SegmentKey("v", 2))
    assert playhead.reached() == 2, "it went back"


def test_what_lies_ahead_is_played_after_the_buffer() -> None:
    playhead = playhead_at(10.0)
    playhead.asked(SegmentKey("v", 7))
    assert playhead.deadline(8, 2.0, None) == pytest.approx(NOW + 10.0)
    assert playhead.deadline(10, 2.0, None) == pytest.approx(NOW + 14.0)


def test_or_after_what_was_asked_for_and_has_not_come() -> None:
    playhead = playhead_at(10.0)
    playhead.asked(SegmentKey("v", 7))
    assert playhead.deadline(8, 2.0, NOW + 10.0) == pytest.approx(NOW + 12.0)


def test_what_began_anew_has_not_been_asked_for() -> None:
    playhead = playhead_at()
    playhead.asked(SegmentKey("v", 9))
    playhead.asked(SegmentKey("w", 8))
    playhead.forget("w")
    assert playhead.reached() == 9
    playhead.forget("v")
    playhead.forget("v")
    assert playhead.reached() == 4


def test_who_only_keeps_media_has_an_endless_buffer_and_no_stock() -> None:
    playhead = playhead_at(inf)
    playhead.take_stock(4.0, NOW)
    assert playhead.reached() == 4


@pytest.mark.parametrize(
    ("buffer", "reached"), [(0.0, 4), (0.1, 5), (4.0, 5), (4.1, 6), (8.0, 6), (9.0, 7)]
)
def test_what_the_player_has_it_need_not_be_brought(buffer: float, reached: int) -> None:
    """Segments of 4 s; of that at the play head only a part is left."""
    playhead = Playhead()
    playhead.take_stock(4.0, NOW)  # it plays nothing
    playhead.moved(Playing("v", 5, 20, buffer, live=False), NOW)
    playhead.take_stock(4.0, NOW)
    assert playhead.reached() == reached
    playhead.asked(SegmentKey("v", 9))
    playhead.take_stock(4.0, NOW)
    assert playhead.reached() == 9
    playhead.forget_all()
    assert playhead.reached() == 4
