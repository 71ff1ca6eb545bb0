"""The scenes of the benchmark, each in a process of its own beside the server that it measures."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from bench.tracker import announces, viewers
from bench.tracker.back import kill
from bench.tracker.process import Name, cores, server
from bench.tracker.sockets import many_descriptors
from p2pcdn.service import run

T = TypeVar("T")


def load(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a load on the other core, and have its result."""
    result: list[T] = []

    async def keep() -> None:
        result.append(await main())

    os.sched_setaffinity(0, {cores()[1]})
    many_descriptors()
    run(keep())
    return result[0]


def announced(name: Name, active: int, idle: int, rate: float, seconds: float) -> announces.Result:
    """WebTorrent's clients: so many that announce, beside others that do not."""
    with server(name) as measured:
        return load(lambda: announces.measure(measured, active, idle, rate, seconds))


def watched(number: int, within: float, seconds: float) -> viewers.Cost:
    """Viewers of ours."""
    with server("p2pcdn") as measured:
        return load(lambda: viewers.measure(measured, number, within, seconds))


def killed(number: int) -> tuple[int, float]:
    """Clients whose tracker is killed: how many are back, after how many seconds."""
    return load(lambda: kill(number))


def apart(call: Callable[..., T], *words: Any) -> T:
    """In a process of its own: one load leaves nothing to the next. `RuntimeError` if that process
    dies, or its result cannot be read here."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        try:
            return pool.submit(call, *words).result()
        except BrokenProcessPool as error:
            scene = f"{call.__name__}{words}"
            raise RuntimeError(f"The process of {scene} has died; it says why above.") from error
