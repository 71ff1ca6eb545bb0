"""`p2pcdn tracker`: the tracker and the dashboard, and no media."""

from __future__ import annotations

import json

import aiohttp

from tests.p2pcdn.cli.calling import serving


async def test_it_welcomes_peers_where_it_says() -> None:
    with serving("tracker") as command:
        command.read("Dashboard")
        url = command.lines["Tracker"]
        assert url.startswith("ws://127.0.0.1:")
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            message = await socket.receive(timeout=20)
            assert json.loads(message.data)["type"] == "welcome"
        assert command.stop() == 0
