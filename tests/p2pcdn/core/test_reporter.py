"""What the tracker is told of us: once, when it is news, and nothing twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from p2pcdn.core.account import Account
from p2pcdn.core.neighbours import Down, Neighbours
from p2pcdn.core.playhead import Playhead
from p2pcdn.core.ports import (
    Described,
    LinkOpened,
    LinkSays,
    Playing,
    TellTracker,
    TrackerDown,
    TrackerSays,
    Watched,
)
from p2pcdn.core.reporter import GAP, MOST_BOUNDS, MOST_PAIRS, MOST_REPORTS, Reporter
from p2pcdn.core.signaling import Signaling
from p2pcdn.core.stats import Stats
from p2pcdn.core.store import Store
from p2pcdn.core.transfers import Transfers
from p2pcdn.model import CHUNK_SIZE, PROTOCOL, ChunkKey, SegmentKey
from p2pcdn.wire.codec import decode_to_tracker, encode
from p2pcdn.wire.fields import Message
from p2pcdn.wire.link import Hello
from p2pcdn.wire.tracker import (
    Join,
    Joined,
    Limits,
    Move,
    Offered,
    PairReport,
    Position,
    Quality,
    Report,
    Welcome,
)
from tests.p2pcdn.core.media import CONTENT, IDENTITY

NOW = 0.0
EVERY = 10
WELCOME = Welcome(1, "0" * 32, Limits(65_536, 20, 16), EVERY)
PAIRING = "b" * 16
PLAYING = Playing("v", 5, 9, 10.0, live=False)
POSITION = Position("v", first=5, head=5, last=5, newest=9, duration=0, size=0, live=False)


class Stage:
    """A reporter, and the machines that it looks at."""

    def __init__(self) -> None:
        self.signaling = Signaling(IDENTITY, count(1))
        self.neighbours = Neighbours()
        self.stats = Stats()
        self.transfers = Transfers(CONTENT, Store(10**9), self.stats, count(1))
        self.playhead = Playhead()
        self.reporter = Reporter(self.signaling, self.neighbours, self.transfers, self.playhead)

    def join(self, peer: str = "0" * 16) -> None:
        self.signaling.receive(TrackerSays(WELCOME), NOW)
        self.reporter.begin(NOW)
        self.signaling.receive(Described(1, "offer"), NOW)
        self.signaling.receive(TrackerSays(Joined(peer, 3)), NOW)
        self.reporter.begin(NOW)

    def link(self) -> int:
        """A link to somebody."""
        self.signaling.receive(TrackerSays(Offered(PAIRING, "a" * 16, "offer")), NOW)
        number = 2
        self.signaling.receive(Described(number, "answer"), NOW)
        self.signaling.receive(LinkOpened(number), NOW)
        self.neighbours.opened(number, Hello(PROTOCOL, CONTENT, "0" * 16, upload=True), NOW)
        greeting = Hello(PROTOCOL, CONTENT, "a" * 16, upload=True)
        self.neighbours.receive(LinkSays(number, greeting), NOW)
        return number

    def play(self, playing: Playing = PLAYING) -> None:
        self.playhead.moved(playing, NOW)
        self.reporter.moved(upload=True)

    def told(self) -> list[Message]:
        return [m.message for m in self.signaling.take_messages() if isinstance(m, TellTracker)]

    def pass_until(self, now: float) -> list[Message]:
        while (at := self.reporter.timer_at()) is not None and at <= now:
            self.reporter.on_timer(True, at)
        return self.told()


def reports(messages: list[Message]) -> list[Report]:
    return [message for message in messages if isinstance(message, Report)]


def joined() -> Stage:
    stage = Stage()
    stage.join()
    stage.told()
    return stage


def test_nothing_is_told_before_we_are_in() -> None:
    stage = Stage()
    stage.play()
    assert stage.reporter.timer_at() is None
    stage.reporter.on_timer(True, NOW + 99)
    stage.reporter.farewell()
    assert stage.told() == []


def test_the_join_says_where_we_are() -> None:
    stage = Stage()
    stage.play()
    stage.join()
    (join,) = stage.told()
    assert isinstance(join, Join)
    assert (join.position, join.uplink) == (POSITION, 0)
    stage.play()
    assert stage.told() == [], "that is known already"


def test_what_became_known_while_we_joined_is_told_as_soon_as_we_are_in() -> None:
    stage = Stage()
    stage.signaling.receive(TrackerSays(WELCOME), NOW)
    stage.reporter.begin(NOW)
    stage.signaling.receive(Described(1, "offer"), NOW)
    stage.play()
    stage.signaling.receive(TrackerSays(Joined("0" * 16, 3)), NOW)
    stage.reporter.begin(NOW)
    (join,) = stage.told()
    assert isinstance(join, Join)
    assert join.position is None
    stage.play()
    assert stage.told() == [Move(True, POSITION, 0)]


def test_where_we_are_is_told_at_once_only_if_it_is_news() -> None:
    stage = joined()
    stage.play()
    assert stage.told() == [Move(True, POSITION, 0)]
    stage.play(Playing("v", 6, 9, 10.0, live=False))
    assert stage.told() == [], "that can wait"
    stage.play(Playing("w", 6, 9, 10.0, live=False))
    (move,) = stage.told()
    assert isinstance(move, Move)
    assert move.position is not None
    assert move.position.rendition == "w"


def test_what_has_changed_is_told_regularly() -> None:
    stage = joined()
    stage.play()
    stage.told()
    assert stage.pass_until(NOW + EVERY) == []
    stage.stats.origin_bytes = 3
    assert stage.pass_until(NOW + 2 * EVERY) == [Report(1, origin_bytes=3)]
    stage.play(Playing("v", 6, 9, 10.0, live=False))
    assert [type(m) for m in stage.pass_until(NOW + 3 * EVERY)] == [Move]
    stage.stats.origin_bytes = 7
    assert stage.pass_until(NOW + 4 * EVERY) == [Report(2, origin_bytes=4)]


def test_what_we_hold_is_part_of_where_we_are() -> None:
    stage = joined()
    for sequence in (3, 4, 8):
        stage.transfers.store.put(ChunkKey("v", sequence, 0), b"x")
    stage.transfers.store.put(ChunkKey("w", 99, 0), b"x")
    stage.play()
    (move,) = stage.told()
    assert isinstance(move, Move)
    assert move.position is not None
    assert (move.position.first, move.position.last) == (3, 8)


def test_the_uplink_is_told_once_it_was_measured_in_steps() -> None:
    stage = joined()
    stage.play()
    stage.pass_until(NOW + EVERY)
    uplink = stage.neighbours.uplink
    uplink.measured, uplink.rate = True, 123_456.0
    assert stage.pass_until(NOW + 2 * EVERY) == [Move(True, POSITION, 120_000)]
    uplink.rate = 118_000.0
    assert stage.pass_until(NOW + 3 * EVERY) == [], "hardly a change"


def account(*moved: int, waste: int = 0) -> Account:
    """What a link has brought: these chunks of one segment."""
    made = Account(waste=waste)
    for chunk in moved:
        made.received.add(ChunkKey("v", 0, chunk), CHUNK_SIZE)
    return made


def test_what_went_over_links_is_told_once_also_when_they_have_ended() -> None:
    stage = joined()
    number = stage.link()
    stage.told()
    assert reports(stage.pass_until(NOW + EVERY)) == []
    stage.neighbours.credit(number, ChunkKey("v", 7, 3), 100)
    (report,) = reports(stage.pass_until(NOW + 2 * EVERY))
    assert report == Report(
        1, renditions=("v",), pairs=(PairReport(PAIRING, received=((0, 7, 100, 3, 3),)),)
    )
    assert stage.pass_until(NOW + 3 * EVERY) == []
    stage.neighbours.credit(number, ChunkKey("v", 8, 0), CHUNK_SIZE)
    stage.neighbours.debit(number, 500, rejected=True)
    stage.neighbours.closed(number, "closed", NOW)
    for event in stage.neighbours.take_events():
        if isinstance(event, Down):
            stage.reporter.ended(event)
    (report,) = reports(stage.pass_until(NOW + 4 * EVERY))
    assert report.number == 2
    assert report.pairs == (PairReport(PAIRING, ((0, 8, 0, 0, 0),), (), 500, 1),)
    assert stage.pass_until(NOW + 5 * EVERY) == []


def test_what_the_origin_has_sent_is_told() -> None:
    stage = joined()
    stage.transfers.from_origin.add_run(SegmentKey("v", 4), 0, 2, 77)
    (report,) = reports(stage.pass_until(NOW + EVERY))
    assert (report.renditions, report.origin) == (("v",), ((0, 4, 77, 0, 2),))
    assert stage.pass_until(NOW + 2 * EVERY) == []


def test_what_the_tracker_knows_nothing_of_is_not_reported() -> None:
    stage = joined()
    stage.reporter.ended(Down(9, "closed", greeted=True, account=account(0)))
    assert reports(stage.pass_until(NOW + EVERY)) == []


def test_what_a_socket_was_not_told_is_nothing_to_the_next_one() -> None:
    stage = joined()
    number = stage.link()
    stage.told()
    stage.pass_until(NOW + EVERY)
    stage.reporter.ended(Down(number, "closed", greeted=True, account=account(0)))
    stage.neighbours.credit(number, ChunkKey("v", 0, 1), 100)
    stage.transfers.from_origin.add_run(SegmentKey("v", 4), 0, 2, 77)
    stage.transfers.wasted = 3
    stage.signaling.receive(TrackerDown(), NOW)
    assert stage.pass_until(NOW + 2 * EVERY) == []
    stage.join()
    stage.told()
    assert reports(stage.pass_until(NOW + 3 * EVERY)) == [Report(1, waste_bytes=3)]


def test_reports_are_numbered_by_socket() -> None:
    stage = joined()
    numbers = []
    for peer in ("1" * 16, "2" * 16):
        for _ in range(2):
            stage.transfers.wasted += 1
            (report,) = reports(stage.pass_until(stage.reporter.timer_at() or 0.0))
            numbers.append(report.number)
        stage.signaling.receive(TrackerDown(), NOW)
        stage.signaling.receive(TrackerSays(WELCOME), NOW)
        stage.signaling.receive(TrackerSays(Joined(peer, 3)), NOW)
        stage.reporter.begin(NOW)
        stage.told()
    assert numbers == [1, 2, 1, 2]


def test_a_report_stays_within_the_bounds_of_the_wire_and_the_rest_follows() -> None:
    stage = joined()
    number = stage.link()
    stage.told()
    for chunk in range(MOST_PAIRS + 5):
        stage.reporter.ended(Down(number, "closed", greeted=True, account=account(chunk)))
    first, second = reports(stage.pass_until(NOW + EVERY))
    assert (first.number, second.number) == (1, 2)
    assert (len(first.pairs), len(second.pairs)) == (MOST_PAIRS, 5)


def test_however_much_it_is_no_message_is_too_long() -> None:
    stage = joined()
    number = stage.link()
    stage.told()
    for sequence in range(1_700_000_000, 1_700_000_900):
        for chunk in range(0, 64, 2):
            stage.neighbours.credit(number, ChunkKey("v", sequence, chunk), CHUNK_SIZE)
    told = reports(stage.pass_until(NOW + EVERY))
    assert len(told) == MOST_REPORTS
    assert all(len(encode(report)) < 64 * 1024 for report in told)
    told += reports(stage.pass_until(NOW + 2 * EVERY))
    runs = [run for report in told for pair in report.pairs for run in pair.received]
    assert sorted(run[1] for run in runs) == list(range(1_700_000_000, 1_700_000_900))


def test_how_it_plays_is_told_since_the_last_time() -> None:
    stage = joined()
    stage.play(replace(PLAYING, watched=Watched()))
    stage.told()
    assert reports(stage.pass_until(NOW + EVERY)) == []
    stage.play(replace(PLAYING, watched=Watched(812.5, 9000, 1, 300)))
    (report,) = reports(stage.pass_until(NOW + 2 * EVERY))
    assert report.quality == Quality(812.5, 9000, 1, 300, 0)
    stage.play(replace(PLAYING, watched=Watched(812.5, 19_000, 1, 300)))
    (report,) = reports(stage.pass_until(NOW + 3 * EVERY))
    assert report.quality == Quality(None, 10_000, 0, 0, 0)


def test_how_long_it_took_to_get_connected_is_told_once() -> None:
    stage = joined()
    connected = Watched(announce=100.0, answer=250.0)
    stage.play(replace(PLAYING, watched=connected))
    (report,) = reports(stage.pass_until(NOW + EVERY))
    assert report.quality == Quality(announce=100.0, answer=250.0)
    connected = replace(connected, ice=300.0, open=400.0, first_chunk=900.0, played=5)
    stage.play(replace(PLAYING, watched=connected))
    (report,) = reports(stage.pass_until(NOW + 2 * EVERY))
    assert report.quality == Quality(played=5, ice=300.0, open=400.0, first_chunk=900.0)


@pytest.mark.parametrize(("gap", "is_told"), [(GAP, True), (GAP + 1, False)])
def test_what_was_played_long_before_we_came_in_is_never_told(gap: int, is_told: bool) -> None:
    stage = Stage()
    startup: float | None = 812.5
    for number in (1, 2):  # sessions
        watched = Watched(812.5, number * gap - 1000, number, 1000)
        stage.stats.origin_bytes += 3
        stage.play(replace(PLAYING, watched=watched))
        stage.join(f"{number}" * 16)
        stage.told()
        stage.stats.origin_bytes += 4
        stage.play(replace(PLAYING, watched=replace(watched, stalls=number + 1)))
        (report,) = reports(stage.pass_until(stage.reporter.timer_at() or 0.0))
        stalled = 1000 if number == 1 else 0
        before = (gap - stalled, 2 if number == 1 else 1, stalled) if is_told else (0, 1, 0)
        assert report == Report(
            1, origin_bytes=7 if is_told else 4, quality=Quality(startup, *before, 0)
        )
        startup = None
        stage.signaling.receive(TrackerDown(), NOW)


def test_the_last_figures() -> None:
    stage = joined()
    stage.stats.peer_bytes = 5
    stage.transfers.wasted = 3
    stage.reporter.farewell()
    assert reports(stage.told()) == [Report(1, peer_bytes=5, waste_bytes=3)]
    stage.reporter.farewell()
    assert stage.told() == [], "they were the last"


def test_what_lies_ahead_is_told_when_it_changes_and_too_many_stretches_become_one() -> None:
    stage = joined()
    playing = replace(PLAYING, watched=Watched(played=1))
    stage.play(playing)
    stage.told()
    count_ = MOST_BOUNDS // 2 + 2
    stage.transfers.ahead = {SegmentKey("v", 2 * n): None for n in reversed(range(count_))}
    (report,) = reports(stage.pass_until(NOW + EVERY))
    bounds = [2 * n for n in range(MOST_BOUNDS // 2) for _ in "ab"]
    assert report.renditions == ("v",)
    assert report.ahead == ((0, *bounds[:-1], 2 * (count_ - 1)),)
    assert decode_to_tracker(encode(report)) == report
    assert reports(stage.pass_until(NOW + 2 * EVERY)) == []
    stage.transfers.ahead = {SegmentKey("v", 4): None}
    (report,) = reports(stage.pass_until(NOW + 3 * EVERY))
    assert (report.renditions, report.ahead) == (("v",), ((0, 4, 4),))
    # The same stretches of another rendition are something else.
    stage.transfers.ahead = {SegmentKey("w", 4): None}
    (report,) = reports(stage.pass_until(NOW + 4 * EVERY))
    assert (report.renditions, report.ahead) == (("w",), ((0, 4, 4),))
    stage.transfers.ahead = {}
    (report,) = reports(stage.pass_until(NOW + 5 * EVERY))
    assert report == Report(report.number)
    assert decode_to_tracker(encode(report)) == report
    assert reports(stage.pass_until(NOW + 6 * EVERY)) == []


def test_of_what_nobody_watches_nothing_lies_ahead() -> None:
    stage = joined()
    stage.play()
    stage.transfers.ahead = {SegmentKey("v", 1): None}
    stage.stats.peer_bytes = 1
    (report,) = reports(stage.pass_until(NOW + EVERY))
    assert report.ahead == ()
