"""A store in memory (fakeredis), which several nodes share and which can be away."""

from __future__ import annotations

from fakeredis import FakeAsyncRedis, FakeServer

from tracker.nodes.store import Batch, Store, StoreError


class Shared:
    """The server; `store` gives one more connection."""

    def __init__(self) -> None:
        self.server = FakeServer()

    def store(self) -> Store:
        return Store("", FakeAsyncRedis(server=self.server))

    @property
    def away(self) -> bool:
        return not self.server.connected

    @away.setter
    def away(self, away: bool) -> None:
        self.server.connected = not away

    async def ask(self, *command: str | bytes | int) -> object:
        """One command's answer."""
        answers: list[object] = []
        batch = Batch()
        batch.ask(*command, then=answers.append)
        await self.store().do(batch)
        return answers[0]

    async def lapse(self, url: str) -> None:
        """A node's record has not been renewed in time."""
        await self.ask("DEL", f"p2pcdn:node:{url}")


__all__ = ["Shared", "StoreError"]
