"""`p2pcdn tracker`: the tracker and the dashboard, and no media."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.p2pcdn.cli.calling import serving
from tests.tracker.rig import Client


async def test_it_welcomes_peers_where_it_says(tmp_path: Path) -> None:
    with serving("tracker", "--data", str(tmp_path)) as command:
        command.read("Dashboard")
        url = command.lines["Tracker"]
        assert url.startswith("ws://127.0.0.1:")
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            message = await socket.receive(timeout=20)
            assert json.loads(message.data)["type"] == "welcome"
        assert command.stop() == 0


@pytest.mark.parametrize("by_signal", [False, True], ids=["by itself", "on SIGHUP"])
async def test_a_site_can_be_switched_off_while_it_runs(tmp_path: Path, by_signal: bool) -> None:
    file = tmp_path / "p2pcdn.toml"
    file.write_text("[sites.pk_demo]")
    with serving("tracker", "--config", str(file), "--data", str(tmp_path)) as command:
        command.read("Dashboard")
        url = command.lines["Tracker"]
        async with aiohttp.ClientSession() as session:
            viewer = await Client(await session.ws_connect(url)).join()
            file.write_text("[sites.pk_demo]\nenabled = false")
            if by_signal:
                os.kill(command.process.pid, signal.SIGHUP)
            # A client waits five seconds for each word, and no longer.
            assert (await viewer.last_words())[0] == "site_off"
        assert command.stop() == 0
