"""A real origin and a real tracker in this process, and something to fetch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from origin.app import Origin
from p2pcdn.config import Config, TrackerConfig
from p2pcdn.core.ledger import Ledger
from p2pcdn.service import Server
from tests.peer.native.hosting import Site, write_show
from tracker.app import Tracker


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    write_show(folder / "show")
    (folder / "movie.bin").write_bytes(Random("movie").randbytes(9_000_000))
    return folder


@pytest.fixture
async def site(content: Path, tmp_path: Path) -> AsyncIterator[Site]:
    config = Config(
        listen="127.0.0.1:0",
        content=content,
        data=tmp_path / "data",
        tracker=TrackerConfig(report_every=1),
    )
    ledger = Ledger()
    origin, tracker = Origin(config, ledger), Tracker(config, ledger)
    server = Server.of(config, [origin, tracker])
    async with server:
        yield Site(server, origin, tracker, ledger, content)
