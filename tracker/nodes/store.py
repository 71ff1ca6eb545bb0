"""The store: a server of Valkey's or Redis's, asked in batches that never wait for one another.

Everything is under one prefix, in the database that the URL names. redis-py is loaded by whoever
opens a store, and by nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from p2pcdn.config import store_url
from p2pcdn.errors import UnavailableError

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

PREFIX = "p2pcdn:"

NEWS = f"{PREFIX}news"
"""The channel on which a node says that asking now is worth while."""

PATIENCE = 2.0
"""Seconds after which news are asked for anew."""

TIMEOUT = 1.0
"""Seconds that the store has for a batch; one that takes longer is away."""

Answer = Callable[[Any], None]

log = structlog.get_logger("p2pcdn.tracker")


class StoreError(Exception):
    """The store is away, or does not do what it is asked. The text says why."""


class Batch:
    """What is to be asked at once, and who wants the answers."""

    def __init__(self) -> None:
        self._commands: list[tuple[str | bytes | int, ...]] = []
        self._answers: list[Answer] = []

    def __iter__(self) -> Any:
        return iter(self._commands)

    def ask(self, *command: str | bytes | int, then: Answer = lambda _: None) -> None:
        """Add a command; ``then`` gets its answer, once all have come."""
        self._commands.append(command)
        self._answers.append(then)

    def answered(self, answers: list[Any]) -> None:
        """Pass the answers on."""
        for then, answer in zip(self._answers, answers, strict=True):
            then(answer)


class Store:
    """A connection to it, made anew as often as it takes."""

    def __init__(self, url: str, client: Redis | None = None) -> None:
        """``url`` is that of `TrackerConfig.store`; ``client`` is for tests. `ConfigError` if
        redis-py is not installed."""
        self._redis = client or _client(url)
        self._pubsub: PubSub | None = None
        self._was_away = False
        """Whether it was, since we subscribed."""

    async def do(self, batch: Batch) -> None:
        """Ask, and pass the answers on; `StoreError` if any of it fails."""
        from redis.exceptions import RedisError

        pipeline = self._redis.pipeline(transaction=False)
        try:
            for command in batch:
                pipeline.execute_command(*command)
            answers = await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self._was_away = True
            raise StoreError(_why(error)) from error
        finally:
            await pipeline.reset()  # type: ignore[no-untyped-call]
        batch.answered(answers)

    async def news(self) -> bool:
        """Wait until a node has news, or `PATIENCE`; whether there are some. `StoreError` if none
        can come."""
        from redis.exceptions import RedisError

        try:
            if self._was_away:
                await self._forget_news()  # nobody may be at the other end any more
                self._was_away = False
            if self._pubsub is None:
                self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
                await self._pubsub.subscribe(NEWS)
            return await self._pubsub.get_message(timeout=PATIENCE) is not None
        except (RedisError, OSError, TimeoutError) as error:
            await self._forget_news()
            raise StoreError(_why(error)) from error

    async def close(self) -> None:
        """Hang up."""
        await self._forget_news()
        await self._redis.aclose()

    async def _forget_news(self) -> None:
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            await pubsub.aclose()  # type: ignore[no-untyped-call]


def _client(url: str) -> Redis:
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise UnavailableError(
            "tracker.store needs redis-py: `pip install '.[valkey]'` in a clone of the project."
        ) from error
    return Redis.from_url(
        store_url(url),
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 0),
        client_name="p2pcdn",
    )


def _why(error: Exception) -> str:
    """In a few words, without what a URL may hold of secrets."""
    return str(error).split("\n")[0][:200] or type(error).__name__
