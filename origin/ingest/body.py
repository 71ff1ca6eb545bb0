"""The body of an upload: as large, as slow and as fast as it may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

from aiohttp import web

from origin.http_error import HttpError
from p2pcdn.config import IngestConfig

BURST = 1.0
"""Seconds for which uploads may be faster than they may on average."""


class Pace:
    """How fast all uploads together may be."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._paid_until = 0.0

    async def pay(self, size: int) -> None:
        """Wait for as long as these bytes were too early."""
        now = asyncio.get_running_loop().time()
        self._paid_until = max(self._paid_until, now) + size / self._rate
        early = self._paid_until - now - BURST
        if early > 0:
            await asyncio.sleep(early)


def check_length(request: web.Request, most: int) -> None:
    """`HttpError` if the body will be too large, as far as that is said beforehand."""
    if (request.content_length or 0) > most:
        raise _too_large(most)


async def blocks(
    request: web.Request, most: int, limits: IngestConfig, pace: Pace
) -> AsyncIterator[bytes]:
    """The body, piece by piece, as it comes; `HttpError` if it is too large or too slow."""
    size = 0
    loop = asyncio.get_running_loop()
    end = loop.time() + limits.timeout
    while True:
        try:
            async with asyncio.timeout_at(min(end, loop.time() + limits.idle_timeout)):
                block = await request.content.readany()
        except TimeoutError:
            raise _too_slow(limits, over=loop.time() >= end) from None
        if not block:
            return
        size += len(block)
        if size > most:
            raise _too_large(most)
        await pace.pay(len(block))
        yield block


def _too_large(most: int) -> HttpError:
    return HttpError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A file of this kind has at most {most} bytes here."
    )


def _too_slow(limits: IngestConfig, *, over: bool) -> HttpError:
    message = (
        f"The upload was not complete within {limits.timeout:g} s."
        if over
        else f"Nothing came of the upload for {limits.idle_timeout:g} s."
    )
    return HttpError(HTTPStatus.REQUEST_TIMEOUT, message)
