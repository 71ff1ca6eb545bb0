"""Counting bodies as they arrive."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

import pytest
from prometheus_client import REGISTRY

from origin.http import meter as meter_module
from origin.http.meter import FAREWELL, PATIENCE, Flow, Meter
from origin.http.tcp import OpenTcp
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
        self.looks = 0

    def written(self) -> int:
        return self.acked + self.queued

    def look(self) -> tuple[int, bool]:
        self.looks += 1
        return self.acked, self.over

    def use(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class Connections:
    """Gives the meter fake connections."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[FakeTcp | None] = []
        self.next: list[FakeTcp | None] = []
        monkeypatch.setattr(meter_module, "figures_of", self.make)

    def all(self) -> list[FakeTcp]:
        return [tcp for tcp in self.made if tcp is not None]

    def make(self, transport: object) -> FakeTcp | None:
        self.made.append(self.next.pop(0) if self.next else FakeTcp())
        return self.made[-1]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    return Connections(monkeypatch)


NOWHERE = cast("asyncio.WriteTransport", None)


class Counted:
    """A body of media, and what is counted of it, at times that the test says."""

    def __init__(self, connections: Connections, tcp: FakeTcp | None) -> None:
        connections.next = [tcp]
        self.totals = Totals()
        self.meter = Meter(self.totals)
        self.meter._wind = lambda: None  # type: ignore[method-assign]
        self.flow = self.meter.begin(NOWHERE, "media")

    @property
    def bytes(self) -> int:
        return self.totals.media

    def settle(self, now: float) -> bool:
        """Whether that was all there will be."""
        self.meter._settle(self.flow.tcp, now)
        return not self.meter._flows


def test_counts_what_is_acknowledged(connections: Connections) -> None:
    tcp = FakeTcp()
    counted = Counted(connections, tcp)
    counted.flow.handed(1000)
    assert not counted.settle(0.0)
    assert counted.bytes == 0
    tcp.acked = 400
    assert not counted.settle(1.0)
    assert counted.bytes == 400
    tcp.acked = 1000
    assert not counted.settle(2.0)  # more may be handed over
    counted.flow.finish()
    assert counted.settle(2.0)
    assert counted.bytes == 1000


def test_the_body_begins_after_what_was_sent_before(connections: Connections) -> None:
    tcp = FakeTcp(header=5000)
    tcp.queued = 300  # this answer's header
    counted = Counted(connections, tcp)
    counted.flow.handed(1000)
    tcp.acked = 5300
    counted.settle(0.0)
    assert counted.bytes == 0
    tcp.acked = 5310
    counted.settle(0.0)
    assert counted.bytes == 10


def test_what_comes_after_the_body_is_not_counted(connections: Connections) -> None:
    tcp = FakeTcp()
    counted = Counted(connections, tcp)
    counted.flow.handed(1000)
    counted.flow.finish()
    tcp.acked = 5000
    assert counted.settle(0.0)
    assert counted.bytes == 1000


def test_what_never_arrives_is_never_counted(connections: Connections) -> None:
    tcp = FakeTcp()
    counted = Counted(connections, tcp)
    counted.flow.handed(1000)
    counted.flow.finish()
    tcp.acked = 10
    assert not counted.settle(1.0)
    tcp.over = True
    assert counted.settle(2.0)
    assert counted.bytes == 10


def test_on_a_connection_that_was_left_all_bodies_have_one_farewell(
    connections: Connections,
) -> None:
    tcp = FakeTcp()
    counted = Counted(connections, tcp)
    for number in range(5):
        if number:
            counted.meter._flows[cast("OpenTcp", tcp)].append(
                Flow(cast("OpenTcp", tcp), number * 1000, "media", "", None)
            )
        flow = counted.meter._flows[cast("OpenTcp", tcp)][-1]
        flow.handed(1000)
        flow.finish()
    tcp.is_left = True
    assert not counted.settle(1.0)
    assert not counted.settle(1.0 + FAREWELL - 0.01)
    assert counted.settle(1.0 + FAREWELL)


def test_what_is_not_handed_over_yet_is_waited_for(connections: Connections) -> None:
    tcp = FakeTcp()
    tcp.over = True
    counted = Counted(connections, tcp)
    assert not counted.settle(0.0)
    counted.flow.finish()
    assert counted.settle(0.0)


def test_patience_ends(connections: Connections) -> None:
    counted = Counted(connections, FakeTcp())
    counted.flow.handed(1000)
    counted.flow.finish()
    assert not counted.settle(5.0)
    assert not counted.settle(4.9 + PATIENCE)
    assert counted.settle(5.0 + PATIENCE)
    assert counted.bytes == 0


