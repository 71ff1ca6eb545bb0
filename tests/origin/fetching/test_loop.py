"""An event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError

import pytest

from origin.fetching.loop import LoopThread


async def thread() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


async def forever() -> None:
    await asyncio.sleep(3600)


def test_it_runs_in_its_thread_until_it_is_closed() -> None:
    loop = LoopThread("side")
    assert loop.run(thread()) == "side"
    waiting = loop.begin(forever())
    ended = []

    async def end() -> None:
        ended.append(await thread())

    loop.close(end)
    assert ended == ["side"]
    with pytest.raises(CancelledError):
        waiting.result()
    with pytest.raises(RuntimeError):
        loop.begin(forever())
    assert not [t for t in threading.enumerate() if t.name == "side"]


def test_one_that_was_never_used_has_no_thread() -> None:
    async def end() -> None:
        raise AssertionError

    loop = LoopThread("side")
    assert not [t for t in threading.enumerate() if t.name == "side"]
    loop.close(end)
    loop.close(end)
