"""One link: its limits, its clock, and two of them talking to each other.

The usual exchanges are told by the scenarios; here are the edges.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.link import (
    CALM,
    FIRST_RATE,
    FIRST_WINDOW,
    GRACE,
    HELLO_TIMEOUT,
    LEAST_PATIENCE,
    LONGEST,
    MOST_IN_FLIGHT,
    MOST_PATIENCE,
    MOST_SILENCES,
    MOST_WANTS,
    PROMPT,
    QUICK,
    SMOOTHING,
    USUAL_IN_FLIGHT,
    Announced,
    ChunkCame,
    Ended,
    Greeted,
    Link,
    Need,
    State,
    Told,
    Wanted,
    WantFailed,
    reason_for,
)
from p2pcdn.core.ports import TellLink
from p2pcdn.errors import ErrorCode, SourceReason
from p2pcdn.model import CHUNK_SIZE, PROTOCOL, ChunkKey, SegmentKey, Span
from p2pcdn.wire.chunk import Frame, frames_of
from p2pcdn.wire.link import (
    Busy,
    Bye,
    Cancel,
    Gone,
    Have,
    Hello,
    LinkMessage,
    Loading,
    Missing,
    Want,
)
from tests.p2pcdn.core.media import Media, Piece

CONTENT = "00112233445566778899aabbccddeeff"
OURS = Hello(PROTOCOL, CONTENT, "0" * 16, upload=True)
THEIRS = Hello(PROTOCOL, CONTENT, "a" * 16, upload=True)
KEY = ChunkKey("v", 7, 0)
OTHER = ChunkKey("v", 7, 1)
CHUNK = bytes(range(256)) * 256
MEDIA = Media.of([Piece(SegmentKey("v", 0), 1000)], live=True)


def link_at(now: float) -> Link:
    """A link that is up."""
    link = Link(1, OURS, now)
    link.receive(THEIRS, now)
    link.take_messages()
    link.take_events()
    return link


def said(link: Link) -> list[LinkMessage]:
    return [out.message for out in link.take_messages() if isinstance(out, TellLink)]


def sent(link: Link) -> list[Frame]:
    """All frames that the link owes, as its owner takes them one by one."""
    frames = []
    while (frame := link.next_frame()) is not None:
        frames.append(frame)
    return frames


def ended(link: Link) -> ErrorCode | None:
    """With which code the link said bye."""
    assert link.state is State.OVER
    (bye,) = (message for message in said(link) if isinstance(message, Bye))
    return bye.code


# Greetings


def test_both_ends_greet() -> None:
    now = 0.0
    link = Link(1, OURS, now)
    assert said(link) == [OURS]
    assert (link.state, link.timer_at()) == (State.GREETING, now + HELLO_TIMEOUT)
    link.receive(THEIRS, now)
    assert link.take_events() == [Greeted(THEIRS)]
    assert (link.state, link.peer, link.timer_at()) == (State.UP, "a" * 16, None)


def test_hello_is_waited_for_for_so_long() -> None:
    now = 0.0
    link = Link(1, OURS, now)
    link.on_timer(now + HELLO_TIMEOUT - 0.001)
    assert link.state is State.GREETING
    link.on_timer(now + HELLO_TIMEOUT)
    assert link.take_events() == [Ended("timeout")]
    assert ended(link) is ErrorCode.TIMEOUT
    assert link.timer_at() is None


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        (Hello(PROTOCOL + 1, CONTENT, "a" * 16, upload=True), ErrorCode.UNSUPPORTED_PROTOCOL),
        (Hello(PROTOCOL, "f" * 32, "a" * 16, upload=True), ErrorCode.WRONG_CONTENT),
        (Want(0, *KEY), ErrorCode.UNEXPECTED),
        (Have(()), ErrorCode.UNEXPECTED),
        (Frame(0, 0, b"x"), ErrorCode.BAD_FRAME),
    ],
)
def test_what_is_no_greeting_of_ours_ends_the_link(hello: LinkMessage, code: ErrorCode) -> None:
    link = Link(1, OURS, 0.0)
    link.receive(hello, 0.0)
    assert ended(link) is code
    assert link.take_events() == [Ended(reason_for(code))]


def test_what_comes_after_the_end_is_not_heard() -> None:
    link = link_at(0.0)
    link.supply(0, KEY, CHUNK, need=Need.USUAL)
    link.receive(Bye(), 0.0)
    assert link.take_events() == [Ended("closed")]
    assert link.timer_at() is None
    assert (link.owed, sent(link)) == (0, [])
    link.receive(Have(()), 0.0)
    link.end("failed")
    link.closed("failed")
    assert link.take_events() == []
    assert link.take_messages() == []


@pytest.mark.parametrize(("code", "reason"), [(None, "closed"), (ErrorCode.SLOW, "protocol")])
def test_bye_is_not_answered(code: ErrorCode | None, reason: str) -> None:
    link = link_at(0.0)
    link.want(KEY, 10, Need.USUAL, 0.0)
    said(link)
    link.receive(Bye(code), 0.0)
    failed, over = link.take_events()
    assert failed == WantFailed(KEY, SourceReason.CLOSED)
    assert isinstance(over, Ended)
    assert over.reason == reason
    assert link.take_messages() == []


# What we want


def test_a_chunk_comes_in_frames_in_any_order() -> None:
    now = 0.0
    link = link_at(now)
    link.want(KEY, len(CHUNK), Need.USUAL, now)
    assert said(link) == [Want(0, *KEY)]
    assert link.in_flight == 1
    frames = list(frames_of(0, CHUNK))
    for frame in reversed(frames[1:]):
        link.receive(frame, now)
        assert link.take_events() == []
    link.receive(frames[0], now)
    assert link.take_events() == [ChunkCame(KEY, CHUNK)]
    assert (link.in_flight, link.wasted) == (0, 0)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0, 0, bytes(101)),
        Frame(0, 100, b"x"),
        Frame(0, 99, b"xx"),
        Frame(0, 50, b"again"),
        Frame(1, 0, b"x"),
    ],
    ids=["longer", "behind", "across the end", "twice", "of no want"],
)
def test_frames_that_make_no_sense_end_the_link(frame: Frame) -> None:
    now = 0.0
    link = link_at(now)
    link.want(KEY, 100, Need.USUAL, now)
    said(link)
    link.receive(Frame(0, 50, b"here"), now)
    link.receive(frame, now)
    assert link.take_events() == [WantFailed(KEY, SourceReason.CLOSED), Ended("integrity")]
    assert ended(link) is ErrorCode.BAD_FRAME
    assert link.wasted == 4 + (len(frame.payload) if frame.want == 0 else 0)


def test_frames_that_overlap_bring_no_more_than_their_chunk() -> None:
    now = 0.0
    link = link_at(now)
    link.want(KEY, 10, Need.USUAL, now)
    said(link)
    link.receive(Frame(0, 0, bytes(6)), now)
    link.receive(Frame(0, 3, bytes(6)), now)
    assert ended(link) is ErrorCode.BAD_FRAME


def test_bytes_that_nobody_asked_for_are_as_bad_as_wrong_ones() -> None:
    assert reason_for(ErrorCode.BAD_FRAME) == "integrity"
    assert {reason_for(code) for code in ErrorCode if code is not ErrorCode.BAD_FRAME} == {
        "protocol"
    }


def test_frames_that_leave_holes_make_no_chunk() -> None:
    """As many bytes as the chunk has, some of them twice."""
    now = 0.0
    link = link_at(now)
    link.want(KEY, 10, Need.USUAL, now)
    said(link)
    link.receive(Frame(0, 0, bytes(6)), now)
    link.receive(Frame(0, 3, bytes(4)), now)
    assert link.take_events() == [WantFailed(KEY, SourceReason.CLOSED), Ended("integrity")]
    assert ended(link) is ErrorCode.BAD_FRAME
    assert link.wasted == 10


def test_what_comes_late_is_waste_up_to_its_chunk() -> None:
    now = 0.0
    link = link_at(now)
    link.want(KEY, 100, Need.USUAL, now)
    link.receive(Frame(0, 0, bytes(30)), now)
    link.cancel(KEY)
    assert said(link) == [Want(0, *KEY), Cancel(0)]
    assert link.wasted == 30
    link.receive(Frame(0, 30, bytes(50)), now)
    assert (link.wasted, link.state) == (80, State.UP)
    link.receive(Frame(0, 80, bytes(21)), now)
    assert ended(link) is ErrorCode.BAD_FRAME
    assert link.wasted == 80


def test_the_last_late_frame_ends_the_memory_of_a_want() -> None:
    link = link_at(0.0)
    link.want(KEY, 10, Need.USUAL, 0.0)
    link.cancel(KEY)
    link.receive(Frame(0, 0, bytes(10)), 0.0)
    assert link.wasted == 10
    link.receive(Frame(0, 0, b"x"), 0.0)
    assert ended(link) is ErrorCode.BAD_FRAME


def test_wants_that_were_given_up_are_forgotten_in_the_end() -> None:
    link = link_at(0.0)
    for _ in range(4 * MOST_WANTS + 1):
        link.want(KEY, 10, Need.USUAL, 0.0)
        link.cancel(KEY)
    link.receive(Frame(1, 0, b"x"), 0.0)
    assert link.wasted == 1
    link.receive(Frame(0, 0, b"x"), 0.0)
    assert ended(link) is ErrorCode.BAD_FRAME


def test_a_want_that_was_refused_takes_no_place_among_them() -> None:
    link = link_at(0.0)
    link.want(KEY, 10, Need.USUAL, 0.0)
    link.cancel(KEY)
    for number in range(1, 4 * MOST_WANTS + 1):
        link.want(KEY, 10, Need.USUAL, 0.0)
        link.receive(Busy(number, 0), 0.0)
    link.receive(Frame(0, 0, b"x"), 0.0)
    assert (link.wasted, link.state) == (1, State.UP)
    link.receive(Frame(1, 0, b"x"), 0.0)
    assert ended(link) is ErrorCode.BAD_FRAME


def test_a_part_may_be_on_its_way_of_what_is_missing_now() -> None:
    link = link_at(0.0)
    link.want(KEY, 10, Need.USUAL, 0.0)
    link.receive(Missing(0), 0.0)
    link.receive(Frame(0, 0, b"x"), 0.0)
    assert (link.wasted, link.state) == (1, State.UP)


def test_a_cancel_is_for_one_chunk() -> None:
    link, other = link_at(0.0), ChunkKey("v", 7, 1)
    link.want(KEY, 10, Need.USUAL, 0.0)
    link.want(other, 10, Need.USUAL, 0.0)
    said(link)
    link.cancel(KEY)
    link.cancel(ChunkKey("v", 9, 9))
    assert said(link) == [Cancel(0)]
    assert link.in_flight == 1
    assert link.take_events() == []


def test_busy_and_missing() -> None:
    now = 0.0
    link = link_at(now)
    for _ in range(3):
        link.want(KEY, 10, Need.USUAL, now)
    link.receive(Missing(0), now)
    assert link.take_events() == [WantFailed(KEY, SourceReason.MISSING)]
    assert link.busy_until == 0.0
    link.receive(Busy(1, 0.5), now)
    assert link.take_events() == [WantFailed(KEY, SourceReason.BUSY)]
    assert link.busy_until == now + 0.5
    link.receive(Busy(2, 3600), now)
    assert link.busy_until == now + MOST_PATIENCE
    link.take_events()
    until = link.busy_until
    link.receive(Busy(2, 9.0), now)  # of what was given up: nobody waits for it
    assert (link.busy_until, link.take_events()) == (until, [])
    link.receive(Missing(9), now)
    assert link.take_events() == []


# Patience


def test_no_byte_for_so_long_and_a_want_has_failed() -> None:
    now = 0.0
    link = link_at(now)
    link.want(KEY, 100, Need.USUAL, now)
    said(link)
    assert link.timer_at() == now + LEAST_PATIENCE
    link.receive(Frame(0, 0, b"x" * 20), now + 0.3)
    link.on_timer(now + LEAST_PATIENCE)
    assert link.in_flight == 1
    assert link.timer_at() == pytest.approx(now + 0.3 + LEAST_PATIENCE)
    link.on_timer(now + 0.3 + LEAST_PATIENCE)
    assert link.take_events() == [WantFailed(KEY, SourceReason.TIMEOUT)]
    assert said(link) == [Cancel(0)]
    assert link.wasted == 20


def test_patience_grows_with_what_is_usual_and_with_failure_but_not_beyond_a_bound() -> None:
    now = 0.0
    link = link_at(now)
    patience = []
    for _ in range(5):
        link.want(KEY, 100, Need.USUAL, now)
        at = link.timer_at()
        assert at is not None
        patience.append(at - now)
        now = at
        link.on_timer(now)
        link.receive(Gone(()), now)  # it is there, only slow
    twice, again = 2 * LEAST_PATIENCE, 4 * LEAST_PATIENCE
    assert patience == pytest.approx([LEAST_PATIENCE, twice, again, MOST_PATIENCE, MOST_PATIENCE])
    for _ in range(20):  # a fast answer, again and again
        link.want(KEY, 1, Need.USUAL, now)
        link.receive(Frame(link._next_want - 1, 0, b"x"), now + 0.01)
    link.want(KEY, 1, Need.USUAL, now)
    assert link.timer_at() == pytest.approx(now + LEAST_PATIENCE)


def test_patience_follows_what_is_usual() -> None:
    now = 0.0
    link = link_at(now)
    link.want(KEY, 1, Need.USUAL, now)
    link.receive(Frame(0, 0, b"x"), now + 1.0)  # LEAST_PATIENCE / 3 was expected: a quarter counts
    now += 1.0
    link.want(KEY, 1, Need.USUAL, now)
    usual = LEAST_PATIENCE / 3
    until = now + 3 * (usual + (1.0 - usual) / 4)
    assert link.late(until - 0.001) == []
    assert link.late(until) == [1]


def test_the_alarm_is_never_too_late() -> None:
    """It may be too early, which costs a look at the clock."""
    now = 0.0
    link = link_at(now)
    link.want(KEY, 1, Need.USUAL, now)
    link.receive(Frame(0, 0, b"x"), now + 1.0)
    link.want(KEY, 1, Need.USUAL, now + 1.0)
    looks = 0
    while link.in_flight:
        at = link.timer_at()
        assert at is not None
        link.on_timer(at)
        looks += 1
    assert link.timer_at() is None
    assert looks <= 3


def dripped(size: int) -> tuple[Link, float]:
    """A link whose other end sends so many bytes of 1000 again and again; and when it was given
    up."""
    now = 0.0
    link = link_at(now)
    link.want(KEY, 1000, Need.USUAL, now)
    offset = 0
    while link.in_flight:
        now += LEAST_PATIENCE / 2
        link.receive(Frame(0, offset, b"x" * size), now)
        link.on_timer(now)
        offset += size
    assert link.take_events() == [WantFailed(KEY, SourceReason.TIMEOUT)]
    return link, now


def test_who_drips_says_no_more_than_who_is_silent() -> None:
    link, now = dripped(1)
    assert now == pytest.approx(LEAST_PATIENCE)
    link.want(KEY, 1000, Need.USUAL, now)
    link.on_timer(now + MOST_PATIENCE)
    assert not link.is_credible(now)


def test_a_want_is_given_up_after_a_while_however_steadily_it_comes() -> None:
    now, offset = 0.0, 0
    link = link_at(now)
    link.want(KEY, 1000, Need.USUAL, now)
    while link.in_flight:
        now += LEAST_PATIENCE * 0.9
        link.receive(Frame(0, offset, b"x" * 63), now)
        link.on_timer(now)
        offset += 63
    assert LONGEST <= now < LONGEST + LEAST_PATIENCE


def test_who_is_only_slow_has_broken_no_promise() -> None:
    now = 0.0
    link = link_at(now)
    link.received = 1
    for number in range(3):
        link.want(KEY, 1000, Need.USUAL, now)
        link.receive(Frame(number, 0, b"x" * 250), now + 0.1)
        now += MOST_PATIENCE + 1.0
        link.on_timer(now)
        link.receive(Have(()), now)
    assert link.take_events().count(WantFailed(KEY, SourceReason.TIMEOUT)) == 3
    assert link.is_credible(now)


def test_who_brings_nothing_when_it_is_asked_is_not_believed_for_long() -> None:
    link = link_at(0.0)
    assert link.is_credible(100.0), "it was not asked yet"
    link.want(KEY, 100, Need.USUAL, 100.0)
    assert link.is_credible(100.0 + GRACE - 0.1)
    assert not link.is_credible(100.0 + GRACE)
    link.received = 1
    assert link.is_credible(100.0 + GRACE)


def test_who_is_borne_with_has_another_while() -> None:
    now = 0.0
    link = link_at(now)
    link.want(KEY, 100, Need.USUAL, now)
    said(link)
    late = now + LEAST_PATIENCE
    assert link.late(late) == [0]
    link.bear_with(late)
    assert (link.late(late), link.timer_at()) == ([], late + LEAST_PATIENCE)
    assert (said(link), link.in_flight) == ([], 1)
    link.on_timer(late + LEAST_PATIENCE)
    assert link.take_events() == [WantFailed(KEY, SourceReason.TIMEOUT)]


def silences(link: Link, times: int, now: float) -> float:
    """Let two wants fail together so many times; returns when that was done."""
    for _ in range(times):
        link.want(KEY, 100, Need.USUAL, now)
        link.want(ChunkKey("v", 7, 1), 100, Need.USUAL, now)
        at = link.timer_at()
        assert at is not None
        now = at
        link.on_timer(now)
    return now


def test_who_is_silent_three_times_in_a_row_is_gone() -> None:
    link = link_at(0.0)
    now = silences(link, MOST_SILENCES - 1, 0.0)
    link.receive(Gone(()), now)
    now = silences(link, MOST_SILENCES - 1, now)
    assert link.state is State.UP
    silences(link, 1, now)
    assert link.take_events()[-1] == Ended("timeout")
    assert ended(link) is ErrorCode.TIMEOUT


def test_a_want_does_not_fail_while_an_earlier_one_is_being_sent() -> None:
    now = 0.0
    link, later = link_at(now), ChunkKey("v", 7, 1)
    link.want(KEY, 100, Need.USUAL, now)
    link.want(later, 100, Need.USUAL, now)
    link.receive(Frame(0, 0, b"x" * 20), now + 0.3)
    link.on_timer(now + LEAST_PATIENCE)
    assert link.in_flight == 2
    link.receive(Frame(1, 0, b"x" * 20), now + 0.5)  # the later one: of the first nothing was heard
    link.on_timer(now + 0.3 + LEAST_PATIENCE)
    assert link.take_events() == [WantFailed(KEY, SourceReason.TIMEOUT)]


# How fast it brings


def test_a_link_is_taken_to_be_as_fast_as_it_was() -> None:
    now = 0.0
    link = link_at(now)
    assert link.rate == FIRST_RATE
    link.want(KEY, 1000, Need.USUAL, now)
    link.want(OTHER, 1000, Need.USUAL, now)
    link.receive(Frame(0, 0, bytes(1000)), now + 0.2)
    first = FIRST_RATE + SMOOTHING * (1000 / 0.2 - FIRST_RATE)
    assert link.rate == pytest.approx(first)
    link.receive(Frame(1, 0, bytes(1000)), now + 0.25)  # it was sent after the other one
    assert link.rate == pytest.approx(first + SMOOTHING * (1000 / 0.05 - first))


def test_who_delivers_is_asked_for_more_and_who_is_busy_for_one() -> None:
    link, windows, now = link_at(0.0), [], 0.0
    for number in range(4):
        windows.append(link.window)
        link.want(KEY, 1, Need.USUAL, now)
        now += 2 * PROMPT
        link.receive(Frame(number, 0, b"x"), now)
    assert windows == [FIRST_WINDOW, FIRST_WINDOW + 1, USUAL_IN_FLIGHT, USUAL_IN_FLIGHT]
    link.want(KEY, 1, Need.USUAL, now)
    link.receive(Busy(4, 0.1), now)
    assert link.window == 1


def test_whose_chunks_come_promptly_is_asked_for_more_as_long_as_they_do() -> None:
    link, windows, now = link_at(0.0), [], 0.0
    for number in range(60):
        link.want(KEY, 1, Need.USUAL, now)
        now += PROMPT / 2 if number < 30 else 2 * PROMPT
        link.receive(Frame(number, 0, b"x"), now)
        windows.append(link.window)
    assert windows[29] == max(windows) == MOST_IN_FLIGHT
    assert windows[-1] == USUAL_IN_FLIGHT
    assert all(later - earlier in (-1, 0, 1) for earlier, later in pairwise(windows))


def test_who_was_busy_a_while_ago_is_asked_for_one_more_with_as_many_as_are_asked_for() -> None:
    link, now = link_at(0.0), 0.0
    windows: list[int] = []
    link.want(KEY, 1, Need.USUAL, now)
    link.receive(Busy(0, 0.1), now)
    for number in range(1, 50):
        link.want(KEY, 1, Need.USUAL, now)
        now += PROMPT / 2
        link.receive(Frame(number, 0, b"x"), now)
        windows.append(link.window)
    assert now < CALM
    steps = [windows.count(window) for window in range(1, windows[-1])]
    assert steps == [0, 1, 1, *range(USUAL_IN_FLIGHT, windows[-1])]
    assert USUAL_IN_FLIGHT < windows[-1] < MOST_IN_FLIGHT
    for number in range(50, 60):
        link.want(KEY, 1, Need.USUAL, now + CALM)
        link.receive(Frame(number, 0, b"x"), now + CALM)
    assert link.window == MOST_IN_FLIGHT


def test_who_is_busy_is_asked_for_as_many_as_were_taken_at_least_one() -> None:
    link = link_at(0.0)
    for number in range(4):
        link.want(ChunkKey(KEY.rendition, KEY.sequence, number), 1, Need.SPARE, 0.0)
    windows = []
    for number in (3, 1, 2, 0):
        link.receive(Busy(number, 0.1), 0.0)
        windows.append(link.window)
    assert windows == [3, 2, 1, 1]


@pytest.mark.parametrize(
    ("took", "free_at"), [(QUICK - 0.001, QUICK - 0.001), (QUICK, QUICK / 2 + 1.0)]
)
def test_what_comes_at_once_ends_a_refusal(took: float, free_at: float) -> None:
    link = link_at(0.0)
    link.want(KEY, 1, Need.SPARE, 0.0)
    link.want(KEY, 1, Need.SPARE, 0.0)
    link.receive(Busy(1, 1.0), QUICK / 2)
    link.receive(Frame(0, 0, b"x"), took)
    assert link.busy_until == free_at


def test_what_comes_at_once_ends_no_rest() -> None:
    link = link_at(0.0)
    link.want(KEY, 1, Need.SPARE, 0.0)
    link.want(KEY, 1, Need.SPARE, 0.0)
    link.receive(Busy(1, 1.0), 0.0)
    link.busy_until = 3.0  # something else timed out
    link.receive(Frame(0, 0, b"x"), QUICK / 2)
    assert link.busy_until == 3.0


def test_a_fast_link_runs_dry_when_half_of_what_was_asked_for_has_come() -> None:
    link, dry = link_at(0.0), []
    for number in range(20):
        link.want(KEY, 1, Need.USUAL, 0.0)
        link.want(KEY, 1, Need.USUAL, 0.0)
        dry.append(link.runs_dry)
        link.receive(Frame(2 * number, 0, b"x"), PROMPT if number < 10 else 0.0)
        link.receive(Frame(2 * number + 1, 0, b"x"), PROMPT if number < 10 else 0.0)
    assert not any(dry[:10])
    assert dry[-1]
    for _ in range(link.window // 2 + 1):
        link.want(KEY, 1, Need.USUAL, 0.0)
    assert not link.runs_dry


def test_what_failed_makes_it_slower() -> None:
    link = link_at(0.0)
    link.want(KEY, 1000, Need.USUAL, 0.0)
    link.on_timer(LEAST_PATIENCE)
    assert link.rate == FIRST_RATE / 2


# What they want


def test_what_they_want_is_owed_until_it_is_taken_frame_by_frame() -> None:
    link = link_at(0.0)
    for number in range(2):
        link.receive(Want(number, *KEY), 0.0)
        assert link.take_events() == [Wanted(number, KEY, Need.USUAL)]
        link.supply(number, KEY, CHUNK, need=Need.USUAL)
    assert (link.owed, link.sent) == (2 * CHUNK_SIZE, 0)
    first = link.next_frame()
    assert first == next(iter(frames_of(0, CHUNK)))
    assert (link.owed, link.sent) == (2 * CHUNK_SIZE - 16_384, 16_384)
    assert [frame.want for frame in sent(link)] == [0] * 3 + [1] * 4
    assert (link.owed, link.sent) == (0, 2 * CHUNK_SIZE)
    assert link.next_frame() is None
    assert link.take_messages() == []


def test_who_asks_too_soon_is_told_when_to_come_back() -> None:
    link = link_at(0.0)
    link.refuse(5, 0.12345)
    assert said(link) == [Busy(5, 0.123)]
    assert link.owed == 0


def test_so_many_wants_may_be_open() -> None:
    link = link_at(0.0)
    for number in range(MOST_WANTS):
        link.receive(Want(number, *KEY), 0.0)
        link.supply(number, KEY, b"little", need=Need.USUAL)
    assert link.state is State.UP
    link.receive(Want(MOST_WANTS, *KEY), 0.0)
    assert ended(link) is ErrorCode.TOO_MANY


def test_a_want_that_is_waiting_can_be_cancelled_and_wanted_anew() -> None:
    link = link_at(0.0)
    link.supply(3, KEY, CHUNK, need=Need.USUAL)
    link.receive(Want(3, *KEY), 0.0)
    assert ended(link) is ErrorCode.UNEXPECTED
    link = link_at(0.0)
    link.supply(2, KEY, CHUNK, need=Need.USUAL)
    link.supply(3, KEY, CHUNK, need=Need.USUAL)
    link.receive(Cancel(3), 0.0)
    assert link.owed == CHUNK_SIZE
    link.receive(Want(3, *KEY), 0.0)
    assert [frame.want for frame in sent(link)] == [2] * 4
    assert link.state is State.UP


@pytest.mark.parametrize("need", Need)
def test_how_much_it_matters_is_told(need: Need) -> None:
    now = 0.0
    ends = [link_at(now), link_at(now)]
    ends[0].want(KEY, 10, need, now)
    for message in said(ends[0]):
        ends[1].receive(message, now)
    assert ends[1].take_events() == [Wanted(0, KEY, need)]


def test_what_is_due_soon_goes_before_what_has_not_begun() -> None:
    link = link_at(0.0)
    link.supply(1, KEY, CHUNK, need=Need.SOON)
    link.supply(2, KEY, CHUNK, need=Need.USUAL)
    link.next_frame()
    link.supply(3, KEY, CHUNK, need=Need.SOON)
    link.supply(4, KEY, CHUNK, need=Need.SOON)
    assert [frame.want for frame in sent(link)] == [1] * 3 + [3] * 4 + [4] * 4 + [2] * 4


def test_what_is_brought_into_a_network_goes_before_all_that_has_not_begun() -> None:
    link = link_at(0.0)
    for want, need in enumerate((Need.USUAL, Need.SOON, Need.IMPORTS)):
        assert not link.imports
        link.supply(want, KEY, CHUNK, need)
    assert link.imports
    link.next_frame()
    link.supply(3, KEY, CHUNK, Need.IMPORTS)
    assert [frame.want for frame in sent(link)] == [2] * 3 + [3] * 4 + [1] * 4 + [0] * 4


def test_what_has_begun_can_be_cancelled_too() -> None:
    link = link_at(0.0)
    link.supply(2, KEY, CHUNK, need=Need.USUAL)
    link.next_frame()
    link.receive(Cancel(2), 0.0)
    assert (link.owed, sent(link)) == (0, [])
    assert link.sent == 16_384


def test_what_we_lack_is_missing() -> None:
    link = link_at(0.0)
    link.lack(5)
    assert said(link) == [Missing(5)]


# Announcements and records


def test_announcements_are_passed_on() -> None:
    link = link_at(0.0)
    for message in (Have(()), Gone(()), Loading(())):
        link.receive(message, 0.0)
    assert link.take_events() == [Announced(Have(())), Announced(Gone(())), Announced(Loading(()))]


def test_records_are_passed_on() -> None:
    link = link_at(0.0)
    records = MEDIA.records("v", Span(0, 0), 0.0)
    link.receive(records, 0.0)
    assert link.take_events() == [Told(records)]


# Two of them


@given(
    st.lists(st.integers(1, CHUNK_SIZE), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
    st.integers(1, 9),
)
def test_two_ends_pass_chunks_both_ways(lengths: list[int], random: object, room: int) -> None:
    """Control messages in their order, frames in any order, cancels in between."""
    shuffle = random.shuffle  # type: ignore[attr-defined]
    now = 0.0
    ends = [Link(0, OURS, now), Link(1, THEIRS, now)]
    chunks = {ChunkKey("v", 1, n): bytes([n]) * length for n, length in enumerate(lengths)}
    came: list[dict[ChunkKey, bytes]] = [{}, {}]
    refused: list[set[ChunkKey]] = [set(), set()]
    cancelled = ChunkKey("v", 1, len(lengths) // 2)
    arrived = [0, 0]

    def exchange() -> bool:
        moved = False
        frames: list[tuple[int, Frame]] = []
        for number, end in enumerate(ends):
            for message in said(end):
                moved = True
                ends[1 - number].receive(message, now)
            for _ in range(room):
                if (frame := end.next_frame()) is not None:
                    moved = True
                    frames.append((1 - number, frame))
        shuffle(frames)
        for number, frame in frames:
            arrived[number] += len(frame.payload)
            ends[number].receive(frame, now)
        for number, end in enumerate(ends):
            for event in end.take_events():
                match event:
                    case Wanted(want, key):
                        end.supply(want, key, chunks[key], need=Need.USUAL)
                    case ChunkCame(key, data):
                        came[number][key] = data
                    case WantFailed(key):
                        refused[number].add(key)
                    case Ended():
                        raise AssertionError("a link ended")
        return moved

    exchange()
    for end in ends:
        for key, data in list(chunks.items())[: MOST_WANTS - 4]:
            end.want(key, len(data), Need.USUAL, now)
    exchange()
    for end in ends:
        end.cancel(cancelled)
    while exchange():
        pass
    for number, end in enumerate(ends):
        assert all(data == chunks[key] for key, data in came[number].items())
        assert set(came[number]) | refused[number] | {cancelled} == set(chunks)
        kept = sum(map(len, came[number].values()))
        assert arrived[number] == kept + end.wasted == ends[1 - number].sent
        assert end.in_flight == 0
