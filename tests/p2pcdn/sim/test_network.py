"""Lines and links: bytes take the time that they should, in the order that they should."""

from __future__ import annotations

from random import Random

import pytest

from p2pcdn.sim.clock import Clock
from p2pcdn.sim.network import End, Line, Nat, Place, Queue, can_connect, groups
from p2pcdn.wire.chunk import HEADER_BYTES, Frame, frames_of

HERE, THERE = Place(0.0, 0.0, 5.0), Place(30.0, 40.0, 15.0)
RATE = 1_000_000.0
CHUNK = bytes(65_536)


class Pair:
    """Two ends of a link, and what happens at each."""

    def __init__(self, up: float = RATE, down: float = 100 * RATE, loss: float = 0.0) -> None:
        self.clock = Clock()
        self.a, self.b = (
            End(self.clock, viewer, 1, Line(up, down, place), Random(1))
            for viewer, place in enumerate((HERE, THERE))
        )
        self.b.join(self.a, loss)
        self.came: list[tuple[float, list[Frame]]] = []
        self.heard: list[tuple[float, object]] = []
        self.drained: list[tuple[float, int]] = []
        self.b.on_frames = lambda _, frames: self.came.append((self.clock.now, frames))
        self.b.on_message = lambda _, message: self.heard.append((self.clock.now, message))
        self.a.on_drained = lambda _, buffered: self.drained.append((self.clock.now, buffered))


def test_the_way_depends_on_where_both_are() -> None:
    assert HERE.rtt(THERE) == THERE.rtt(HERE) == pytest.approx(0.070)


@pytest.mark.parametrize(
    ("a", "b", "can"),
    [
        (Nat.OPEN, Nat.OPEN, True),
        (Nat.OPEN, Nat.SYMMETRIC, True),
        (Nat.CONE, Nat.CONE, True),
        (Nat.CONE, Nat.SYMMETRIC, False),
        (Nat.SYMMETRIC, Nat.SYMMETRIC, False),
        (Nat.BLOCKED, Nat.OPEN, False),
    ],
)
def test_who_can_connect(a: Nat, b: Nat, can: bool) -> None:
    assert can_connect(a, b) is can_connect(b, a) is can


def test_a_queue_serves_one_after_the_other() -> None:
    queue = Queue(100.0)
    assert queue.take(50, 1.0) == 1.5
    assert queue.take(50, 1.0) == 2.0
    assert queue.backlog(1.5) == 0.5
    assert queue.take(50, 10.0) == 10.5
    assert queue.backlog(20.0) == 0.0


def test_a_stream_has_passed_when_its_last_byte_has_come() -> None:
    queue = Queue(100.0)
    assert queue.take_stream(50, 10.0) == 10.0
    assert queue.take_stream(50, 10.0) == 10.5
    assert queue.take_turn(50, others=0, now=10.0) == 10.5
    assert queue.take_turn(50, others=9, now=10.0) == 11.5


def test_a_chunk_arrives_at_once_when_its_last_frame_does() -> None:
    pair = Pair()
    pair.a.carry(list(frames_of(7, CHUNK)))
    pair.clock.run(1.0)
    [(at, frames)] = pair.came
    assert [frame.offset for frame in frames] == [0, 16_384, 32_768, 49_152]
    assert at == pytest.approx((65_536 + 4 * HEADER_BYTES) / RATE + 0.035)
    assert pair.a.carried == 65_536


def test_what_takes_long_arrives_frame_by_frame() -> None:
    pair = Pair(up=50_000.0)
    pair.a.carry(list(frames_of(7, CHUNK)))
    pair.clock.run(9.0)
    assert [len(frames) for _, frames in pair.came] == [1, 1, 1, 1]


def test_frames_of_other_chunks_make_groups_of_their_own() -> None:
    frames = [*frames_of(1, CHUNK), *frames_of(2, CHUNK)]
    assert [[f.want for f in group] for group in groups(frames, 1e9)] == [[1] * 4, [2] * 4]


