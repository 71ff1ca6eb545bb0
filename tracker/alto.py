"""The operator's ALTO maps (RFC 7285), from files or URLs, kept up to date.

::

    file, when it changes  --.                          .--> Atlas, if they belong together
    URL, when it is stale  ---+--> bytes --> parsed ----+
                                                        '--> a note, and what was known stays

Neither is waited for: until both are there, nothing is known of regions. They are read and laid out
in a thread, and large ones in a process of their own: a thread gives way to others only between
steps, and some of those take a tenth of a second.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import re
import sys
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Protocol

import aiohttp
import structlog
from yarl import URL

from p2pcdn.core.atlas import NOWHERE, Atlas, Regions, atlas_of
from p2pcdn.failures import why
from p2pcdn.wire.alto import COST_MAP, NETWORK_MAP, AltoError, CostMap, parse

MOST_BYTES = 16_777_216
"""Of a document: half a million prefixes."""
APART = 262_144
"""Bytes from which a document is read in a process of its own, which takes a second to start."""
TIMEOUT = 30.0
"""Seconds that a server has for its answer."""
LOOK_EVERY = 1.0
"""Seconds between two looks at a file, which is read when it was the same at both."""
USUALLY = 3600.0
"""Seconds for which a server's answer is good that does not say."""
LEAST, MOST = 60.0, 86_400.0
"""Seconds for which it is good, whatever it says."""
JITTER = 0.1
"""By so much longer it is waited, at random: many trackers may have the same map."""

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?![^\s,])", re.IGNORECASE)
_STALE = re.compile(r"(?:^|[\s,])no-(?:cache|store)\b", re.IGNORECASE)

log = structlog.get_logger("p2pcdn.tracker")


class Source(Protocol):
    """Where a document comes from."""

    name: str
    """For people."""
    due: float
    """When to look again."""

    async def fetch(self, now: float) -> bytes | None:
        """The document, if it is another than before; `AltoError` says why it cannot be had."""


