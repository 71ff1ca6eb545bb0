"""What threads say, taken by the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from threading import Thread

import pytest

from peer.native.transport import loop_queue
from peer.native.transport.loop_queue import MOST_WAITING, LoopQueue


def put_all(queue: LoopQueue[int], count: int) -> None:
    for number in range(count):
        queue.put(number)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go round until then."""
    async with asyncio.timeout(10):
        for _ in range(10_000_000):
            if condition():
                return
            await asyncio.sleep(0)


async def test_everything_is_taken_in_order() -> None:
    taken: list[int] = []
    done = asyncio.Event()

    def take(number: int) -> None:
        taken.append(number)
        if number == 999:
            done.set()

    queue = LoopQueue(take)
    thread = Thread(target=put_all, args=(queue, 1_000))
    thread.start()
    await asyncio.wait_for(done.wait(), 10)
    await asyncio.to_thread(thread.join)
    assert taken == list(range(1_000))


async def test_two_threads_at_the_same_moment_do_not_leave_the_waking_to_each_other() -> None:
    """The second one puts something while the first one has just done so."""
    taken: list[int] = []
    queue = LoopQueue(taken.append)

    class Interrupted(deque[int]):
        def append(self, item: int) -> None:
            super().append(item)
            if item == 1:
                second = Thread(target=queue.put, args=(2,))
                second.start()
                second.join()

    queue._waiting = Interrupted()
    queue.put(1)
    await until(lambda: len(taken) == 2)
    assert taken == [1, 2]


async def test_a_thread_waits_for_a_loop_that_is_behind() -> None:
    taken: list[int] = []
    queue = LoopQueue(taken.append)
    thread = Thread(target=put_all, args=(queue, 500))
    thread.start()
    while len(queue._waiting) < MOST_WAITING:
        thread.join(0.001)  # the loop does nothing else
    thread.join(0.05)
    assert thread.is_alive()
    assert len(queue._waiting) == MOST_WAITING
    await until(lambda: len(taken) == 500)
    thread.join()


async def test_nothing_is_taken_after_the_end_and_nobody_waits() -> None:
    taken: list[int] = []
    queue = LoopQueue(taken.append)
    thread = Thread(target=put_all, args=(queue, 500))
    thread.start()
    while len(queue._waiting) < MOST_WAITING:
        thread.join(0.001)
    queue.end()
    thread.join(10)
    assert not thread.is_alive()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert taken == []


async def test_what_fails_stops_nothing_else() -> None:
    taken: list[int] = []
    loop = asyncio.get_running_loop()
    failed: list[object] = []
    loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))

    def take(number: int) -> None:
        if number == 1:
            raise ValueError(number)
        taken.append(number)

    queue = LoopQueue(take)
    for number in range(4):
        queue.put(number)
    for _ in range(5):
        await asyncio.sleep(0)
    queue.put(4)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert taken == [0, 2, 3, 4]
    assert [str(error) for error in failed] == ["1"]


async def test_others_have_their_turn() -> None:
    taken: list[int] = []
    queue = LoopQueue(taken.append)
    for number in range(loop_queue.AT_ONCE + 1):
        queue.put(number)
    await asyncio.sleep(0)
    assert 0 < len(taken) <= loop_queue.AT_ONCE


def test_a_loop_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_queue, "PATIENCE", 0.001)

    async def main() -> LoopQueue[int]:
        return LoopQueue(lambda number: None)

    queue = asyncio.run(main())
    for number in range(MOST_WAITING + 2):
        queue.put(number)
