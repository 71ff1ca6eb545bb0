"""Counting bodies as they arrive."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from origin.http import meter as meter_module
from origin.http.meter import FAREWELL, PATIENCE, Flow, Meter
from origin.http.tcp import OpenTcp, Tcp
from p2pcdn.core.firsts import Place
from tests.origin.conftest import Totals
from tests.origin.waiting import until


class FakeTcp:
    """A connection whose other end acknowledges what it is told to."""

    def __init__(self, header: int = 0) -> None:
        self.acked = header
        self.queued = 0
        self.over = False
        self.is_left = False
        self.closed = False

    def acknowledged(self) -> int:
        return self.acked

    def under_way(self) -> int:
        return self.queued

    def is_over(self) -> bool:
        return self.over

    def close(self) -> None:
        self.closed = True


class Counted:
    def __init__(self, tcp: FakeTcp | None) -> None:
        self.bytes = 0
        self.flow = Flow(cast("Tcp | None", tcp), self.add)

    def add(self, size: int) -> None:
        assert size > 0
        self.bytes += size


def test_counts_what_is_acknowledged() -> None:
    tcp = FakeTcp()
    counted = Counted(tcp)
    counted.flow.handed(1000)
    assert not counted.flow.settle(0.0)
    assert counted.bytes == 0
    tcp.acked = 400
    assert not counted.flow.settle(1.0)
    assert counted.bytes == 400
    tcp.acked = 1000
    assert not counted.flow.settle(2.0)  # more may be handed over
    counted.flow.finish(2.0)
    assert counted.flow.settle(2.0)
    assert counted.bytes == 1000


def test_the_body_begins_after_what_was_sent_before() -> None:
    tcp = FakeTcp(header=5000)
    tcp.queued = 300  # this answer's header
    counted = Counted(tcp)
    counted.flow.handed(1000)
    tcp.acked = 5300
    counted.flow.settle(0.0)
    assert counted.bytes == 0
    tcp.acked = 5310
    counted.flow.settle(0.0)
    assert counted.bytes == 10


def test_what_comes_after_the_body_is_not_counted() -> None:
    tcp = FakeTcp()
    counted = Counted(tcp)
    counted.flow.handed(1000)
    counted.flow.finish(0.0)
    tcp.acked = 5000
    assert counted.flow.settle(0.0)
    assert counted.bytes == 1000


def test_what_never_arrives_is_never_counted() -> None:
    tcp = FakeTcp()
    counted = Counted(tcp)
    counted.flow.handed(1000)
    counted.flow.finish(0.0)
    tcp.acked = 10
    assert not counted.flow.settle(1.0)
    tcp.over = True
    assert counted.flow.settle(2.0)
    assert counted.bytes == 10


def test_patience_ends() -> None:
    counted = Counted(FakeTcp())
    counted.flow.handed(1000)
    counted.flow.finish(5.0)
    assert not counted.flow.settle(4.9 + PATIENCE)
    assert counted.flow.settle(5.0 + PATIENCE)
    assert counted.bytes == 0


def test_patience_is_short_once_the_connection_was_closed_here() -> None:
    tcp = FakeTcp()
    counted = Counted(tcp)
    counted.flow.handed(1000)
    counted.flow.finish(5.0)
    assert not counted.flow.settle(10.0)
    tcp.is_left = True
    assert not counted.flow.settle(20.0)
    tcp.acked = 10
    assert not counted.flow.settle(19.9 + FAREWELL)
    assert counted.flow.settle(20.0 + FAREWELL)
    assert counted.bytes == 10


def test_without_a_kernel_that_tells_what_is_written_counts() -> None:
    counted = Counted(None)
    counted.flow.handed(1000)
    assert not counted.flow.settle(0.0)
    assert counted.bytes == 1000
    counted.flow.finish(0.0)
    assert counted.flow.settle(0.0)


class Connections:
    """Gives the meter fake connections."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[FakeTcp] = []
        monkeypatch.setattr(meter_module, "figures_of", self.make)

    def make(self, transport: object) -> FakeTcp:
        self.made.append(FakeTcp())
        return self.made[-1]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    return Connections(monkeypatch)


NOWHERE = cast("asyncio.WriteTransport", None)


async def test_looks_again_until_all_has_arrived(connections: Connections) -> None:
    totals = Totals()
    meter = Meter(totals)
    media, overhead = meter.begin(NOWHERE, "media"), meter.begin(NOWHERE, "overhead")
    media.handed(1000)
    overhead.handed(70)
    meter.end(media)
    meter.end(overhead)
    first, second = connections.made
    first.acked, second.acked = 600, 70
    await until(lambda: (totals.media, totals.overhead) == (600, 70))
    assert second.closed
    assert not first.closed
    first.acked = 1000
    await until(lambda: first.closed)
    assert totals.media == 1000


async def test_tells_of_a_long_body_before_its_end(connections: Connections) -> None:
    totals = Totals()
    meter = Meter(totals)
    meter.begin(NOWHERE, "media").handed(1000)
    connections.made[0].acked = 600
    await until(lambda: totals.media == 600)
    meter.close()


async def test_tells_where_each_byte_stands(connections: Connections) -> None:
    totals = Totals()
    meter = Meter(totals)
    meter.begin(NOWHERE, "media", "c", Place("file", 500)).handed(1000)
    for acked in (600, 1000):
        connections.made[0].acked = acked
        await until(lambda acked=acked: totals.media == acked)  # type: ignore[misc]
    assert totals.places == [(Place("file", 500), 600), (Place("file", 1100), 400)]
    meter.close()


async def test_several_bodies_on_a_connection_that_is_known() -> None:
    class Known(FakeTcp):
        users = 0

        def use(self) -> None:
            self.users += 1

        def close(self) -> None:
            self.users -= 1

    totals, tcp = Totals(), Known()
    meter = Meter(totals)
    flows = [meter.begin_on(cast(OpenTcp, tcp), start, "media", "c", None) for start in (100, 1200)]
    for flow in flows:
        flow.handed(1000)
        meter.finish(flow)
    assert tcp.users == 2
    tcp.acked = 1150
    await until(lambda: tcp.users == 1)
    assert totals.media == 1000
    tcp.acked = 2200
    await until(lambda: tcp.users == 0)
    assert totals.contents == {"c": 2000}


async def test_closing_counts_what_is_known_and_lets_go(connections: Connections) -> None:
    totals = Totals()
    meter = Meter(totals)
    meter.begin(NOWHERE, "media").handed(1000)
    connections.made[0].acked = 10
    meter.close()
    assert totals.media == 10
    assert connections.made[0].closed


def test_short_answers_are_counted_at_once() -> None:
    totals = Totals()
    Meter(totals).overhead(99)
    assert (totals.media, totals.overhead) == (0, 99)
