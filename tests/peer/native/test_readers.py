"""What readers demand, and by when."""

from __future__ import annotations

from math import inf

from msgspec.structs import replace

from p2pcdn.core.ports import Demand, Playing, Release
from p2pcdn.errors import SourceReason
from p2pcdn.model import SegmentKey
from peer.native.keeper import Keeper
from peer.native.readers import AHEAD, BULK, IDLE, TELL_EVERY, USUAL_DURATION, Reader, Readers
from tests.peer.native.test_keeper import PLENTY, everything, nothing, page, v

LENGTH = 2.0
"""Seconds a segment."""


def readers(*sequences: int, live: bool = False) -> Readers:
    keeper = Keeper(["v", "w"], PLENTY, all_=False)
    for rendition in ("v", "w"):
        made = page(*(sequences or range(10)), rendition=rendition, live=live)
        timed = tuple(replace(record, duration=int(LENGTH * 1000)) for record in made.segments)
        keeper.page(replace(made, segments=timed))
    return Readers(keeper)


class Asker:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[bytes | SourceReason] = []

    def __call__(self, answer: bytes | SourceReason) -> None:
        self.told.append(answer)


def demands(machine: Readers, now: float) -> dict[int, float]:
    wishes = list(machine.wishes(everything, now))
    return {w.key.sequence: w.within for w in wishes if isinstance(w, Demand)}


def test_a_player_that_begins_is_in_a_hurry_and_what_follows_has_time() -> None:
    machine, asker = readers(), Asker()
    machine.ask(Reader(), v(3), asker, 5.0)
    assert demands(machine, 5.0) == {3: 0.0, 4: 2.0, 5: 4.0, 6: 6.0}
    assert len(demands(machine, 5.0)) == 0, "each is demanded once"
    assert AHEAD == 3


def test_what_was_given_is_played_at_its_speed() -> None:
    machine, reader = readers(), Reader()
    for sequence in (0, 1, 2):
        machine.ask(reader, v(sequence), Asker(), 0.0)
        demands(machine, 0.0)
        machine.ready(v(sequence), b"media", 0.0)
    machine.ask(reader, v(3), Asker(), 1.0)
    assert demands(machine, 1.0)[3] == 3 * LENGTH - 1.0
    machine.ready(v(3), b"", 20.0)  # it ran dry, and goes on from here
    machine.ask(reader, v(4), Asker(), 20.5)
    assert demands(machine, 20.5)[4] == LENGTH - 0.5


def test_who_knows_when_it_needs_a_segment_is_believed() -> None:
    machine, reader = readers(), Reader()
    machine.ask(reader, v(5), Asker(), 1.0, within=7.5)
    assert demands(machine, 1.0) == {5: 7.5, 6: 9.5, 7: 11.5, 8: 13.5}


def test_a_part_of_a_segment_asked_for_again_lasts_no_longer() -> None:
    machine, reader = readers(), Reader()
    for _ in range(3):
        machine.ask(reader, v(0), Asker(), 0.0)
        demands(machine, 0.0)
        machine.ready(v(0), b"media", 0.0)
    machine.ask(reader, v(1), Asker(), 0.0)
    assert demands(machine, 0.0)[1] == LENGTH


def test_a_player_that_seeks_is_in_a_hurry_and_what_it_left_is_released() -> None:
    machine, reader = readers(), Reader()
    machine.ask(reader, v(0), Asker(), 0.0)
    demands(machine, 0.0)
    machine.ready(v(0), b"media", 0.0)
    machine.ask(reader, v(8), Asker(), 0.5)
    wishes = list(machine.wishes(everything, 0.5))
    assert [w.key for w in wishes if isinstance(w, Release)] == [v(1), v(2), v(3)]
    assert [(w.key, w.within) for w in wishes if isinstance(w, Demand)] == [
        (v(8), 0.0),
        (v(9), LENGTH),
    ]


def test_who_only_wants_the_bytes_is_in_no_hurry() -> None:
    machine = readers()
    machine.ask(Reader(plays=False), v(0), Asker(), 0.0)
    assert demands(machine, 0.0) == dict.fromkeys(range(BULK + 1), inf)


def test_nothing_is_fetched_beyond_what_a_reader_will_ask_for() -> None:
    machine = readers()
    machine.ask(Reader(plays=False, last=2), v(0), Asker(), 0.0)
    assert demands(machine, 0.0) == dict.fromkeys(range(3), inf)


def test_a_segment_is_looked_up_before_it_is_demanded() -> None:
    machine = readers()
    machine.ask(Reader(), v(2), Asker(), 0.0)
    wishes = [w for w in machine.wishes(nothing, 0.0) if isinstance(w, Demand)]
    assert wishes == [Demand(v(2), inf)]
    assert [w for w in machine.wishes(nothing, 0.1) if isinstance(w, Demand)] == []
    assert demands(machine, 0.2)[2] == 0.0


