"""The benchmark of native peers' links measures what it says it does."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from random import Random

import pytest

from bench.native import __main__ as program
from bench.native import ours, peers
from bench.native.__main__ import Case, Figures, _row, measure
from bench.native.process import Kind
from bench.native.whole import Whole
from p2pcdn.config import TrackerConfig
from p2pcdn.core.ports import LinkClosed
from peer.native.transport.choice import transport_of
from tests.peer.native.hosting import hosted


@pytest.mark.parametrize("kind", ["bare", "ours"])
async def test_bytes_go_from_one_process_to_another(
    monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setattr(program, "WARM_UP", 0.1)
    case = Case("aiortc", "native", 2)
    figures = await measure(case, kind, 2.0, sys.executable, None)
    assert figures.rate > 0
    assert figures.cost > 0


def test_a_row_has_the_medians_and_the_ratios_of_the_rounds() -> None:
    bare = [Figures(10e6, 20e-9), Figures(20e6, 30e-9), Figures(12e6, 10e-9)]
    ours = [Figures(9e6, 20e-9), Figures(22e6, 33e-9), Figures(6e6, 20e-9)]
    assert _row(Case("fast", "to", 4), bare, ours) == (
        "| fast | native | Chromium | 4 | 12.0 | 9.0 | 0.90 | 20 | 20 | 1.10 |"
    )


def test_a_row_of_whole_peers_has_the_medians() -> None:
    runs = [
        peers.Figures(10e6, 20e-9, 30e-9, 1.0),
        peers.Figures(12e6, 30e-9, 20e-9, 0.5),
        peers.Figures(20e6, 10e-9, 40e-9, 1.0),
    ]
    assert peers.row("fast", runs) == "| fast | 12.0 | 20 | 30 | 1.00 |"


async def test_a_whole_peer_takes_all_from_the_other_one(tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.mkdir()
    (content / "film.bin").write_bytes(Random(3).randbytes(3_000_000))
    async with hosted(content, tmp_path / "data", TrackerConfig()) as site:
        holds, takes = Whole("aiortc"), Whole("aiortc")
        await holds.hold(site.media("film.bin"))
        size, brought, took = await takes.fetch(site.media("film.bin"))
        await asyncio.gather(holds.close(), takes.close())
    assert (size, brought) == (3_000_000, 3_000_000)
    assert took > 0


async def test_a_link_that_does_not_come_about_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "OPEN_WITHIN", 0.01)
    end = ours.Ours(transport_of("aiortc"))
    await end.offers(2)
    with pytest.raises(RuntimeError, match=r"links \[0, 1\] were not up within 0.01 s"):
        await end.opened()
    end._feed(LinkClosed(1, "failed"))
    with pytest.raises(RuntimeError, match="link 1 is over: failed; 0 of 2 had been up"):
        await end.opened()
    await end.close()
