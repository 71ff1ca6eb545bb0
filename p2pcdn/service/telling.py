"""What workers without a tracker tell the first of them: their figures, once a second.

(A tracker's workers have more to say to each other, and tell their figures with it.) They go by the
Unix socket on which the first answers HTTP for others, with a secret that workers alone know.

Whoever hears no answer cannot know whether it was heard: it says the same once more, and the first
knows by when it was said that it has heard it.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Iterable
from http import HTTPStatus

import aiohttp
import msgspec
from aiohttp import hdrs, web

from p2pcdn.service.figures import FIGURES, Figures, Steps
from p2pcdn.service.worker import Worker

EVERY = 1.0
"""Seconds between two words."""

PATIENCE = 1.0
"""Seconds that the first may take to answer one."""

GONE = 5.0
"""Seconds without a word after which a worker's gauges count no more."""

PATH = "/workers/figures"


class Word(msgspec.Struct, frozen=True, array_like=True):
    """What a worker tells at once."""

    name: str
    said_at: int
    """By the machine's one clock, which runs on when a worker begins anew."""
    steps: Steps


class Telling:
    """A service beside the origin in each of several workers."""

    def __init__(self, worker: Worker, figures: Figures = FIGURES) -> None:
        self._worker = worker
        self._figures = figures
        self._unheard: Word | None = None
        """What the first may have heard, and may not."""
        self._heard: dict[str, float] = {}
        """When each of the others has told something."""
        self._latest: dict[str, int] = {}
        """When each has said what was heard last."""
        self._task: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Where the first hears."""
        return [web.post(PATH, self._hear)] if self._worker.is_first else []

    async def start(self) -> None:
        """Begin to tell, or to notice who tells no more."""
        if self._worker.is_alone:
            return
        work = self._notice_the_gone() if self._worker.is_first else self._tell_again()
        self._task = asyncio.create_task(work, name="telling")

    async def drain(self) -> None:
        """There is nothing that waits."""

    async def close(self) -> None:
        """Tell the last."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if not self._worker.is_first and (self._unheard is None or await self._tell()):
            await self._tell()
        if self._session is not None:
            await self._session.close()

    def problems(self) -> list[str]:
        """None that concerns viewers."""
        return []

    async def _tell_again(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self._tell()

    async def _tell(self) -> bool:
        """Tell what is new, or first what may not have been heard; whether it was heard now."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self._worker.inside)),
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
            )
        if self._unheard is None:
            self._unheard = Word(self._worker.name, time.monotonic_ns(), self._figures.steps())
        try:
            async with self._session.post(
                f"http://p2pcdn{PATH}",
                data=msgspec.json.encode(self._unheard),
                headers={hdrs.AUTHORIZATION: self._worker.secret.hex()},
            ) as answer:
                answer.raise_for_status()
        except (aiohttp.ClientError, TimeoutError):
            return False
        self._unheard = None
        return True

    async def _hear(self, request: web.Request) -> web.Response:
        given = request.headers.get(hdrs.AUTHORIZATION, "")
        secret = self._worker.secret.hex()
        if not secret or not hmac.compare_digest(given.encode(errors="replace"), secret.encode()):
            raise web.HTTPNotFound
        word = msgspec.json.decode(await request.read(), type=Word)
        if word.said_at > self._latest.get(word.name, 0):
            self._latest[word.name] = word.said_at
            self._figures.note(word.name, word.steps)
        self._heard[word.name] = asyncio.get_running_loop().time()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _notice_the_gone(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            since = asyncio.get_running_loop().time() - GONE
            for name in [name for name, at in self._heard.items() if at < since]:
                del self._heard[name]
                self._figures.gone(name)
