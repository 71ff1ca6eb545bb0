"""The parts of far files that were read last, in memory: each is fetched once, whoever asks for it
meanwhile."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

BLOCK = 2 * 1024 * 1024
"""Bytes of one: most segments are one, and 1/25 s of a fast line."""

MOST = 32
"""Blocks, that is 64 MiB."""


class Blocks:
    """Blocks by what they are of. Any thread may use it."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._recent: OrderedDict[Hashable, bytes] = OrderedDict()
        self._under_way: dict[Hashable, Future[bytes]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, fetch: Callable[[], bytes]) -> bytes:
        """A block, by ``fetch`` if it is not there; what that raises, all who wait for it get."""
        with self._lock:
            block = self._find(key)
            if block is not None:
                return block
            job = self._under_way.get(key)
            mine: Future[bytes] = Future()
            if job is None:
                self._under_way[key] = mine
        if job is not None:
            return job.result()
        try:
            block = fetch()
        except BaseException as error:
            with self._lock:
                del self._under_way[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._under_way[key]
            self._recent[key] = block
            while len(self._recent) > self._most:
                self._recent.popitem(last=False)
        mine.set_result(block)
        return block

    def find(self, key: Hashable) -> bytes | None:
        """A block, if it is there."""
        with self._lock:
            return self._find(key)

    def _find(self, key: Hashable) -> bytes | None:
        block = self._recent.get(key)
        if block is not None:
            self._recent.move_to_end(key)
        return block
