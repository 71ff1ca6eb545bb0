"""What a chunk costs a peer whose store is on disk: ``python -m bench.disk [DIRECTORY]``.

A store is filled and read at random, from the system's cache and past it; each reading hashes the
chunk, as it does when it is sent. What counts is how long the event loop has to wait.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from p2pcdn.model import CHUNK_SIZE, ChunkKey, SegmentKey
from peer.native.disk.disk import Disk
from peer.native.disk.disk_store import DiskStore

SEGMENTS = CHUNKS = 64
"""256 MiB in all."""
EVERYTHING = SEGMENTS * CHUNKS * CHUNK_SIZE


def main(directory: str | None) -> None:
    """Measure, and say what came of it."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        measure(Path(place))


def measure(place: Path) -> None:
    """Fill a store in this directory and read it."""
    random = Random("disk")
    chunks = {
        ChunkKey("v", segment, chunk): random.randbytes(CHUNK_SIZE)
        for segment in range(SEGMENTS)
        for chunk in range(CHUNKS)
    }
    hashes: dict[SegmentKey, list[bytes]] = {}
    for key, data in chunks.items():
        hashes.setdefault(key.segment, []).append(hashlib.sha256(data).digest())
    disk = Disk(place, 2 * EVERYTHING)
    store = DiskStore(disk, "0" * 32, 2 * EVERYTHING, 2 * EVERYTHING)
    store.root_of = lambda key: hashlib.sha256(str(key).encode()).hexdigest()
    store.hashes_of = hashes.__getitem__
    began = time.perf_counter()
    say("put", [timed(partial(store.put, key, data)) for key, data in chunks.items()])
    disk.flush()
    took = time.perf_counter() - began
    print(f"written      {EVERYTHING / took / 1e6:8.0f} MB/s")
    keys = list(chunks)
    random.shuffle(keys)
    disk.recent.clear()
    say("get", [timed(partial(store.get, key)) for key in keys])
    for path in place.glob("*/??/*"):
        forget(path)
    disk.recent.clear()
    say("get, cold", [timed(partial(store.get, key)) for key in keys])
    disk.recent.clear()
    say("a segment", [timed(partial(store.assemble, segment)) for segment in hashes])
    disk.close()


def timed(do: Callable[[], object]) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def say(what: str, times: list[float]) -> None:
    """The middle, and the worst of a hundred."""
    times.sort()
    middle, worst = times[len(times) // 2], times[len(times) * 99 // 100]
    print(f"{what:12} {middle * 1e6:8.0f} us, at the 99th of a hundred {worst * 1e6:.0f} us")


def forget(path: Path) -> None:
    """Have the system read a file from the disk the next time."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
