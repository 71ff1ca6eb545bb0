"""The node's requests to the origin, with a source that a test directs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from p2pcdn.core.ports import (
    AbortRange,
    FetchHashes,
    FetchManifest,
    FetchRange,
    FetchRecords,
    HashesArrived,
    Input,
    ManifestFailed,
    RangeData,
    RangeDone,
    RangeFailed,
)
from p2pcdn.errors import SourceError, SourceReason
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.manifest import PresentationManifest, RenditionManifest, SegmentRecord
from peer.native import fetches
from peer.native.fetches import Fetches
from peer.native.http_source import HttpSource, Timing
from tests.peer.native.test_keeper import page

KEY = SegmentKey("v", 3)
RECORD = SegmentRecord(3, "all.mp4", 1000, "0" * 64, offset=5000)


class FakeSource:
    """Gives what a test has prepared, in its order; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.answers: list[object] = []
        self.aborted = asyncio.Event()

    async def _answer(self) -> object:
        if not self.answers:
            await asyncio.get_running_loop().create_future()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def manifest(self, path: str, *, at: int | None = None) -> object:
        self.asked.append(("manifest", path, at))
        return await self._answer()

    async def records(self, rendition: str, sequences: Span) -> object:
        self.asked.append(("records", rendition, sequences))
        return await self._answer()

    async def newer(self, path: str, after: int, era: int = 0) -> object:
        self.asked.append(("newer", path, after))
        return await self._answer()

    async def hashes(self, rendition: str, sequences: Span) -> object:
        self.asked.append(("hashes", rendition, sequences))
        return await self._answer()

    async def range(
        self, rendition: str, uri: str, span: Span, take: Callable[[bytes], None], *, fresh: bool
    ) -> object:
        self.asked.append(("range", rendition, uri, span, fresh))
        take(b"some")
        try:
            return await self._answer()
        except asyncio.CancelledError:
            self.aborted.set()
            raise


class Stage:
    def __init__(self) -> None:
        self.source = FakeSource()
        self.fed: asyncio.Queue[Input] = asyncio.Queue()
        self.pages: asyncio.Queue[RenditionManifest] = asyncio.Queue()
        self.records = {KEY: RECORD}
        self.fetches = Fetches(
            cast(HttpSource, self.source),
            self.fed.put_nowait,
            self.pages.put_nowait,
            self.records.get,
        )


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.fetches.close()


FAILURE = SourceError(SourceReason.BUSY)
FETCH = FetchRange(7, KEY, Span(10, 19), whole=False, fresh=True, rule="turn")


async def test_a_range_of_a_segment_that_is_a_range_itself(stage: Stage) -> None:
    stage.source.answers = [Timing(0.1, 0.2)]
    stage.fetches.do(FETCH)
    assert await stage.fed.get() == RangeData(7, b"some")
    assert await stage.fed.get() == RangeDone(7, 0.1, 0.2)
    assert stage.source.asked == [("range", "v", "all.mp4", Span(5010, 5019), True)]


async def test_a_range_that_fails(stage: Stage) -> None:
    stage.source.answers = [FAILURE]
    stage.fetches.do(FETCH)
    await stage.fed.get()
    assert await stage.fed.get() == RangeFailed(7, SourceReason.BUSY)


async def test_a_range_of_a_segment_that_left_the_manifest(stage: Stage) -> None:
    stage.records.clear()
    stage.fetches.do(FETCH)
    assert await stage.fed.get() == RangeFailed(7, SourceReason.MISSING)


async def test_an_aborted_range_says_nothing_more(stage: Stage) -> None:
    stage.fetches.do(FETCH)
    await stage.fed.get()
    stage.fetches.do(AbortRange(7))
    stage.fetches.do(AbortRange(8))  # was over already
    await stage.source.aborted.wait()
    assert stage.fed.empty()


async def test_hashes_that_somebody_has_to_see_first(stage: Stage) -> None:
    seen: asyncio.Queue[HashesArrived] = asyncio.Queue()
    fetches = Fetches(
        cast(HttpSource, stage.source),
        stage.fed.put_nowait,
        stage.pages.put_nowait,
        stage.records.get,
        seen.put,
    )
    stage.source.answers = [b"x" * 64]
    fetches.do(FetchHashes("v", Span(3, 4)))
    assert await seen.get() == HashesArrived("v", Span(3, 4), b"x" * 64)
    await fetches.close()
    assert stage.fed.empty()


async def test_hashes(stage: Stage) -> None:
    stage.source.answers = [bytes(64), FAILURE]
    for expected in (bytes(64), None):
        stage.fetches.do(FetchHashes("v", Span(3, 4)))
        assert await stage.fed.get() == HashesArrived("v", Span(3, 4), expected)


async def test_pages(stage: Stage) -> None:
    stage.source.answers = [page(3), FAILURE, PresentationManifest(1, "pk", "0" * 32, ())]
    stage.fetches.do(FetchManifest("v", 3))
    assert await stage.pages.get() == page(3)
    assert stage.source.asked == [("manifest", "v", 3)]
    for _ in range(2):
        stage.fetches.do(FetchManifest("v", 3))
        assert await stage.fed.get() == ManifestFailed("v")


async def test_records_are_a_page_too(stage: Stage) -> None:
    stage.source.answers = [page(3), FAILURE]
    stage.fetches.do(FetchRecords("v", Span(3, 4)))
    assert await stage.pages.get() == page(3)
    assert stage.source.asked == [("records", "v", Span(3, 4))]
    stage.fetches.do(FetchRecords("v", Span(3, 4)))
    assert await stage.fed.get() == ManifestFailed("v")


async def test_a_finished_rendition_is_asked_for_once(stage: Stage) -> None:
    stage.source.answers = [page(0, 1)]
    stage.fetches.follow("v")
    await stage.pages.get()
    assert stage.source.asked == [("manifest", "v", None)]


async def test_a_live_rendition_is_followed_to_its_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetches, "FIRST_PAUSE", 0.001)
    pages = [page(0, live=True), page(0, 1, live=True, time=2), page(0, 1, time=3)]
    stage.source.answers = [FAILURE, pages[0], None, FAILURE, pages[1], pages[2]]
    stage.fetches.follow("v")
    assert [await stage.pages.get() for _ in pages] == pages
    assert stage.source.asked == [
        ("manifest", "v", None),
        ("manifest", "v", None),
        ("newer", "v", 0),
        ("newer", "v", 0),
        ("newer", "v", 0),
        ("newer", "v", 1),
    ]


async def test_closing_ends_what_is_under_way(stage: Stage) -> None:
    stage.fetches.follow("v")
    stage.fetches.do(FetchHashes("v", Span(3, 4)))
    await asyncio.sleep(0)
    await stage.fetches.close()
    assert stage.fed.empty()
    assert not stage.fetches._tasks
