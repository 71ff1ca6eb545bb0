"""A running origin for tests that are not asynchronous."""

from __future__ import annotations

import asyncio
import threading

from origin.app import Origin
from p2pcdn.config import Config
from p2pcdn.service import Server
from tests.origin.conftest import Totals


class Background:
    """An origin on a loop of its own thread."""

    def __init__(self, config: Config) -> None:
        self.totals = Totals()
        self.server = Server([Origin(config, self.totals)], host="127.0.0.1", port=0)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self.loop).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
