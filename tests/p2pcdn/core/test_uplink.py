"""What we can send: measured on channels that drain as real ones do, and never overdrawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.uplink import (
    FIRST_RATE,
    HELD,
    LEAST_BUFFERED,
    LEAST_RATE,
    LEAST_WAIT,
    LEAST_WHILE,
    MEASURED,
    MOST_BUFFERED,
    MOST_RATE,
    MOST_WAIT,
    OVERBOOKED,
    SLOWER_FOR,
    STUCK,
    WHILE,
    Uplink,
)
from p2pcdn.model import CHUNK_SIZE

NOW = 0.0
PATIENCE = 0.2
FRAME = 16_384
STEP = 0.001


@dataclass
class Line:
    """A line of so many bytes a second, shared by channels; it tells as shells do: when half of
    what was in a channel's buffer after sending has gone."""

    uplink: Uplink
    rate: float
    now: float = NOW
    idle: float = 0.0
    """Seconds in which nothing went although something was waiting."""
    most: float = 0.0
    """Bytes that were in all buffers at once."""
    sent: int = 0
    _buffers: dict[int, float] = field(default_factory=dict)
    _tell_at: dict[int, float] = field(default_factory=dict)

    def keep_busy(self, *links: int, seconds: float) -> None:
        """So many seconds in which each link has always more to send."""
        for _ in range(round(seconds / STEP)):
            self._fill(links)
            self._drain()

    def give(self, link: int, size: int) -> None:
        """Send so many bytes, as soon as there is room for them."""
        end = self.sent + size
        while self.sent < end:
            while self.sent < end and self.uplink.has_room(link, self.now):
                self.uplink.sent(link, FRAME, self.now)
                self._buffers[link] = self._buffers.get(link, 0.0) + FRAME
                self.sent += FRAME
                self._tell_at[link] = self._buffers[link] / 2
            self._drain()

    def rest(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            self._drain()

    def _fill(self, links: tuple[int, ...]) -> None:
        given_to = set()
        while free := [link for link in links if self.uplink.has_room(link, self.now)]:
            for link in free:
                if self.uplink.has_room(link, self.now):
                    self.uplink.sent(link, FRAME, self.now)
                    self._buffers[link] = self._buffers.get(link, 0.0) + FRAME
                    given_to.add(link)
                    self.sent += FRAME
        for link in given_to:
            self._tell_at[link] = self._buffers[link] / 2
        self.most = max(self.most, sum(self._buffers.values()))
        if not any(self._buffers.values()):
            self.idle += STEP

    def _drain(self) -> None:
        self.now += STEP
        waiting = [link for link, left in self._buffers.items() if left > 0]
        for link in waiting:
            left = max(self._buffers[link] - self.rate * STEP / len(waiting), 0.0)
            self._buffers[link] = left
            if left <= self._tell_at.get(link, -1.0):
                del self._tell_at[link]
                self.uplink.drained(link, int(left), self.now)


# What it measures


def test_nothing_has_been_measured_at_first() -> None:
    uplink = Uplink()
    assert (uplink.rate, uplink.measured) == (FIRST_RATE, False)


@pytest.mark.parametrize("rate", [40_000.0, 125_000.0, 625_000.0, 2_500_000.0])
@pytest.mark.parametrize("links", [1, 3])
def test_it_learns_how_fast_a_busy_line_is(rate: float, links: int) -> None:
    line = Line(Uplink(), rate)
    line.keep_busy(*range(links), seconds=12.0)
    assert line.uplink.measured
    assert line.uplink.rate == pytest.approx(rate, rel=0.25)


def test_it_follows_a_line_that_becomes_slower_and_faster_again() -> None:
    line = Line(Uplink(), 1_000_000.0)
    line.keep_busy(1, seconds=3.0)
    for rate in (100_000.0, 1_000_000.0):
        line.rate = rate
        line.keep_busy(1, seconds=8.0)
        assert line.uplink.rate == pytest.approx(rate, rel=0.25)


def test_a_lower_rate_has_to_last() -> None:
    """A machine that has no time tells late what has long gone."""
    uplink = Uplink()
    uplink.sent(1, 4 * FRAME, NOW)
    uplink.drained(1, 0, NOW + 0.025)
    before = uplink.rate
    uplink.sent(1, FRAME, NOW + 1.0)
    uplink.drained(1, 0, NOW + 1.0 + SLOWER_FOR - STEP)
    assert uplink.rate == before > FRAME / SLOWER_FOR
    uplink.sent(1, FRAME, NOW + 2.0)
    uplink.drained(1, 0, NOW + 2.0 + SLOWER_FOR)
    assert uplink.rate < before


@pytest.mark.parametrize(("share", "raised"), [(0.6, True), (0.4, False)])
def test_what_has_gone_counts_unless_it_is_another_line_by_now(share: float, raised: bool) -> None:
    """Before a rate was measured that is lower, half a second brought more than was believed."""
    uplink = Uplink()
    uplink.rate, uplink.measured = 1_000_000.0, True
    for _ in range(12):
        uplink.sent(1, CHUNK_SIZE, NOW)
        uplink.drained(1, 0, NOW)
    went = (12 * CHUNK_SIZE - HELD) / LEAST_WHILE
    assert uplink.rate == went > 1_000_000.0
    uplink.sent(1, 4 * FRAME, NOW)
    uplink.drained(1, 0, NOW + 4 * FRAME / (share * went))
    assert (uplink.rate > 0.9 * went) == raised


def test_pauses_say_nothing() -> None:
    line = Line(Uplink(), 500_000.0)
    line.keep_busy(1, seconds=2.0)
    before = line.uplink.rate
    for _ in range(5):
        line.rest(3.0)
        line.keep_busy(1, seconds=0.3)
    assert line.uplink.rate == pytest.approx(before, rel=0.3)


def test_a_fast_line_is_found_out_though_it_is_done_at_once_each_time() -> None:
    """Whoever asks takes what is not refused, and comes back a moment later."""
    line = Line(Uplink(), 12_500_000.0)
    rates = []
    for _ in range(100):
        owed = 0
        while owed < 16 * CHUNK_SIZE and line.uplink.busy(owed, PATIENCE, line.now) is None:
            owed += CHUNK_SIZE
        line.give(1, owed)
        line.rest(0.1)
        rates.append(line.uplink.rate)
    assert line.uplink.measured
    assert rates[-1] > 4_000_000.0
    assert max(rates) <= 1.01 * line.rate


@pytest.mark.parametrize("links", [1, 4, 8, 16])
def test_what_sctp_takes_at_once_is_no_sign_of_a_fast_line(links: int) -> None:
    """Each link's takes so much, and has sent it when the next comes."""
    uplink, now = Uplink(), NOW
    for _ in range(20):
        for link in range(links):
            for _ in range(HELD // CHUNK_SIZE):
                uplink.sent(link, CHUNK_SIZE, now)
                uplink.drained(link, 0, now + STEP)
        now += max(links * HELD / FIRST_RATE, WHILE)
    assert (uplink.rate, uplink.measured) == (FIRST_RATE, False)


@pytest.mark.parametrize("links", [1, 4, 8])
def test_many_links_do_not_hide_a_fast_line(links: int) -> None:
    """Its channels take each chunk at once; whoever got one asks again a round trip later."""
    uplink, now = Uplink(), NOW
    for turn in range(200):
        for number in range(16):
            if uplink.busy(number * CHUNK_SIZE, PATIENCE, now) is None:
                link = (turn + number) % links
                uplink.sent(link, CHUNK_SIZE, now)
                uplink.drained(link, 0, now + STEP)
        now += 0.05
    assert uplink.measured
    assert uplink.rate > 4_000_000.0


def test_what_went_over_a_link_that_is_over_is_forgotten() -> None:
    """It may be dropped rather than sent; and links that come and go make no while endless."""
    uplink = Uplink()
    for link in range(100):
        for _ in range(2 * HELD // CHUNK_SIZE):
            uplink.sent(link, CHUNK_SIZE, NOW)
            uplink.drained(link, 0, NOW + STEP)
        uplink.forget(link)
    assert uplink.rate <= FIRST_RATE


def test_what_went_while_nobody_listened_says_nothing() -> None:
    uplink = Uplink()
    uplink.sent(1, 4 * FRAME, NOW)
    uplink.overslept(NOW + 2.0)
    uplink.drained(1, 2 * FRAME, NOW + 2.05)
    assert not uplink.measured
    uplink.drained(1, 0, NOW + 2.15)
    assert uplink.rate == pytest.approx(2 * FRAME / 0.1)


def test_too_few_bytes_say_nothing() -> None:
    uplink = Uplink()
    uplink.sent(1, MEASURED - 1, NOW)
    uplink.drained(1, 0, NOW + 10.0)
    assert not uplink.measured


@given(st.floats(0.0, 1e4), st.integers(MEASURED, 10**9))
def test_no_measurement_is_believed_beyond_reason(seconds: float, size: int) -> None:
    uplink = Uplink()
    uplink.sent(1, size, NOW)
    uplink.drained(1, 0, NOW + seconds)
    assert LEAST_RATE <= uplink.rate <= MOST_RATE


# What it keeps in the buffers


@pytest.mark.parametrize("rate", [125_000.0, 625_000.0, 2_500_000.0])
def test_a_line_that_is_asked_for_more_is_never_idle_for_long(rate: float) -> None:
    """Work conserving: as long as somebody waits, the line sends."""
    line = Line(Uplink(), rate)
    line.keep_busy(1, 2, seconds=2.0)
    line.idle, before, since = 0.0, line.sent, line.now
    line.keep_busy(1, 2, seconds=8.0)
    assert line.idle < 0.05 * (line.now - since)
    assert line.sent - before > 0.9 * rate * (line.now - since)


def test_buffers_hold_little_of_a_slow_line() -> None:
    line = Line(Uplink(), 40_000.0)
    line.keep_busy(1, seconds=10.0)
    line.most = 0.0
    line.keep_busy(1, seconds=5.0)
    assert line.most <= LEAST_BUFFERED + FRAME


def test_no_link_takes_all_the_room() -> None:
    uplink = Uplink()
    while uplink.has_room(1, NOW):
        uplink.sent(1, FRAME, NOW)
    assert uplink.has_room(2, NOW)
    assert not uplink.is_full(NOW)


def test_when_it_is_full_no_link_has_room() -> None:
    uplink = Uplink()
    number = 0
    while not uplink.is_full(NOW):
        assert uplink.has_room(number, NOW)
        uplink.sent(number, FRAME, NOW)
        number += 1
    assert not any(uplink.has_room(link, NOW) for link in range(number + 1))


@given(st.integers(1, 400))
def test_nothing_is_given_beyond_the_most(frames: int) -> None:
    uplink = Uplink()
    uplink.rate = MOST_RATE
    given_to = 0
    for number in range(frames):
        if uplink.has_room(number, NOW):
            uplink.sent(number, FRAME, NOW)
            given_to += FRAME
    assert given_to <= MOST_BUFFERED + FRAME


def test_a_channel_that_has_told_nothing_is_given_nothing_more() -> None:
    uplink = Uplink()
    while uplink.has_room(1, NOW):
        uplink.sent(1, FRAME, NOW)
    assert not uplink.has_room(1, NOW + STUCK / 2)
    uplink.drained(1, 0, NOW + STUCK / 2)
    assert uplink.has_room(1, NOW + STUCK / 2)


def test_there_is_room_again_when_it_says_so() -> None:
    uplink = Uplink()
    number = 0
    while uplink.has_room(number, NOW):
        uplink.sent(number, FRAME, NOW)
        number += 1
    at = uplink.room_at(NOW)
    assert at > NOW
    assert uplink.has_room(number, at)


def test_a_link_that_is_over_is_forgotten() -> None:
    uplink = Uplink()
    uplink.sent(1, FRAME, NOW)
    uplink.forget(1)
    uplink.forget(2)
    uplink.drained(1, 0, NOW + 1.0)
    assert not uplink.measured


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["sent", "drained", "forget"]),
            st.integers(1, 3),
            st.integers(0, 100_000),
            st.floats(0.0, 1.0),
        ),
        max_size=40,
    )
)
def test_the_backlog_is_never_less_than_nothing(
    said: list[tuple[str, int, int, float]],
) -> None:
    """Whatever the channels say: an answer of *busy* always names a wait within its bounds, and
    what nobody waits for is not busy in the end."""
    uplink, now = Uplink(), NOW
    for kind, link, size, pause in said:
        now += pause
        if kind == "sent":
            uplink.sent(link, size, now)
        elif kind == "drained":
            uplink.drained(link, size, now)
        else:
            uplink.forget(link)
        wait = uplink.busy(0, PATIENCE, now)
        assert wait is None or LEAST_WAIT <= wait <= MOST_WAIT
        assert uplink.room_at(now) > now
    assert uplink.busy(0, PATIENCE, now + 1e4) is None


