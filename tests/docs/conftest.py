"""The stage: some media, a server, and somebody who reads the how-tos."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.docs.blocks import block
from tests.docs.here import Here
from tests.e2e.servers import PROGRAM, Command, ready, run
from tests.origin.preparing.films import film
from tests.peer.native.hosting import write_show


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``videos``, in which there is a show of random bytes, and with a film."""
    folder = tmp_path_factory.mktemp("media")
    write_show(folder / "videos/show")
    film(folder / "movie.mp4")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(media: Path) -> AsyncIterator[Command]:
    """`p2pcdn serve`, as the how-to of edge peers has it, for all who want no more."""
    file = Here(media, {}).file(block("how-to/edge-peers.md:1"))
    # Everywhere, so that it wants the token.
    words = ("serve", "--listen", "0.0.0.0:0", "--content", str(media / "videos"))
    data = ("--data", str(media / "data"))
    async with run(*PROGRAM, *words, *data, "--config", str(file)) as running:
        await running.printed("Dashboard  ")
        (port,) = re.findall(r"Dashboard +http://localhost:(\d+)", running.text)
        running.url = f"http://127.0.0.1:{port}"
        await ready(running)
        yield running


@pytest.fixture
def here(tmp_path: Path, media: Path, server: Command) -> Here:
    """Where somebody reads the how-tos."""
    names = {
        "https://cdn.example.com": server.url,
        "https://cdn.example/films/": f"{server.url}/media/",
        "https://cdn.example": server.url,
        "https://media.example.com": server.url,
        "http://10.0.5.7:8080/hls/": f"{server.url}/media/",
        "10.0.5.7/32": "127.0.0.1/32",
        "/srv/videos": str(media / "videos"),
        "/srv/media": str(media / "videos"),
        "--content videos": f"--content {media / 'videos'}",
        "/srv/p2pcdn/admin-token": str(media / "data/admin-token"),
    }
    return Here(tmp_path, names)
