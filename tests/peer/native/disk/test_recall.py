"""What an earlier session left on disk is verified before anybody hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from p2pcdn.core.ports import HashesArrived, Input, Recalled
from p2pcdn.model import CHUNK_SIZE, SegmentKey, Span
from p2pcdn.wire.manifest import SegmentRecord
from peer.native.disk.recall import Recall, furnish
from peer.native.disk.segment_file import HEAD, SegmentFile
from tests.peer.native.disk.test_disk_store import LENGTH, Stage, chunk_of

KEY = SegmentKey("v", 1)
RECORD = SegmentRecord(1, "1.ts", 2 * CHUNK_SIZE, "ab" * 32)


class Scene:
    """A store of an earlier session, and whoever hears of it."""

    def __init__(self, directory: Path) -> None:
        before = Stage(directory)
        before.put(1)
        before.disk.close()
        self.path = before.path(1)
        self.fed: list[Input] = []
        self.looked = asyncio.Event()

    def open(self) -> None:
        self.stage = Stage(self.path.parents[2])
        self.recall = Recall(self.stage.store, self.fed.append, self.looked.set)
        self.recall.record = lambda key: RECORD if key == KEY else None

    def arrived(self) -> HashesArrived:
        """The origin's answer."""
        return HashesArrived("v", Span(1, 1), b"".join(self.stage.store.hashes_of(KEY)))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.stage.disk.close()


def recalled(*chunks: int) -> list[Recalled]:
    return [Recalled(KEY, chunk, chunk_of(1, chunk)) for chunk in chunks]


async def test_what_is_right_is_recalled_once(scene: Scene) -> None:
    scene.open()
    assert scene.recall.is_over(SegmentKey("v", 2))
    assert not scene.recall.is_over(KEY)
    assert not scene.recall.is_over(KEY)
    await scene.looked.wait()
    assert scene.recall.is_over(KEY)
    assert scene.fed == recalled(0, 1)
    scene.stage.put(1)
    scene.stage.disk.flush()
    assert scene.path.stat().st_size == 2 * (LENGTH + HEAD.size), "it was there"


async def test_what_another_store_has_written_is_recalled(scene: Scene) -> None:
    scene.open()
    other = Stage(scene.stage.disk)
    other.put(2, chunks=(1,))
    scene.stage.disk.flush()
    key = SegmentKey("v", 2)
    assert not scene.recall.is_over(key)
    await scene.looked.wait()
    assert scene.fed == [Recalled(key, 1, chunk_of(2, 1))]
    assert scene.recall.is_over(key)


async def test_a_flipped_bit_is_named_and_comes_anew(scene: Scene) -> None:
    data = bytearray(scene.path.read_bytes())
    data[HEAD.size + 500] ^= 1
    scene.path.write_bytes(data)
    scene.open()
    with capture_logs() as logs:
        scene.recall.is_over(KEY)
        await scene.looked.wait()
    assert [(entry["event"], entry["chunk"]) for entry in logs] == [("chunk_spoilt", 0)]
    assert scene.fed == recalled(1)
    scene.stage.put(1)
    scene.stage.disk.flush()
    file = SegmentFile(scene.path)
    assert file.chunks() == [0, 1]
    assert (file.read(0), file.read(1)) == (chunk_of(1, 0), chunk_of(1, 1))


async def test_what_was_torn_is_no_news(scene: Scene) -> None:
    scene.path.write_bytes(scene.path.read_bytes()[:-1])
    scene.open()
    with capture_logs() as logs:
        scene.recall.is_over(KEY)
        await scene.looked.wait()
    assert logs == []
    assert scene.fed == recalled(0)


async def test_a_chunk_that_the_segment_does_not_have(scene: Scene) -> None:
    SegmentFile(scene.path).append(2, b"more")
    scene.open()
    scene.recall.is_over(KEY)
    await scene.looked.wait()
    assert scene.fed == recalled(0, 1)


async def test_a_file_that_cannot_be_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: SegmentFile) -> list[int]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(SegmentFile, "chunks", fail)
    scene.open()
    with capture_logs() as logs:
        scene.recall.is_over(KEY)
        await scene.looked.wait()
    assert [entry["event"] for entry in logs] == ["store_not_read"]
    assert scene.fed == []
    assert scene.recall.is_over(KEY)


async def test_a_segment_that_became_another_one_meanwhile(scene: Scene) -> None:
    scene.open()
    hashes = scene.stage.store.hashes_of(KEY)
    scene.recall.is_over(KEY)
    scene.stage.store.hashes_of = lambda _: hashes[:1]
    await scene.looked.wait()
    assert scene.fed == []


async def test_hashes_are_heard_of_with_what_there_is_of_their_segment(scene: Scene) -> None:
    scene.open()
    arrived = scene.arrived()
    await scene.recall.take_hashes(arrived)
    assert scene.fed == [arrived, *recalled(0, 1)]
    assert scene.recall.is_over(KEY)
    scene.stage.put(1)
    scene.stage.disk.flush()
    assert scene.path.stat().st_size == 2 * (LENGTH + HEAD.size), "it was there"


async def test_hashes_that_are_wrong_lose_nothing(scene: Scene) -> None:
    scene.open()
    right = scene.arrived()
    assert right.data is not None
    wrong = HashesArrived("v", right.sequences, bytes(len(right.data)))
    with capture_logs() as logs:
        await scene.recall.take_hashes(wrong)
    assert (scene.fed, logs) == ([wrong], [])
    await scene.recall.take_hashes(right)
    assert scene.fed == [wrong, right, *recalled(0, 1)]


@pytest.mark.parametrize("data", [None, b"", b"short"])
async def test_hashes_that_did_not_come(scene: Scene, data: bytes | None) -> None:
    scene.open()
    arrived = HashesArrived("v", Span(1, 1), data)
    await scene.recall.take_hashes(arrived)
    assert scene.fed == [arrived]
    assert not scene.recall.is_over(KEY)
    await scene.looked.wait()
    assert scene.fed == [arrived, *recalled(0, 1)]


async def test_it_can_be_given_up(scene: Scene) -> None:
    scene.open()
    scene.recall.is_over(KEY)
    await scene.recall.close()
    assert scene.fed == []


async def test_everybody_is_made_known_to_whom_he_needs(scene: Scene) -> None:
    scene.open()
    told: list[object] = []
    record = SimpleNamespace(root="ab" * 32)
    engine = SimpleNamespace(
        node=SimpleNamespace(record=lambda key: record if key == KEY else None, hashes=None),
        keeper=SimpleNamespace(lost=told.append),
        feed=told.append,
        look_again=lambda: told.append("look again"),
    )
    store = scene.stage.store
    recall = furnish(store, cast(Any, engine))
    assert engine.is_recalled == recall.is_over
    assert store.root_of(KEY) == "ab" * 32
    assert store.root_of(SegmentKey("v", 2)) is None
    store.lost(KEY)
    assert told == [KEY, "look again"]