def test_a_channel_that_never_drains_keeps_nobody_waiting_for_long() -> None:
    """Whoever closes his laptop says no good-bye; it takes half a minute to notice."""
    line = Line(Uplink(), 40_000.0)
    line.keep_busy(1, seconds=5.0)
    line.uplink.sent(2, FRAME, line.now)
    line.rest(STUCK)
    assert line.uplink.busy(0, PATIENCE, line.now) is None
    line.keep_busy(1, seconds=5.0)
    assert line.uplink.rate == pytest.approx(40_000.0, rel=0.25)


# Who has to wait


def test_who_would_wait_too_long_is_told_how_long() -> None:
    uplink = Uplink()
    enough = int(PATIENCE * FIRST_RATE)
    assert uplink.busy(enough, PATIENCE, NOW) is None
    assert uplink.busy(3 * enough, PATIENCE, NOW) == pytest.approx(2.5 * PATIENCE, rel=0.01)
    assert uplink.busy(100 * enough, PATIENCE, NOW) == MOST_WAIT


def test_those_who_are_refused_come_back_one_after_the_other() -> None:
    uplink = Uplink()
    queued = int(2 * PATIENCE * FIRST_RATE)
    turns = [uplink.busy(queued, PATIENCE, NOW + 0.01 * n) for n in range(4)]
    at = [NOW + 0.01 * n + (turn or 0.0) for n, turn in enumerate(turns)]
    apart = OVERBOOKED * CHUNK_SIZE / FIRST_RATE
    assert [b - a for a, b in pairwise(at)] == pytest.approx([apart] * 3)


def test_what_is_in_the_buffers_counts_as_well_and_goes_by_itself() -> None:
    uplink = Uplink()
    uplink.sent(1, int(2 * PATIENCE * FIRST_RATE), NOW)
    assert uplink.busy(0, PATIENCE, NOW) is not None
    assert uplink.busy(0, PATIENCE, NOW + PATIENCE * 1.01) is None


def test_who_has_less_patience_is_told_sooner() -> None:
    uplink = Uplink()
    queued = int(PATIENCE / 2 * FIRST_RATE)
    assert uplink.busy(queued, PATIENCE, NOW) is None
    assert uplink.busy(queued, PATIENCE / 4, NOW) is not None


def test_our_own_player_comes_first() -> None:
    uplink = Uplink()
    uplink.yielding = True
    assert uplink.busy(0, PATIENCE, NOW) is None
    assert uplink.busy(int(PATIENCE / 2 * FIRST_RATE), PATIENCE, NOW) is not None