def test_patience_is_short_once_the_connection_was_closed_here(connections: Connections) -> None:
    tcp = FakeTcp()
    counted = Counted(connections, tcp)
    counted.flow.handed(1000)
    counted.flow.finish()
    assert not counted.settle(10.0)
    tcp.is_left = True
    assert not counted.settle(20.0)
    tcp.acked = 10
    assert not counted.settle(19.9 + FAREWELL)
    assert counted.settle(20.0 + FAREWELL)
    assert counted.bytes == 10


def test_without_a_kernel_that_tells_what_is_written_counts(connections: Connections) -> None:
    counted = Counted(connections, None)
    counted.flow.handed(1000)
    assert not counted.settle(0.0)
    assert counted.bytes == 1000
    counted.flow.finish()
    assert counted.settle(0.0)


async def test_looks_again_until_all_has_arrived(connections: Connections) -> None:
    totals = Totals()
    meter = Meter(totals)
    media, overhead = meter.begin(NOWHERE, "media"), meter.begin(NOWHERE, "overhead")
    media.handed(1000)
    overhead.handed(70)
    meter.end(media)
    meter.end(overhead)
    first, second = connections.all()
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
    connections.all()[0].acked = 600
    await until(lambda: totals.media == 600)
    meter.close()


async def test_tells_where_each_byte_stands(connections: Connections) -> None:
    totals = Totals()
    meter = Meter(totals)
    meter.begin(NOWHERE, "media", "c", Place("file", 500)).handed(1000)
    for acked in (600, 1000):
        connections.all()[0].acked = acked
        await until(lambda acked=acked: totals.media == acked)  # type: ignore[misc]
    assert totals.places == [(Place("file", 500), 600), (Place("file", 1100), 400)]
    meter.close()


async def test_one_look_tells_of_all_bodies_on_a_connection() -> None:
    class Known(FakeTcp):
        users = 0

        def use(self) -> None:
            self.users += 1

        def close(self) -> None:
            self.users -= 1

    totals, tcp = Totals(), Known()
    meter = Meter(totals)
    known = cast(OpenTcp, tcp)
    flows = [meter.begin_on(known, start, "media", "c", None) for start in (100, 1200, 2300)]
    for flow in flows[:2]:
        flow.handed(1000)
        flow.finish()
    tcp.acked = 1150
    await until(lambda: totals.media == 1000)
    tcp.acked, tcp.looks = 2200, 0
    await until(lambda: totals.media == 2000)
    assert tcp.looks == tcp.users == 1
    flows[2].handed(50)
    flows[2].finish()
    tcp.acked = 2350
    await until(lambda: tcp.users == 0)
    assert totals.contents == {"c": 2050}
    assert not meter._flows


async def test_what_is_given_up_does_not_keep_what_follows_it() -> None:
    totals, tcp = Totals(), FakeTcp()
    meter = Meter(totals)
    first, second = (
        meter.begin_on(cast(OpenTcp, tcp), start, "media", "c", None) for start in (0, 1000)
    )
    first.handed(1000)
    first.finish()
    tcp.acked, tcp.over = 400, True
    await until(lambda: totals.media == 400)
    assert list(meter._flows.values()) == [deque((second,))]
    second.handed(1)
    second.finish()
    await until(lambda: tcp.closed)
    assert totals.media == 400


def sent_media() -> float:
    return REGISTRY.get_sample_value("p2pcdn_origin_sent_bytes_total", {"account": "media"}) or 0


async def test_the_figures_are_those_of_the_ledger(connections: Connections) -> None:
    before, meter = sent_media(), Meter(Totals())
    flow = meter.begin(NOWHERE, "media")
    flow.handed(1000)
    connections.all()[0].acked = 300
    await until(lambda: sent_media() == before + 300)
    connections.all()[0].acked = 1000
    meter.end(flow)
    assert sent_media() == before + 1000
    meter.told(5, "", None)
    meter.begin(NOWHERE, "media").handed(7)
    connections.all()[1].acked = 7
    meter.close()
    assert sent_media() == before + 1012
    meter.end(flow)  # too late, but no harm


async def test_closing_counts_what_is_known_and_lets_go(connections: Connections) -> None:
    totals = Totals()
    meter = Meter(totals)
    meter.begin(NOWHERE, "media").handed(1000)
    connections.all()[0].acked = 10
    meter.close()
    assert totals.media == 10
    assert connections.all()[0].closed


def test_short_answers_are_counted_at_once() -> None:
    totals = Totals()
    Meter(totals).overhead(99)
    assert (totals.media, totals.overhead) == (0, 99)