def test_answers_reach_those_who_asked_and_no_others() -> None:
    machine = readers()
    one, other, gone = Asker(), Asker(), Asker()
    for asker in (one, other, gone):
        machine.ask(Reader(), v(0), asker, 0.0)
    machine.forgo(v(0), gone)
    machine.ready(v(0), b"media", 0.0)
    assert one.told == other.told == [b"media"]
    assert gone.told == []
    machine.ask(Reader(), v(1), one, 0.0)
    machine.failed(v(1), SourceReason.MISSING)
    assert one.told == [b"media", SourceReason.MISSING]


def test_what_was_fetched_ahead_is_demanded_again_when_it_is_asked_for() -> None:
    machine, reader = readers(), Reader()
    machine.ask(reader, v(0), Asker(), 0.0)
    demands(machine, 0.0)
    machine.ready(v(1), b"media", 0.0)
    assert demands(machine, 0.1) == {}
    machine.ready(v(0), b"media", 0.1)
    machine.ask(reader, v(1), Asker(), 0.2)
    assert 1 in demands(machine, 0.2), "the store gives it at once"


def test_what_failed_ahead_waits_until_it_is_asked_for() -> None:
    machine, reader = readers(), Reader()
    machine.ask(reader, v(0), Asker(), 0.0)
    demands(machine, 0.0)
    machine.failed(v(1), SourceReason.STATUS)
    assert demands(machine, 1.0) == {}
    machine.ask(reader, v(1), Asker(), 1.0)
    assert 1 in demands(machine, 1.0)


def test_the_node_is_told_where_the_last_one_is_and_once_a_second() -> None:
    machine, reader = readers(), Reader()
    machine.ask(Reader(plays=False), SegmentKey("w", 0), Asker(), 0.0)
    machine.ask(reader, v(4), Asker(), 0.0)

    def told(now: float) -> list[Playing]:
        return [w for w in machine.wishes(everything, now) if isinstance(w, Playing)]

    assert told(0.0) == [Playing("v", 4, 9, 0.0, live=False)]
    assert told(0.5) == []
    machine.ready(v(4), b"media", 0.5)
    assert told(0.5) == [Playing("v", 3, 9, LENGTH, live=False)]
    at = machine.timer_at()
    assert at == 0.5 + TELL_EVERY
    assert told(at) == [Playing("v", 4, 9, LENGTH - TELL_EVERY, live=False)]


def test_who_asks_no_more_is_gone_after_a_while() -> None:
    machine = readers()
    machine.ask(Reader(), v(0), Asker(), 0.0)
    demands(machine, 0.0)
    machine.ready(v(0), b"media", 0.0)
    assert machine.active(IDLE - 0.1)
    assert machine.active(IDLE), "what it let be fetched ahead has to be released"
    released = [w.key for w in machine.wishes(everything, IDLE) if isinstance(w, Release)]
    assert released == [v(1), v(2), v(3)]
    assert not machine.active(IDLE)
    assert machine.timer_at() is None


def test_who_waits_is_not_gone_however_long() -> None:
    machine = readers()
    machine.ask(Reader(), v(0), Asker(), 0.0)
    assert machine.active(10 * IDLE)
    machine.end()
    assert not machine.active(10 * IDLE)


def test_who_waits_for_long_costs_no_time() -> None:
    machine = readers()
    machine.ask(Reader(), v(0), Asker(), 0.0)
    list(machine.wishes(everything, 10 * IDLE))
    assert machine.timer_at() == 10 * IDLE + TELL_EVERY


def test_requests_are_told_apart_by_what_would_come_next() -> None:
    machine = readers()
    video, sound = Reader(), Reader()
    machine.ask(video, v(4), Asker(), 0.0)
    machine.ask(sound, SegmentKey("w", 4), Asker(), 0.0)
    assert machine.follow(v(4)) is video
    assert machine.follow(v(5)) is video
    assert machine.follow(SegmentKey("w", 5)) is sound
    assert machine.follow(v(7)) is None
    machine.leave(video)
    video.until = 3.0
    machine.leave(sound)
    machine.ask(video, v(4), Asker(), 3.0)
    other = machine.follow(SegmentKey("w", 5))
    assert other is not None, "the player has changed the rendition"
    assert (other.until, other.continues(SegmentKey("w", 5))) == (3.0, True)


def test_a_slice_of_a_file_lasts_as_long_as_is_usual() -> None:
    keeper = Keeper(["v"], PLENTY, all_=False)
    keeper.page(page(0, 1))
    assert Readers(keeper).duration(v(0)) == USUAL_DURATION
