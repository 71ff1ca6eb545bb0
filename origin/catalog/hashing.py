"""Hashing stretches of files: each once, in threads, what somebody waits for first.

SHA-256 leaves the interpreter's lock alone, so the event loop goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import structlog

from origin.catalog.edition import Stretch
from origin.catalog.hash_store import HashStore
from origin.sources import Source
from p2pcdn.errors import P2pcdnError, SourceError, SourceReason
from p2pcdn.model import CHUNK_SIZE

_REMEMBERED = 4096
"""Hash lists kept in memory: those of a few live renditions, and of what many watch just now."""

_READ = 16 * CHUNK_SIZE

BUSY = 0.4
"""Share of a processor from which on the event loop is taken to need all of it: of one that hashing
takes, too, it gets no more than half."""

STEP_ASIDE = 9
"""While the loop is busy, hashing unasked pauses so many times as long as it took. (Threads of a
lower priority do harm: one may wait for a processor, and hold the interpreter's lock.)"""

_LONGEST_ASIDE = 1.0
"""Seconds."""

_MOST_LATER = 1024
"""Stretches that are hashed because others were asked for, and nobody waits for any more."""

log = structlog.get_logger("p2pcdn.origin")


class ChangedError(P2pcdnError):
    """A file is no longer the version that was to be hashed."""


def chunk_hashes(source: Source, stretch: Stretch, stop: threading.Event) -> bytes:
    """The hashes of a stretch's chunks, 32 bytes each (this blocks, until ``stop`` at most)."""
    try:
        return _chunk_hashes(source, stretch, stop)
    except SourceError as error:
        if error.reason is SourceReason.MISSING:  # this version is, at the least
            raise ChangedError(stretch.path) from error
        raise


def _chunk_hashes(source: Source, stretch: Stretch, stop: threading.Event) -> bytes:
    file = source.open(stretch.path)
    try:
        if file.identity != stretch.identity:
            raise ChangedError(stretch.path)
        digests = []
        end = stretch.offset + stretch.length
        for offset in range(stretch.offset, end, _READ):
            if stop.is_set():
                raise SourceError(SourceReason.ABORTED, stretch.path)
            block = memoryview(file.read(offset, min(_READ, end - offset)))
            digests += [
                hashlib.sha256(block[at : at + CHUNK_SIZE]).digest()
                for at in range(0, len(block), CHUNK_SIZE)
            ]
        # A short read shows here as well: whoever cut the file has changed its identity.
        if file.current() != stretch.identity:
            raise ChangedError(stretch.path)
        return b"".join(digests)
    finally:
        file.close()


class Digests:
    """The hashes of a stretch's chunks, of its bytes as they come."""

    def __init__(self) -> None:
        self._done: list[bytes] = []
        self._chunk = hashlib.sha256()
        self._filled = 0
        self.size = 0

    def update(self, data: bytes) -> None:
        """These are the next bytes."""
        view = memoryview(data)
        self.size += len(view)
        while view:
            part = view[: CHUNK_SIZE - self._filled]
            self._chunk.update(part)
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == CHUNK_SIZE:
                self._finish()

    def hashes(self) -> bytes:
        """Those of all that came, 32 bytes each; nothing more may come."""
        if self._filled:
            self._finish()
        return b"".join(self._done)

    def _finish(self) -> None:
        self._done.append(self._chunk.digest())
        self._chunk, self._filled = hashlib.sha256(), 0


class Load:
    """What share of a processor a thread takes, from time to time."""

    PERIOD = 0.1
    """Seconds that it is taken over, at the least."""

    def __init__(self) -> None:
        self._at = 0.0
        self._used = 0.0
        self._share = 0.0

    def share(self, now: float, used: float) -> float:
        """That of the last period, when the thread has ``used`` so many seconds in all."""
        if now - self._at >= self.PERIOD:
            self._share = (used - self._used) / (now - self._at) if self._at else 0.0
            self._at, self._used = now, used
        return self._share


class Hasher:
    """Gives hash lists, from memory, from the store, or by hashing."""

    def __init__(self, source: Source, store: HashStore) -> None:
        self._source = source
        self._store = store
        count = max(1, min(4, (os.cpu_count() or 2) - 1))
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="hashing")
        self._lane = asyncio.Semaphore(count)
        """For what comes behind all that is waited for."""
        self._later: dict[Stretch, asyncio.Task[bytes]] = {}
        self._recent: OrderedDict[Stretch, bytes] = OrderedDict()
        self._under_way: dict[Stretch, asyncio.Future[bytes]] = {}
        self._demands = 0
        self._calm = asyncio.Event()
        self._calm.set()
        self._stop = threading.Event()
        self._load = Load()

    async def lists(self, stretches: Sequence[Stretch]) -> list[bytes]:
        """The hash lists of stretches that somebody waits for; `ChangedError` if one is gone."""
        with self._demanded():
            return await self._lists(stretches)

    async def some(self, stretches: Sequence[Stretch], patience: float) -> dict[Stretch, bytes]:
        """The hash list of the first stretch, and those of the others that are there within so
        many seconds; `ChangedError` if one is gone.

        The others are hashed by turns, behind what somebody waits for, and to the end: whoever
        asked for the first will want them. One that fails is left out.
        """
        with self._demanded():
            loop = asyncio.get_running_loop()
            end = loop.time() + patience
            known = await self._known(stretches)
            first, *others = stretches
            job = None if first in known else self._hash(first)
            turns = {s: turn for s in others if s not in known and (turn := self._turn(s))}
            if job is not None:
                await asyncio.wait({job})
                known[first] = job.result()
            if turns:
                await asyncio.wait(turns.values(), timeout=max(end - loop.time(), 0.0))
            return known | _done(turns)

    async def prepare(self, stretch: Stretch) -> None:
        """See to it that a stretch is hashed once somebody asks; nobody waits for it."""
        await self._calm.wait()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await self._lists([stretch])
        took = loop.time() - begun
        if self._load.share(loop.time(), time.thread_time()) > BUSY:
            await asyncio.sleep(min(took * STEP_ASIDE, _LONGEST_ASIDE))

    async def knows(self, stretch: Stretch) -> bool:
        """Whether a stretch was hashed before."""
        if stretch in self._recent:
            return True
        return bool(await asyncio.to_thread(self._store.find, [stretch]))

    async def learn(self, stretch: Stretch, hashes: bytes) -> None:
        """Somebody else has hashed a stretch."""
        self._remember(stretch, hashes)
        await asyncio.to_thread(self._store.keep, stretch, hashes)

    def close(self) -> None:
        """Hash no more."""
        self._stop.set()
        for turn in self._later.values():
            turn.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def _demanded(self) -> Iterator[None]:
        self._demands += 1
        self._calm.clear()
        try:
            yield
        finally:
            self._demands -= 1
            if self._demands == 0:
                self._calm.set()

    async def _lists(self, stretches: Sequence[Stretch]) -> list[bytes]:
        known = await self._known(stretches)
        jobs = {s: self._hash(s) for s in stretches if s not in known}
        if jobs:
            # Not `gather`: another request may wait for the same job when this one is cancelled.
            await asyncio.wait(jobs.values())
        return [known[s] if s in known else jobs[s].result() for s in stretches]

    async def _known(self, stretches: Sequence[Stretch]) -> dict[Stretch, bytes]:
        known = self._remembered(stretches)
        rest = [s for s in stretches if s not in known and s not in self._under_way]
        if rest:
            known |= await asyncio.to_thread(self._store.find, rest)
            known |= self._remembered(rest)  # somebody else may have asked meanwhile
        return known

    def _remembered(self, stretches: Sequence[Stretch]) -> dict[Stretch, bytes]:
        known = {s: self._recent[s] for s in stretches if s in self._recent}
        for stretch in known:
            self._recent.move_to_end(stretch)
        return known

    def _hash(self, stretch: Stretch) -> asyncio.Future[bytes]:
        job = self._under_way.get(stretch)
        if job is None:
            loop = asyncio.get_running_loop()
            job = loop.run_in_executor(self._threads, self._hash_and_keep, stretch)
            self._under_way[stretch] = job
            job.add_done_callback(lambda done: self._finished(stretch, done))
        return job

    def _turn(self, stretch: Stretch) -> asyncio.Task[bytes] | None:
        """The hashing of a stretch that nobody asked for by itself; None if there is too much."""
        turn = self._later.get(stretch)
        if turn is None and len(self._later) < _MOST_LATER:
            turn = asyncio.create_task(self._in_turn(stretch), name="hashing later")
            self._later[stretch] = turn
            turn.add_done_callback(lambda done: self._had_its_turn(stretch, done))
        return turn

    async def _in_turn(self, stretch: Stretch) -> bytes:
        with self._demanded():
            async with self._lane:
                known = self._remembered([stretch])  # somebody may have asked for it since
                if stretch in known:
                    return known[stretch]
                job = self._hash(stretch)
                await asyncio.wait({job})
                return job.result()

    def _had_its_turn(self, stretch: Stretch, turn: asyncio.Task[bytes]) -> None:
        del self._later[stretch]
        if not turn.cancelled() and turn.exception() is not None:
            log.info("not_hashed", path=stretch.path, reason=str(turn.exception()))

    def _hash_and_keep(self, stretch: Stretch) -> bytes:
        hashes = chunk_hashes(self._source, stretch, self._stop)
        if not self._stop.is_set():
            self._store.keep(stretch, hashes)
        return hashes

    def _finished(self, stretch: Stretch, job: asyncio.Future[bytes]) -> None:
        del self._under_way[stretch]
        if not job.cancelled() and job.exception() is None:
            self._remember(stretch, job.result())

    def _remember(self, stretch: Stretch, hashes: bytes) -> None:
        self._recent[stretch] = hashes
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)


def _done(turns: Mapping[Stretch, asyncio.Task[bytes]]) -> dict[Stretch, bytes]:
    """What has been hashed of it."""
    done = {s: turn for s, turn in turns.items() if turn.done() and not turn.cancelled()}
    for turn in done.values():
        error = turn.exception()
        if isinstance(error, ChangedError):
            raise ChangedError(*error.args)
    return {s: turn.result() for s, turn in done.items() if turn.exception() is None}
