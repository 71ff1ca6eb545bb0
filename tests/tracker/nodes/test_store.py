"""The store: batches, news, and what becomes of both while it is away."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from p2pcdn.errors import ConfigError
from tests.tracker.nodes.stores import Shared
from tracker.nodes import store as store_module
from tracker.nodes.store import NEWS, Batch, Store, StoreError


async def test_a_batch_is_asked_at_once_and_answered_in_order() -> None:
    heard: list[object] = []
    batch = Batch()
    batch.ask("SET", "a", b"\x00\xff", then=heard.append)
    batch.ask("GET", "a", then=heard.append)
    batch.ask("SADD", "b", "x", "y")
    batch.ask("SMEMBERS", "b", then=heard.append)
    batch.ask("HSET", "c", "n", 1)
    batch.ask("HGETALL", "c", then=heard.append)
    await Shared().store().do(batch)
    assert heard == [True, b"\x00\xff", {b"x", b"y"}, {b"n": b"1"}]


async def test_a_store_that_is_away_is_an_error_and_may_come_back() -> None:
    shared = Shared()
    store = shared.store()
    batch = Batch()
    batch.ask("SET", "a", 1, then=lambda _: pytest.fail("nobody has answered"))
    shared.away = True
    with pytest.raises(StoreError):
        await store.do(batch)
    shared.away = False
    again = Batch()
    again.ask("SET", "a", 1)
    await store.do(again)
    assert await shared.ask("GET", "a") == b"1"


async def test_a_command_that_is_refused_is_an_error() -> None:
    batch = Batch()
    batch.ask("SET", "a", 1)
    batch.ask("SMEMBERS", "a")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await Shared().store().do(batch)


async def test_news_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Shared()
    listening = shared.store()
    monkeypatch.setattr(store_module, "PATIENCE", 0.01)
    assert not await listening.news()
    monkeypatch.setattr(store_module, "PATIENCE", 30.0)
    hearing = asyncio.create_task(listening.news())
    await shared.ask("PUBLISH", NEWS, "nodes")
    assert await hearing
    await listening.close()


async def test_news_of_a_store_that_is_away_are_an_error() -> None:
    shared = Shared()
    shared.away = True
    with pytest.raises(StoreError):
        await shared.store().news()


async def test_nobody_listens_to_what_was_before_it_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = Shared()
    store = shared.store()
    monkeypatch.setattr(store_module, "PATIENCE", 0.01)
    await store.news()
    before = store._pubsub
    shared.away = True
    batch = Batch()
    batch.ask("GET", "a")
    with pytest.raises(StoreError):
        await store.do(batch)
    shared.away = False
    await store.news()
    assert store._pubsub is not before
    await store.close()


async def test_a_store_that_nobody_has_is_not_a_secret_told() -> None:
    store = Store("valkey://:s3cret@127.0.0.1:1/0")
    batch = Batch()
    batch.ask("GET", "a")
    with pytest.raises(StoreError) as caught:
        await store.do(batch)
    assert "s3cret" not in str(caught.value)
    await store.close()


def test_it_says_what_is_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ConfigError, match=r"pip install '\.\[valkey\]'"):
        Store("valkey://127.0.0.1/0")


def test_who_has_no_store_loads_nothing_for_it() -> None:
    program = "import sys, tracker.app; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
