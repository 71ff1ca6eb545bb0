"""A viewer's way to the origin: how long it takes, and what it does to it."""

from __future__ import annotations

from random import Random

import pytest

from p2pcdn.sim.clock import Clock
from p2pcdn.sim.http import FIRST_WINDOW, Http, Request
from p2pcdn.sim.network import Line, Place
from p2pcdn.sim.weather import Weather

RATE = 2_000_000.0
SEGMENT = 2_000_000
RTT = 0.05


class Way:
    """One viewer's HTTP, and what came of his requests."""

    def __init__(self, rate: float = RATE, loss: float = 0.0, bad: float = 0.0) -> None:
        self.clock = Clock()
        self.line = Line(RATE, 4 * RATE, Place(0.0, 0.0, 25.0))
        self.weather = Weather(5.0, bad, 0.1, 1.0, Random(3))
        origin = Place(0.0, 0.0, 25.0)
        self.http = Http(
            self.clock, self.line, origin, rate, loss, self.weather, Random(1)
        )  # fmt: skip
        self.done: list[tuple[float, Request]] = []
        self.pieces: list[int] = []

    def get(self, size: int = SEGMENT, start: int = 0) -> Request:
        return self.http.get(start, start + size - 1, self._done, self.pieces.append)

    def _done(self, request: Request) -> None:
        self.done.append((self.clock.now, request))


def test_the_first_answer_takes_a_handshake_longer() -> None:
    way = Way()
    way.get(100)
    way.clock.run(5.0)
    way.get(100)
    way.clock.run(10.0)
    first, second = (request.ttfb for _, request in way.done)
    assert 3 * RTT < first < 3 * RTT + 0.1
    assert RTT < second < RTT + 0.1


def test_a_segment_comes_slowly_first_and_then_as_fast_as_the_rate() -> None:
    way = Way()
    way.get()
    way.clock.run(20.0)
    ((at, request),) = way.done
    assert sum(way.pieces) == SEGMENT
    assert way.pieces[0] == FIRST_WINDOW
    slow_start = at - request.ttfb - SEGMENT / RATE
    assert 2 * RTT < slow_start < 8 * RTT
    way.get()
    way.clock.run(40.0)
    at, request = way.done[1]
    assert at - 20.0 - request.ttfb == pytest.approx(SEGMENT / RATE, rel=0.05)


def test_pieces_end_where_chunks_do() -> None:
    way = Way()
    way.get()
    way.clock.run(20.0)
    ends, at = set(), 0
    for size in way.pieces:
        at += size
        ends.add(at)
    assert set(range(65_536, SEGMENT, 65_536)) <= ends


def test_requests_share_the_line() -> None:
    way = Way(rate=100 * RATE)
    way.get()
    way.get()
    way.clock.run(20.0)
    one, other = (at for at, _ in way.done)
    assert abs(one - other) < 0.1
    assert max(one, other) > 2 * SEGMENT / (4 * RATE)


def test_what_is_aborted_comes_no_further() -> None:
    way = Way()
    request = way.get()
    way.clock.run(0.5)
    way.http.abort(request)
    before = sum(way.pieces)
    way.clock.run(20.0)
    assert before <= sum(way.pieces) <= before + 65_536
    assert way.done == []


def test_nothing_comes_when_the_viewer_has_gone() -> None:
    way = Way()
    way.get()
    way.clock.run(0.5)
    way.http.close()
    before = list(way.pieces)
    way.clock.run(20.0)
    assert way.pieces == before
    assert way.done == []


def test_an_outage_is_waited_for() -> None:
    way = Way(bad=5.0)
    out = next(at / 10 for at in range(10_000) if way.weather.factor(at / 10) == 0.0)
    way.clock.run(out)
    way.get(100)
    way.clock.run(out + 60.0)
    assert way.done[0][0] > way.weather.clears_at(out) + 3 * RTT


def test_losses_cost_time() -> None:
    spared, lossy = Way(), Way(loss=0.2)
    for way in (spared, lossy):
        way.get()
        way.clock.run(60.0)
    assert lossy.done[0][0] > spared.done[0][0] + 0.5
