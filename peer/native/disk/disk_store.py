"""The store of one content, on a disk; the core sees no difference.

::

    put --> in memory --written--> on disk --evicted--> gone
              '-- not written: the disk is full, fails or is behind

Two bounds hold: ``share``, of all that is held, and ``memory``, of what is not on disk. A chunk is
read from disk when it is asked for, unless that was a moment ago, and each time its hash is
checked: what a disk gets wrong is lost, named in the log, and never given to anybody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

import structlog

from p2pcdn.core.store import Store
from p2pcdn.core.store import worth as usual_worth
from p2pcdn.model import ChunkKey, SegmentKey
from peer.native.disk.disk import Disk
from peer.native.disk.segment_file import SegmentFile
from peer.native.verification import matches

log = structlog.get_logger("p2pcdn.peer")


class DiskStore(Store):
    """One thread uses it; what the disk's thread calls back takes the lock."""

    def __init__(self, disk: Disk, content: str, share: int, memory: int) -> None:
        self.share = share
        """Most bytes of this content."""
        self.memory = memory
        """Most bytes that are not on disk."""
        self._unwritten_size = 0
        super().__init__(share)
        self.root_of: Callable[[SegmentKey], str | None] = lambda _: None
        """What names a segment's file: its root, as the manifest has it."""
        self.hashes_of: Callable[[SegmentKey], Sequence[bytes]] = lambda _: ()
        """The proved hashes of a segment's chunks; none if they are not known."""
        self.evicted: Callable[[SegmentKey], None] = lambda _: None
        """Told of what went because of a bound."""
        self.lost: Callable[[SegmentKey], None] = lambda _: None
        """Told of a segment of which a chunk is not what it was."""
        self.worth: Callable[[SegmentKey, int], tuple[bool, int, str]] = usual_worth
        """Sorts what goes first, by where the play head is."""
        self._disk = disk
        self._content = content
        self._held: dict[SegmentKey, dict[int, int]] = {}
        """The lengths of the chunks that are held."""
        self._files: dict[SegmentKey, SegmentFile] = {}
        self._found: set[ChunkKey] = set()
        """What lies on disk from an earlier session, verified, and is about to be put."""
        self._unwritten: dict[ChunkKey, bytes] = {}
        self._lock = threading.Lock()
        """For what is unwritten."""

    # What the core asks for

    @property
    def limit(self) -> int:
        return min(self.share, self.size - self._unwritten_size + self.memory)

    @limit.setter
    def limit(self, limit: int) -> None:
        self.share = limit

    def put(self, key: ChunkKey, data: bytes) -> None:
        held = self._held.setdefault(key.segment, {})
        if key.chunk in held:
            return
        held[key.chunk] = len(data)
        self._masks[key.segment] = self._masks.get(key.segment, 0) | 1 << key.chunk
        self.size += len(data)
        file = self.file(key.segment)
        if file is not None:
            self._disk.recent.put((file.path.name, key.chunk), data)
        if key in self._found:
            self._found.remove(key)
            return
        with self._lock:
            self._unwritten[key] = data
            self._unwritten_size += len(data)
        if file is not None:
            self._disk.write(file, key.chunk, data, partial(self._written, key, data))

    def get(self, key: ChunkKey) -> bytes | None:
        if key.chunk not in self._held.get(key.segment, {}):
            return None
        data = self._unwritten.get(key)
        return self._read(key) if data is None else data

    def chunks(self, segment: SegmentKey) -> Collection[int]:
        return self._held.get(segment, {}).keys()

    def size_of(self, segment: SegmentKey) -> int:
        return sum(self._held.get(segment, {}).values())

    def segments(self) -> Iterator[SegmentKey]:
        return iter(self._held)

    def assemble(self, segment: SegmentKey) -> bytes | None:
        count = len(self.hashes_of(segment)) or len(self._held[segment])
        chunks = [self.get(ChunkKey(*segment, chunk)) for chunk in range(count)]
        whole = [chunk for chunk in chunks if chunk is not None]
        return b"".join(whole) if len(whole) == len(chunks) else None

    def drop(self, segment: SegmentKey) -> list[int]:
        self.size -= self.size_of(segment)
        self._masks.pop(segment, None)
        chunks = sorted(self._held.pop(segment, {}))
        with self._lock:
            for chunk in chunks:
                data = self._unwritten.pop(ChunkKey(*segment, chunk), b"")
                self._unwritten_size -= len(data)
        self._found = {key for key in self._found if key.segment != segment}
        file = self._files.pop(segment, None)
        if file is not None:
            for chunk in chunks:
                self._disk.recent.drop((file.path.name, chunk))
            self._disk.remove(file)
        return chunks

    def evict(self, head: int, pinned: Collection[SegmentKey]) -> dict[SegmentKey, list[int]]:
        dropped: dict[SegmentKey, list[int]] = {}
        with self._lock:
            unwritten = {key.segment for key in self._unwritten}
        for segment in sorted(self._held, key=lambda held: self.worth(held, head)):
            if self.size <= self.limit:
                break
            # What is on disk makes no room in memory.
            if segment not in pinned and (self.size > self.share or segment in unwritten):
                dropped[segment] = self.drop(segment)
        for segment in dropped:
            self.evicted(segment)
        return dropped

    def close(self) -> None:
        """Nobody uses it any more; what is on disk stays as long as there is room."""
        self._disk.release(list(self._files.values()))

    # What `Recall` needs

    def is_there(self, segment: SegmentKey) -> bool:
        """Whether there is a file of the segment, from an earlier session or another store, that
        this one has not looked at yet."""
        root = self.root_of(segment)
        known = self._files.get(segment)
        if root is None or (known is not None and known.path.name == root):
            return False
        return self._disk.has(self._content, root)

    def file(self, segment: SegmentKey) -> SegmentFile | None:
        """The segment's file; None if nobody knows any more what it is."""
        file, root = self._files.get(segment), self.root_of(segment)
        if root is None or (file is not None and file.path.name == root):
            return file
        if file is not None:
            self._disk.remove(file)  # the segment was another one
        file = self._files[segment] = self._disk.file(self._content, root)
        return file

    def found(self, key: ChunkKey) -> None:
        """A chunk lies on disk and has been verified: it need not be written when it is put."""
        if key.chunk not in self._held.get(key.segment, {}):
            self._found.add(key)

    # The disk

    def _written(self, key: ChunkKey, data: bytes) -> None:
        with self._lock:
            if self._unwritten.get(key) is data:  # else it was dropped, and may have come again
                del self._unwritten[key]
                self._unwritten_size -= len(data)

    def _read(self, key: ChunkKey) -> bytes | None:
        hashes = self.hashes_of(key.segment)
        file = self._files.get(key.segment)
        if file is None or key.chunk >= len(hashes):
            return None  # what cannot be verified any more is as good as gone
        file.note()
        name = file.path.name, key.chunk
        recent = self._disk.recent.get(name)
        if recent is not None:
            return recent
        try:
            data = file.read(key.chunk)
        except OSError as error:
            log.warning("store_not_read", file=str(file.path), error=str(error))
            data = None
        if data is not None and matches(data, hashes[key.chunk]):
            self._disk.recent.put(name, data)
            return data
        self._lose(key, file)
        return None

    def _lose(self, key: ChunkKey, file: SegmentFile) -> None:
        log.warning("chunk_spoilt", key=key.segment, chunk=key.chunk, file=str(file.path))
        file.forget(key.chunk)
        held = self._held[key.segment]
        self.size -= held.pop(key.chunk)
        self._masks[key.segment] &= ~(1 << key.chunk)
        self.lost(key.segment)
