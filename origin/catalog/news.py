"""What has just come out of live renditions, for whoever passes it on to those who wait for it.

::

    edition, and the one before --> what is new --> a signed page of it, and its hashes --> Records

The page is what `?records=A-B` answers, so those who are told need not ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from origin.catalog.edition import Edition
from origin.catalog.hashing import ChangedError
from origin.catalog.pages import Pages
from p2pcdn.core.news import FEW
from p2pcdn.model import Span
from p2pcdn.wire.manifest import PAGE_RECORDS, Records, RenditionManifest, to_base64

_MOST_HASH_BYTES = 24_576
"""As base64, what `Records` carries at most: the hashes of 48 MB of media."""


class News:
    """Makes records of what is new, and hands them to ``pass_on``."""

    def __init__(self, pages: Pages, pass_on: Callable[[Records], None]) -> None:
        self._pages = pages
        self._pass_on = pass_on
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, before: Edition, edition: Edition) -> None:
        """A live edition has taken the place of another."""
        first = edition.after(before.last)
        if edition.era != before.era:
            # Whoever watches it does not look for numbers that are lower than those it had.
            first = max(edition.first, edition.last - FEW + 1)
        if first is None:
            return
        new = Span(max(first, edition.last - PAGE_RECORDS + 1), edition.last)
        if len(edition.within(new)) < len(new.numbers()):
            return  # a number is left out, which hash lists cannot say: whoever waits will ask
        task = asyncio.create_task(self._tell(edition, new), name=f"news of {edition.rendition}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Tell nothing more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, edition: Edition, new: Span) -> None:
        try:
            page = await self._pages.records(edition, new)
            hashes = await self._pages.hashes(edition, new)
        except ChangedError:
            return  # a file is no longer what the edition says; the next one is about to come
        if len(hashes.data) <= _MOST_HASH_BYTES:
            manifest = msgspec.json.decode(page.data, type=RenditionManifest)
            self._pass_on(Records(manifest, to_base64(hashes.data)))
