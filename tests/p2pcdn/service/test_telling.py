"""Figures of workers without a tracker, told over a real Unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from p2pcdn.service import Server, telling
from p2pcdn.service.figures import Figures, Steps
from p2pcdn.service.telling import PATH, Telling
from p2pcdn.service.worker import ALONE, Worker


class Process:
    """What one of them counts."""

    def __init__(self, directory: Path, index: int) -> None:
        registry = CollectorRegistry()
        self.counter = Counter("asked", "How often.", registry=registry)
        self.figures = Figures(registry)
        self.worker = Worker(index=index, count=3, directory=str(directory), secret=b"s" * 32)
        self.telling = Telling(self.worker, self.figures)

    def total(self) -> float:
        return next(
            sample.value
            for metric in self.figures.collect()
            for sample in metric.samples
            if sample.name == "asked_total"
        )


@asynccontextmanager
async def first(directory: Path) -> AsyncIterator[tuple[Process, Server]]:
    process = Process(directory, 0)
    async with Server([process.telling], host="127.0.0.1", port=0, worker=process.worker) as server:
        yield process, server


async def settled(process: Process, total: float) -> None:
    async with asyncio.timeout(10):
        while process.total() != total:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "EVERY", 0.02)
    # Who tells the last does so once, and a busy machine may stand still for a second.
    monkeypatch.setattr(telling, "PATIENCE", 30.0)


async def test_the_first_has_the_figures_of_all(tmp_path: Path) -> None:
    async with first(tmp_path) as (one, _):
        others = [Process(tmp_path, index) for index in (1, 2)]
        for number, other in enumerate((one, *others)):
            other.counter.inc(10**number)
        for other in others:
            await other.telling.start()
        await settled(one, 111)
        others[1].counter.inc(1000)
        await settled(one, 1111)
        others[0].counter.inc(10_000)
        for other in others:
            await other.telling.close()
        assert one.total() == 11_111


async def test_what_could_not_be_told_is_told_later(tmp_path: Path) -> None:
    other = Process(tmp_path, 1)
    other.counter.inc(7)
    await other.telling.start()
    await asyncio.sleep(0.1)
    async with first(tmp_path) as (one, _):
        await settled(one, 7)
        await other.telling.close()
        assert one.total() == 7


async def test_what_was_heard_and_not_answered_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with first(tmp_path) as (one, _):
        note, heard = one.figures.note, list[str]()

        def fail_once(name: str, steps: Steps) -> None:
            note(name, steps)
            heard.append(name)
            if len(heard) == 1:
                raise OSError

        monkeypatch.setattr(one.figures, "note", fail_once)
        other = Process(tmp_path, 1)
        other.counter.inc(7)
        await other.telling.start()
        await settled(one, 7)
        other.counter.inc(70)
        await other.telling.close()
        assert one.total() == 77


async def test_nobody_else_may_tell(tmp_path: Path) -> None:
    async with first(tmp_path) as (one, server), aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": "x"}, {"Authorization": (b"t" * 32).hex()}):
            async with session.post(f"{server.url}{PATH}", headers=headers, data=b"[]") as answer:
                assert answer.status == 404
        assert one.total() == 0


async def test_gauges_of_who_is_gone_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []
    monkeypatch.setattr(telling, "GONE", 0.05)
    async with first(tmp_path) as (one, _):
        monkeypatch.setattr(one.figures, "gone", gone.append)
        other = Process(tmp_path, 1)
        await other.telling.close()  # which is its only word
        async with asyncio.timeout(10):
            while not gone:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)
    assert gone == ["1"]


async def test_alone_there_is_nobody_to_tell() -> None:
    alone = Telling(ALONE)
    await alone.start()
    await alone.drain()
    await alone.close()
    assert alone.problems() == []