class File:
    """A file, read when it has changed."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.due = 0.0
        self._path = path
        self._read: tuple[int, ...] = ()
        """What tells the version that was read from others."""
        self._before: tuple[int, ...] | None = None

    async def fetch(self, now: float) -> bytes | None:
        self.due = now + LOOK_EVERY
        return await asyncio.to_thread(self._look)

    def _look(self) -> bytes | None:
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            settled = self._before in (None, stamp)  # or it is being written
            self._before = stamp
            if stamp == self._read or not settled:
                return None
            if found.st_size > MOST_BYTES:
                raise too_large()
            data = self._path.read_bytes()
        except (OSError, ValueError) as error:
            if isinstance(error, AltoError):
                raise
            raise AltoError(f"It cannot be read: {getattr(error, 'strerror', error)}.") from error
        self._read = stamp
        return data


class Web:
    """A URL, asked again when its last answer is stale."""

    def __init__(self, url: str, rng: Random) -> None:
        self._url = URL(url)
        # Others may read what is said of it.
        self.name = str(self._url.with_user(None).with_query(None).with_fragment(None))
        self.due = 0.0
        self._rng = rng
        self._etag: str | None = None

    async def fetch(self, now: float) -> bytes | None:
        self.due = now + self._jittered(LEAST)
        try:
            return await self._ask(now)
        except TimeoutError as error:
            raise AltoError(f"There was no whole answer within {TIMEOUT:g} seconds.") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, AltoError):
                raise
            raise AltoError(f"It cannot be fetched: {why(error)[:256]}.") from error

    async def _ask(self, now: float) -> bytes | None:
        headers = {"Accept": f"{NETWORK_MAP}, {COST_MAP}, application/json;q=0.5"}
        if self._etag is not None:
            headers["If-None-Match"] = self._etag
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(self._url, headers=headers, max_redirects=3) as answer,
        ):
            if answer.status not in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
                raise AltoError(f"The server answered {answer.status}.")
            self.due = now + self._jittered(good_for(answer.headers.get("Cache-Control", "")))
            if answer.status == HTTPStatus.NOT_MODIFIED:
                return None
            data = bytearray()
            async for piece in answer.content.iter_chunked(65_536):
                data += piece
                if len(data) > MOST_BYTES:
                    raise too_large()
            self._etag = answer.headers.get("ETag")
            return bytes(data)

    def _jittered(self, seconds: float) -> float:
        return seconds * self._rng.uniform(1.0, 1.0 + JITTER)


class Alto:
    """The maps that are in force."""

    def __init__(
        self, names: Iterable[str], changed: Callable[[Atlas], None], rng: Random | None = None
    ) -> None:
        """``names`` are paths and URLs; ``changed`` is told of each new atlas."""
        rng = rng or Random(os.urandom(32))
        self.atlas = NOWHERE
        self._sources = [Web(name, rng) if "://" in name else File(Path(name)) for name in names]
        self._changed = changed
        self._maps: dict[Source, Regions | CostMap] = {}
        self._unread: dict[Source, str] = {}
        """Why what there is now cannot be had."""
        self._refused: dict[Source, str] = {}
        """What is wrong with what was had last."""
        self._unfit = ""
        """Why they do not belong together."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Read them, and look after them from now on."""
        if self._sources:
            self._task = asyncio.create_task(self._watch(), name="alto")

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def notes(self) -> list[str]:
        """What an operator should know, one sentence or two each."""
        notes = [
            f"ALTO: {source.name}: {said}"
            for wrong in (self._unread, self._refused)
            for source, said in wrong.items()
        ]
        return [*notes, f"ALTO: {self._unfit}"] if self._unfit else notes

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = [source for source in self._sources if source.due <= loop.time()]
            # One by one: a parse takes memory.
            if any([await self._look(source, loop.time()) for source in due]):
                self._draw(loop.time())
            at = min(source.due for source in self._sources)
            await asyncio.sleep(max(at - loop.time(), 0.0))

    async def _look(self, source: Source, now: float) -> bool:
        """Whether the source has another map than before."""
        try:
            data = await source.fetch(now)
        except AltoError as error:
            self._note(self._unread, source, str(error))
            return False
        self._unread.pop(source, None)
        if data is None:
            return False
        try:
            apart = len(data) >= APART
            self._maps[source] = await (
                read_apart(data) if apart else asyncio.to_thread(read, data)
            )
        except AltoError as error:
            self._note(self._refused, source, str(error))
            return False
        self._refused.pop(source, None)
        return True

    def _draw(self, now: float) -> None:
        """Make an atlas of the maps, if they belong together."""
        regions = [found for found in self._maps.values() if isinstance(found, Regions)]
        costs = [found for found in self._maps.values() if isinstance(found, CostMap)]
        try:
            if len(regions) > 1 or len(costs) > 1:
                kind = "network" if len(regions) > 1 else "cost"
                raise AltoError(f"There are two {kind} maps: tracker.alto may name one.")
            if not regions:
                if not costs:
                    return  # what is wrong has been said
                raise AltoError(
                    "There is a cost map and no network map that could be read: tracker.alto has "
                    "to name one."
                )
            atlas = atlas_of(regions[0], next(iter(costs), None))
        except AltoError as error:
            if str(error) != self._unfit:
                self._unfit = str(error)
                log.error("alto_refused", error=self._unfit, in_force="what was before")
            for source in self._sources:  # one may be newer than the other
                source.due = min(source.due, now + LEAST)
            return
        self._unfit = ""
        self.atlas = atlas
        log.info("alto_read", blocks=len(regions[0]), costs=bool(costs))
        self._changed(atlas)

    def _note(self, wrong: dict[Source, str], source: Source, said: str) -> None:
        if wrong.get(source) != said:
            wrong[source] = said
            log.error("alto_refused", source=source.name, error=said, in_force="what was before")


def read(data: bytes) -> Regions | CostMap:
    """A document, laid out."""
    found = parse(data)
    return found if isinstance(found, CostMap) else Regions(found)


async def read_apart(data: bytes) -> Regions | CostMap:
    """The same in another process; in a thread if there can be none."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __name__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        log.warning("alto_not_apart", why=str(error))
        return await asyncio.to_thread(read, data)
    try:
        said, _ = await process.communicate(data)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        log.warning("alto_not_apart", why=f"It ended with {process.returncode}.")
        return await asyncio.to_thread(read, data)
    found: Regions | CostMap | AltoError
    found = await asyncio.to_thread(pickle.loads, said)  # by ourselves, below
    if isinstance(found, AltoError):
        raise found
    return found


def main() -> None:
    """Read what comes in, and say what it is."""
    found: Regions | CostMap | AltoError
    try:
        found = read(sys.stdin.buffer.read())
    except AltoError as error:
        found = error
    pickle.dump(found, sys.stdout.buffer)


def good_for(cache_control: str) -> float:
    """Seconds for which an answer need not be asked for again."""
    if _STALE.search(cache_control):
        return LEAST
    found = _MAX_AGE.search(cache_control)
    return min(max(float(found[1]), LEAST), MOST) if found else USUALLY


def too_large() -> AltoError:
    return AltoError(f"It is larger than {MOST_BYTES:,} bytes.")


if __name__ == "__main__":
    main()
