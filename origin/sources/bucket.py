"""A bucket of an object store as a source.

::

    open, identify_all --> known versions, by path --stale--> HEAD
    list, folder_time  --> their folders ------------stale--> a listing of all, 1,000 a request
    read               --> Blocks, DiskCache ----not there--> GET of a block of that version

Each question costs money and time, so what was learnt is believed for a while: a version for a
tenth of its age, as caches do it (RFC 9111, 4.2.2), and `PAUSE` at the most. Bytes are of one
version whatever is believed, since each block is asked for on condition that it still is. A store
that is away is no empty one: what was known of it stays.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec
import structlog

from origin.sources import Identity, Listing, missing
from origin.sources.blocks import BLOCK, Blocks
from origin.sources.cache import DiskCache
from origin.sources.folders import folders_of
from origin.sources.object_store import NO_BUCKET, Object, ObjectReader, Place, again
from p2pcdn.errors import SourceError, SourceReason

PAUSE = 60.0
"""Seconds between two listings for each `PAGES` requests that one takes: S3 charges for a request
of a listing what twelve others cost, half a cent for a thousand."""

PAGES = 5

ASKED = 10.0
"""Seconds for which a version is believed at the most when somebody asks for that file."""

LEAST = 1.0
"""Seconds for which anything is believed, such as that there is no such object."""

AGE = 0.1
"""Share of its age for which a version is believed: what has changed lately may change again."""

AGAIN = 10.0
"""Seconds after which a listing that failed is tried again."""

MOST_LISTED = 200_000
"""Objects. What is in a larger bucket is served, and known by what is asked for."""

_PAGE = 1000
"""Objects that one request of a listing brings."""

_LOOKS_A_PAGE = 12
"""What a request of a listing costs, in looks at one object."""

_LOOKERS = 16

_MOST_ABSENT = 10_000

log = structlog.get_logger("p2pcdn.origin")


class Known(NamedTuple):
    """What was found at a path."""

    object: Object | None
    """None if there was nothing."""
    looked: float


class BucketFile:
    """An object, open for reading."""

    def __init__(self, bucket: Bucket, path: str, version: Object) -> None:
        self.identity = version.identity
        self._bucket = bucket
        self._path = path
        self._version = version

    def read(self, offset: int, size: int) -> bytes:
        """As `File.read`; `SourceError` (missing) if another version has taken its place."""
        stop = min(offset + size, self.identity.size)
        parts = []
        while offset < stop:
            number, begin = divmod(offset, BLOCK)
            part = self._bucket.block(self._path, self._version, number)[
                begin : begin + stop - offset
            ]
            parts.append(part)
            offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_cached(self, offset: int, size: int) -> memoryview | None:
        number, begin = divmod(offset, BLOCK)
        end = min(begin + size, begin + self.identity.size - offset)
        block = self._bucket.found_block(self._path, self._version, number)
        if block is None or not begin < end <= BLOCK:
            return None
        return memoryview(block)[begin:end]

    def current(self) -> Identity:
        return self.identity  # no byte was read of another version

    def close(self) -> None:
        """Nothing is held open."""


class Bucket:
    """The objects under a prefix."""

    def __init__(
        self,
        place: Place,
        reader: ObjectReader,
        disk: DiskCache,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._place = place
        self._reader = reader
        self._clock = clock
        self._wall = wall
        self._disk = disk
        self._blocks = Blocks()
        """Those of the disk, or of the store, that were read last."""
        self._known: dict[str, Known] = {}
        self._absent = 0
        """How many of these are not there, at the most."""
        self._folders: dict[str, tuple[Listing, int]] | None = None
        """With the time when it was first seen so; None if something has come or gone since."""
        self._before: dict[str, tuple[Listing, int]] = {}
        self._lock = threading.Lock()
        """Of the above."""
        self._listing = threading.Lock()
        self._list_at = float("-inf")
        self._tried = float("-inf")
        self._pause = PAUSE
        self._unlisted: SourceError | None = None
        """Why it could not be listed when that was last tried."""
        self._lookers = ThreadPoolExecutor(_LOOKERS, thread_name_prefix="bucket")
        self._looking: set[str] = set()

    def open(self, path: str) -> BucketFile:
        with self._reader.turn():
            found = self._look_unless_fresh(path, ASKED)
        if found is None:
            raise missing(path)
        return BucketFile(self, path, found)

    def identify_all(self, paths: Iterable[str]) -> dict[str, Identity]:
        """Versions that are known are told at once, and looked at anew for the next time."""
        asked = list(paths)
        stale = [path for path in asked if not self._is_fresh(self._known.get(path), self._pause)]
        new = [path for path in stale if not self._is_there(path)]
        old = [path for path in stale if self._is_there(path)]
        if self._pays_to_list(new):
            self._list()
            new = [path for path in new if path not in self._known]
        list(self._lookers.map(self._look, new))
        if self._pays_to_list(old):
            self._lookers.submit(self._list)
        else:
            self._look_later(old)
        known = ((path, self._known.get(path)) for path in asked)
        return {path: k.object.identity for path, k in known if k is not None and k.object}

    def list(self, folder: str) -> Listing:
        return self._folder(folder)[0]

    def folder_time(self, folder: str) -> int:
        """When the folder was first seen as it is."""
        return self._folder(folder)[1]

    def is_far(self, path: str) -> bool:
        return True

    def reach(self) -> None:
        self._list()
        if self._unlisted is None:
            return
        if self._unlisted.detail == NO_BUCKET:
            raise SourceError(SourceReason.MISSING, NO_BUCKET)
        raise again(self._unlisted)

    def close(self) -> None:
        self._lookers.shutdown(wait=False, cancel_futures=True)

    def problems(self) -> tuple[str, ...]:
        trouble = self._reader.trouble or self._unlisted
        if trouble is None:
            return ()
        return (f"The bucket {self._place.name} cannot be read: {trouble.detail}.",)

    # Bytes

    def block(self, path: str, version: Object, number: int) -> bytes:
        """A block of a version; may wait."""
        found = self.found_block(path, version, number)
        if found is not None:
            return found
        try:
            with self._reader.turn():
                return self._blocks.get(
                    (path, version, number), lambda: self._fetch(path, version, number)
                )
        except SourceError as error:
            if error.reason is SourceReason.MISSING:
                self._known.pop(path, None)
            raise

    def found_block(self, path: str, version: Object, number: int) -> bytes | None:
        """The same if it is in memory."""
        return self._blocks.find((path, version, number))

    def _fetch(self, path: str, version: Object, number: int) -> bytes:
        begin = number * BLOCK
        length = min(BLOCK, version.identity.size - begin)
        told = (self._place.endpoint, self._place.name, path, version, number)
        key = hashlib.sha256(msgspec.msgpack.encode(told)).hexdigest()
        piece = self._disk.find(key, length)
        if piece is not None:
            return piece.read(0, length)
        data = self._reader.read(path, version, begin, begin + length)
        self._disk.keep(key, data)
        return data

    # One object

    def _is_there(self, path: str) -> bool:
        known = self._known.get(path)
        return known is not None and known.object is not None

    def _is_fresh(self, known: Known | None, most: float) -> bool:
        if known is None:
            return False
        believed = LEAST
        if known.object is not None:
            age = self._wall() - known.object.identity.modified
            believed = min(max(LEAST, AGE * age), most)
        return self._clock() < known.looked + believed

    def _look_unless_fresh(self, path: str, most: float) -> Object | None:
        known = self._known.get(path)
        if known is None or not self._is_fresh(known, most):
            known = self._look(path)
        return known.object

    def _look(self, path: str) -> Known:
        now = self._clock()
        try:
            found = Known(self._reader.look(path), now)
        except SourceError as error:
            if error.reason is not SourceReason.MISSING:
                raise
            if self._unlisted is not None and self._unlisted.detail == NO_BUCKET:
                raise again(self._unlisted) from None  # which the answer to a HEAD does not say
            found = Known(None, now)
        self._note(path, found)
        return found

    def _look_later(self, paths: Iterable[str]) -> None:
        for path in paths:
            if path not in self._looking:
                self._looking.add(path)
                self._lookers.submit(self._look_for_later, path)

    def _look_for_later(self, path: str) -> None:
        try:
            self._look(path)
        except SourceError as error:
            log.info("not_looked_at", path=path, reason=str(error))
        finally:
            self._looking.discard(path)

    def _note(self, path: str, found: Known) -> None:
        with self._lock:
            before = self._known.get(path)
            self._known[path] = found
            if (before is not None and before.object is not None) != (found.object is not None):
                self._folders = None
            if before is None and found.object is None:
                self._absent += 1
            if self._absent > _MOST_ABSENT:  # somebody tries names
                self._known = {p: known for p, known in self._known.items() if known.object}
                self._absent = 0

    # All of them

    def _folder(self, folder: str) -> tuple[Listing, int]:
        self._list()
        if self._unlisted is not None and not self._known:
            raise again(self._unlisted)
        with self._lock:
            if self._folders is None:
                self._folders = self._timed(
                    folders_of(path for path, known in self._known.items() if known.object)
                )
            found = self._folders.get(folder)
        if found is None:
            raise missing(folder)
        return found

    def _timed(self, folders: dict[str, Listing]) -> dict[str, tuple[Listing, int]]:
        now = time.time_ns()
        self._before = {
            folder: before
            if (before := self._before.get(folder)) is not None and before[0] == listing
            else (listing, now)
            for folder, listing in folders.items()
        }
        return self._before

    def _pays_to_list(self, paths: Sequence[str]) -> bool:
        """Whether a listing of all costs less than a look at each of these."""
        pages = -(-len(self._known) // _PAGE) or 1
        return len(paths) > _LOOKS_A_PAGE * pages and self._clock() >= self._list_at

    def _list(self) -> None:
        """Learn what there is, if it is time to; a failure is kept for those who need to know."""
        with self._listing:
            again_at = self._list_at
            if self._reader.trouble is not None:
                again_at = min(again_at, self._tried + AGAIN)
            if self._clock() < again_at:
                return
            self._tried = self._clock()
            try:
                self._take(self._reader.list(MOST_LISTED), self._tried)
                self._unlisted = None
            except SourceError as error:
                log.warning("bucket_not_listed", bucket=self._place.name, reason=error.detail)
                self._unlisted = error
                self._list_at = self._tried + AGAIN

    def _take(self, found: dict[str, Object] | None, begun: float) -> None:
        if found is None:
            log.warning("bucket_too_large_to_list", bucket=self._place.name, most=MOST_LISTED)
            self._list_at = float("inf")
            return
        self._pause = PAUSE * max(1.0, len(found) / _PAGE / PAGES)
        self._list_at = begun + self._pause
        listed = {path: Known(version, begun) for path, version in found.items()}
        with self._lock:
            since = {path: known for path, known in self._known.items() if known.looked > begun}
            self._known = listed | since
            self._absent = len(since)
            self._folders = None