def test_a_full_downlink_delays() -> None:
    pair = Pair(up=100 * RATE, down=RATE)
    for want in range(4):
        pair.a.carry(list(frames_of(want, CHUNK)))
    pair.clock.run(9.0)
    times = [at for at, _ in pair.came]
    assert times[-1] - times[0] == pytest.approx(3 * 65_536 / RATE, rel=0.01)


def test_a_lost_packet_is_waited_for() -> None:
    pair = Pair(loss=1.0)
    pair.a.carry(list(frames_of(7, CHUNK)))
    pair.clock.run(9.0)
    assert pair.came[0][0] > 0.3


def test_half_of_what_was_put_in_has_gone() -> None:
    pair = Pair()
    pair.a.carry(list(frames_of(7, CHUNK)))
    pair.clock.run(1.0)
    [(at, buffered)] = pair.drained
    assert at == pytest.approx(0.0328, abs=0.0005)
    assert buffered == pytest.approx(32_768, abs=100)


def test_the_mark_follows_what_is_put_in_later() -> None:
    pair = Pair()
    pair.a.carry(list(frames_of(7, CHUNK)))
    pair.clock.after(0.03, pair.a.carry, list(frames_of(8, CHUNK)))
    pair.clock.run(1.0)
    [(at, buffered)] = pair.drained
    assert buffered == pytest.approx((2 * 65_536 - 30_000) / 2, rel=0.01)
    assert at == pytest.approx(0.03 + buffered / RATE, rel=0.01)


def test_control_messages_keep_their_order_and_overtake_media() -> None:
    pair = Pair()
    for want in range(10):
        pair.a.carry(list(frames_of(want, CHUNK)))
    pair.a.say("first")
    pair.a.say("second")
    pair.clock.run(0.1)
    assert [message for _, message in pair.heard] == ["first", "second"]
    pair.clock.run(9.0)
    assert len(pair.came) == 10


def test_nothing_arrives_at_a_closed_end() -> None:
    pair = Pair()
    pair.a.carry(list(frames_of(7, CHUNK)))
    pair.a.say("too late")
    pair.b.close()
    pair.a.close()
    pair.clock.run(9.0)
    assert (pair.came, pair.heard, pair.drained) == ([], [], [])


def test_what_is_in_the_buffer_of_a_closed_end_takes_no_time_of_others() -> None:
    pair = Pair()
    pair.a.carry(list(frames_of(7, CHUNK)))
    pair.clock.run(0.03)
    pair.a.close()
    assert pair.a.carried == pytest.approx(30_000, abs=100)
    assert pair.a.line.up.backlog(0.03) < 0.001


def test_what_has_no_other_end_goes_nowhere() -> None:
    clock = Clock()
    end = End(clock, 0, 1, Line(RATE, RATE, HERE), Random(1))
    end.carry(list(frames_of(7, CHUNK)))
    end.say("anybody?")
    assert clock.happened == 0
    assert end.carried == 0


def test_between_networks_the_way_is_longer() -> None:
    pair = Pair()
    near = pair.a.rtt
    pair.b.join(pair.a, 0.0, 0.040)
    assert pair.a.rtt == pair.b.rtt == pytest.approx(near + 0.040)


def test_all_that_leaves_a_network_takes_turns_at_its_exit() -> None:
    pair = Pair()
    way = Queue(RATE / 4)
    pair.a.leave_by(way)
    way.take(RATE / 8, 0.0)  # others have put in as much as takes half a second
    pair.a.carry(list(frames_of(0, CHUNK)))
    pair.clock.run(5.0)
    first_leaves = (len(CHUNK) + 4 * HEADER_BYTES) / RATE
    [(came, _)] = pair.came
    assert came == pytest.approx(0.5 + len(CHUNK) / (RATE / 4) + pair.a.rtt / 2, abs=first_leaves)
    assert came > 0.5 + len(CHUNK) / (RATE / 4)
