"""Small loads, with the code of the large ones: everything that is said arrives."""

from __future__ import annotations

import os

from bench.tracker import announces, inside, viewers
from bench.tracker.announces import DESCRIPTION, OFFERS, description
from bench.tracker.process import Server
from bench.tracker.sockets import percentiles, source
from p2pcdn.config import WebTorrentConfig
from tests.tracker.rig import rig


async def test_offers_are_answered_and_each_message_is_counted_once() -> None:
    async with rig(webtorrent=WebTorrentConfig(origins=("*",))) as tracker:
        here = Server("p2pcdn", tracker.server.port, os.getpid())
        result = await announces.measure(here, active=8, idle=2, rate=20, seconds=1.0, warm=0.5)
        assert result.lost == 0
        assert result.delivered > 0
        assert result.expected == 20 * (1 + 2 * OFFERS)
        assert result.delivered <= 1.5 * result.expected
        assert 0 < result.p50 <= result.p99
        assert result.cpu > 0


async def test_viewers_come_in_link_and_report() -> None:
    async with rig() as tracker:
        here = Server("p2pcdn", tracker.server.port, os.getpid())
        cost = await viewers.measure(here, viewers=6, within=0.2, seconds=0.5, settle=0.5)
        assert cost.linked > 0
        assert cost.a_core(3600) > cost.a_core(60) > 0
        assert tracker.ledger.summary().viewers == 6


async def test_all_that_is_said_is_heard_where_there_is_no_network() -> None:
    assert all(took > 0 for took in await inside.measure(60, lambda: None, rounds=1))


def test_a_description_is_as_long_as_browsers_make_them() -> None:
    assert DESCRIPTION - 20 < len(description("offer")) <= DESCRIPTION


def test_each_socket_is_of_a_network_of_its_own() -> None:
    assert len({source(number).rpartition(".")[0] for number in range(10_000)}) == 10_000


def test_percentiles() -> None:
    assert percentiles([]) == (0.0, 0.0)
    half, most = percentiles([number / 1000 for number in range(1, 101)])
    assert (round(half), round(most)) == (50, 100)
