"""What lies on disk from an earlier session, verified before anybody hears of it.

As soon as the hashes of a segment are proved its file is read, in a thread. What passes goes to the
node as `Recalled`; what does not is named in the log, and comes anew. Until then the segment is not
demanded, so that nothing comes twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from p2pcdn.core.ports import Input, Recalled
from p2pcdn.model import ChunkKey, SegmentKey
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

    def is_over(self, key: SegmentKey) -> bool:
        """Whether all that the disk has of a known segment is in the store. If not, it soon is."""
        if key in self._tasks:
            return False
        if not self._store.is_there(key):
            return True
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
            async with self._turn:
                good, bad = await asyncio.to_thread(_verified, file, hashes)
        except OSError as error:
            log.warning("store_not_read", file=str(file.path), error=str(error))
            good, bad = {}, []
        finally:
            del self._tasks[key]
        for chunk in bad:
            log.warning("chunk_spoilt", key=key, chunk=chunk, file=str(file.path))
        if list(self._store.hashes_of(key)) == hashes:  # else the segment is another one by now
            for chunk, data in good.items():
                self._store.found(ChunkKey(*key, chunk))
                self._feed(Recalled(key, chunk, data))
        self._looked()


def furnish(store: DiskStore, engine: Engine) -> Recall:
    """Make a store known to those whom it needs."""
    node, keeper = engine.node, engine.keeper

    def root_of(key: SegmentKey) -> str | None:
        record = node.record(key)
        return None if record is None else record.root

    def lost(key: SegmentKey) -> None:
        keeper.lost(key)
        engine.look_again()

    store.root_of, store.hashes_of = root_of, node.hashes
    store.worth, store.evicted, store.lost = keeper.worth, keeper.evicted, lost
    recall = Recall(store, engine.feed, engine.look_again)
    engine.is_recalled = recall.is_over
    return recall


def _verified(file: SegmentFile, hashes: Sequence[bytes]) -> tuple[dict[int, bytes], list[int]]:
    """The chunks that are what they should be, and the numbers of those that are not."""
    good: dict[int, bytes] = {}
    bad: list[int] = []
    for chunk in file.chunks():
        data = file.read(chunk)
        if data is not None and chunk < len(hashes) and matches(data, hashes[chunk]):
            good[chunk] = data
        else:
            file.forget(chunk)
            bad.append(chunk)
    return good, bad
