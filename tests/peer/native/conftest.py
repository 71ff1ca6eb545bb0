"""A real origin and a real tracker in this process, and something to fetch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from p2pcdn.config import TrackerConfig
from tests.peer.native.hosting import Site, hosted, write_show


@pytest.fixture(autouse=True)
def fast_uplinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What peers begin with is the uplink of a home, and loopback may take what is sent too soon
    for it ever to be measured: then all that goes over a link would take its time."""
    monkeypatch.setattr("p2pcdn.core.uplink.FIRST_RATE", 10_000_000.0)


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    write_show(folder / "show")
    (folder / "movie.bin").write_bytes(Random("movie").randbytes(9_000_000))
    return folder


@pytest.fixture
async def site(content: Path, tmp_path: Path) -> AsyncIterator[Site]:
    async with hosted(content, tmp_path / "data", TrackerConfig(report_every=1)) as running:
        yield running
