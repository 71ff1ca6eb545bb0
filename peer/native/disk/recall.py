"""What lies on disk from an earlier session, verified before anybody hears of it.

When the hashes of a segment have come its file is read, in a thread, and only then does the node
hear of them: right behind them comes what passes, as `Recalled`. For as soon as the node knows a
segment it asks neighbours for it, and nothing is to come twice. Hashes that come over links go past
this: then a file is read when its segment would be demanded. What does not pass is named in the
log, and comes anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

import structlog

from p2pcdn.core.ports import HashesArrived, Input, Recalled
from p2pcdn.model import HASH_SIZE, ChunkKey, SegmentKey
from p2pcdn.wire.manifest import SegmentRecord, split_hashes
from peer.native.disk.disk_store import DiskStore
from peer.native.disk.segment_file import SegmentFile
from peer.native.engine import Engine
from peer.native.verification import matches

AT_ONCE = 2
"""Files that are read at once: of a whole segment, all chunks are in memory then."""

log = structlog.get_logger("p2pcdn.peer")


class Recall:
    """Reads what a store has from before."""

    def __init__(
        self, store: DiskStore, feed: Callable[[Input], None], looked: Callable[[], None]
    ) -> None:
        """``looked`` is called when a segment has been looked at, whatever was found."""
        self._store = store
        self._feed = feed
        self._looked = looked
        self._tasks: dict[SegmentKey, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)
        self.record: Callable[[SegmentKey], SegmentRecord | None] = lambda _: None
        """What is known of a segment."""
        self._unread: set[SegmentKey] = set()
        """What was compared with hashes that turned out to be none of it."""

    async def take_hashes(self, arrived: HashesArrived) -> None:
        """Feed hashes that nobody has proved yet, and with them what is there of their segments."""
        found = [
            (key, file, hashes, await self._read(file, hashes))
            for key, hashes in self._hashes_in(arrived)
            if self._is_there(key) and (file := self._store.file(key)) is not None
        ]
        self._feed(arrived)
        for key, file, hashes, (good, bad) in found:
            if not self._take(key, file, hashes, good, bad):
                self._unread.add(key)
        if found:
            self._looked()

    def is_over(self, key: SegmentKey) -> bool:
        """Whether all that the disk has of a known segment is in the store. If not, it soon is."""
        if key in self._tasks:
            return False
        if not self._is_there(key):
            return True
        self._unread.discard(key)
        file = self._store.file(key)
        assert file is not None
        self._tasks[key] = asyncio.create_task(
            self._recall(key, file, list(self._store.hashes_of(key)))
        )
        return False

    async def close(self) -> None:
        """Give up."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _recall(self, key: SegmentKey, file: SegmentFile, hashes: Sequence[bytes]) -> None:
        try:
            good, bad = await self._read(file, hashes)
        finally:
            del self._tasks[key]
        self._take(key, file, hashes, good, bad)
        self._looked()

    def _is_there(self, key: SegmentKey) -> bool:
        return key in self._unread or self._store.is_there(key)

    async def _read(
        self, file: SegmentFile, hashes: Sequence[bytes]
    ) -> tuple[dict[int, bytes], list[int]]:
        """The chunks that are what they should be, and the numbers of those that are not."""
        try:
            async with self._turn:
                return await asyncio.to_thread(_compared, file, hashes)
        except OSError as error:
            log.warning("store_not_read", file=str(file.path), error=str(error))
            return {}, []

    def _take(
        self,
        key: SegmentKey,
        file: SegmentFile,
        hashes: Sequence[bytes],
        good: dict[int, bytes],
        bad: Sequence[int],
    ) -> bool:
        """Say what was found; unless the segment has other hashes than these."""
        if list(self._store.hashes_of(key)) != list(hashes):
            return False
        for chunk in bad:
            file.forget(chunk)
            log.warning("chunk_spoilt", key=key, chunk=chunk, file=str(file.path))
        for chunk, data in good.items():
            self._store.found(ChunkKey(*key, chunk))
            self._feed(Recalled(key, chunk, data))
        return True

    def _hashes_in(self, arrived: HashesArrived) -> Iterator[tuple[SegmentKey, list[bytes]]]:
        keys = [SegmentKey(arrived.rendition, number) for number in arrived.sequences.numbers()]
        records = [record for key in keys if (record := self.record(key)) is not None]
        if arrived.data is None or len(records) < len(keys):
            return
        parts = split_hashes(arrived.data, records)
        for key, joined in zip(keys, parts or (), strict=False):
            yield key, [joined[at : at + HASH_SIZE] for at in range(0, len(joined), HASH_SIZE)]


def furnish(store: DiskStore, engine: Engine) -> Recall:
    """Make a store known to those whom it needs."""
    node, keeper = engine.node, engine.keeper

    def root_of(key: SegmentKey) -> str | None:
        record = node.record(key)
        return None if record is None else record.root

    def lost(key: SegmentKey) -> None:
        keeper.lost(key)
        engine.look_again()

    store.root_of, store.hashes_of, store.lost = root_of, node.hashes, lost
    recall = Recall(store, engine.feed, engine.look_again)
    recall.record = node.record
    engine.is_recalled = recall.is_over
    return recall


def _compared(file: SegmentFile, hashes: Sequence[bytes]) -> tuple[dict[int, bytes], list[int]]:
    good: dict[int, bytes] = {}
    bad: list[int] = []
    for chunk in file.chunks():
        data = file.read(chunk)
        if data is not None and chunk < len(hashes) and matches(data, hashes[chunk]):
            good[chunk] = data
        else:
            bad.append(chunk)
    return good, bad
