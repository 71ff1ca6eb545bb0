"""A rendition through time: one edition after another, each complete before it is shown.

::

                       +--------- the newest segment is not there yet --------+
                       v                                                      |
    new playlist --> read --> plan --> live: hash what is new --> date --> published
                                   \\--> VOD: hash on demand -----/

So a live playlist that viewers get never names a segment whose record they could not have.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from origin.catalog.edition import Edition, Stretch, edition_of_file, edition_of_playlist
from origin.catalog.hash_store import HashStore
from origin.catalog.hashing import ChangedError, Hasher
from origin.catalog.library import Library, View
from origin.catalog.playlist import (
    Document,
    MultivariantPlaylist,
    document_of,
    load,
    parse,
)
from origin.content_types import is_playlist
from origin.paths import address_of
from origin.sources import Source, missing
from p2pcdn.errors import P2pcdnError
from p2pcdn.model import content_id

POLL = 0.1
"""Seconds between two looks at something that is being written."""

RECHECK = 1.0
"""Seconds for which it is believed that nobody has changed the segments of a finished rendition."""

_SHARE = 0.05
"""The most of a processor's time that this checking may take, however long the rendition is."""

_PATIENCE = 0.5
"""Seconds that a request waits for the next edition when there is one to show."""

_FIRST_PATIENCE = 20.0
"""Seconds that it waits for the first."""

log = structlog.get_logger("p2pcdn.origin")


class NotReadyError(P2pcdnError):
    """There is no edition to show yet."""


class NotARenditionError(P2pcdnError):
    """The playlist is a multivariant one: it has renditions, and is none."""

    def __init__(self, playlist: MultivariantPlaylist) -> None:
        super().__init__()
        self.playlist = playlist


@dataclass(frozen=True, slots=True)
class Studio:
    """What editions are made with."""

    source: Source
    library: Library
    hasher: Hasher
    store: HashStore
    site: str
    window: int
    """How many segments of a live rendition are remembered."""
    knows: Callable[[Stretch], bool] | None = None
    """Where files are fetched to be hashed: whether that was done. Others have no piece yet."""
    paths: dict[str, str] = field(default_factory=dict)
    """Of each content that was asked for, where it is: the path of its playlist, or its file."""


class Rendition:
    """A media playlist, a representation of a DASH manifest or a plain file, and its latest
    edition."""

    def __init__(
        self,
        path: str,
        studio: Studio,
        on_published: Callable[[Rendition], None] = lambda rendition: None,
    ) -> None:
        self.path = path
        self.edition: Edition | None = None
        self.before: Edition | None = None
        """The edition before it."""
        self._studio = studio
        self._on_published = on_published
        self._run: asyncio.Task[None] | None = None
        self._grown = asyncio.Event()
        self._recheck_at = 0.0
        self._closing = False

    @property
    def is_live(self) -> bool:
        """Whether viewers get its playlist by editions rather than straight from the source."""
        return self.edition is not None and self.edition.live

    @property
    def is_busy(self) -> bool:
        """Whether an edition is being made."""
        return self._run is not None and not self._run.done()

    async def current(self) -> Edition:
        """The edition to answer with now.

        `SourceError` or `PlaylistError` if there is nothing to make one of, `NotARenditionError`,
        `NotReadyError`.
        """
        if self._is_checked():
            assert self.edition is not None
            return self.edition
        run = self.refresh()
        await asyncio.wait({run}, timeout=_PATIENCE if self.is_live else _FIRST_PATIENCE)
        if run.done() and not run.cancelled() and not self.is_live:
            run.result()  # raises what went wrong
        if self.edition is None:
            raise NotReadyError(self.path)
        return self.edition

    async def newer_than(self, sequence: int, patience: float) -> Edition:
        """The first edition with a segment newer than ``sequence``, or of another era than now; the
        latest one if there is none within ``patience`` seconds, or if nothing more can come."""
        edition = await self.current()
        era = edition.era
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._is_awaited(edition, sequence, era):
                    await self._grown.wait()
                    edition = self.edition or edition
        return edition

    def _is_awaited(self, edition: Edition, sequence: int, era: int) -> bool:
        grows = edition.live and not self._closing
        return grows and edition.last <= sequence and edition.era == era

    def refresh(self) -> asyncio.Task[None]:
        """Make a new edition if there is something new; one attempt at a time."""
        if self._run is None or self._run.done():
            self._run = asyncio.create_task(self._refresh(), name=f"edition of {self.path}")
            self._run.add_done_callback(_take_note)
        return self._run

    def doubt(self) -> None:
        """Believe no longer that nothing has changed."""
        self._recheck_at = 0.0

    def wake(self) -> None:
        """Let everybody go who waits for a newer edition."""
        self._closing = True
        self._grown.set()

    async def close(self) -> None:
        """Stop what is under way."""
        self.wake()
        if self._run is not None:
            self._run.cancel()
            await asyncio.wait({self._run})

    def _is_checked(self) -> bool:
        if self.edition is None or self.edition.live:
            return False
        return asyncio.get_running_loop().time() < self._recheck_at

    async def _refresh(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        while (draft := await self._draft()) is not None:
            waits = loop.time() < start + draft.awaited
            if not waits and await self._can_be_shown(draft):
                self._publish(await asyncio.to_thread(self._dated, draft))
                break
            await asyncio.sleep(POLL)
        self._recheck_at = start + max(RECHECK, (loop.time() - start) / _SHARE)

    async def _draft(self) -> Edition | None:
        """What there is now, if it is not what there was."""
        path = document_of(self.path)
        if not is_playlist(path):
            return await asyncio.to_thread(self._draft_file)
        document = await asyncio.to_thread(load, self._studio.source, path)
        view = await self._studio.library.view(path)
        content = self._content(view.owners.get(self.path, path))
        if self._is_shown(document, content):
            return None
        return await asyncio.to_thread(self._draft_playlist, document, content, view)

    def _is_shown(self, document: Document, content: str) -> bool:
        """Whether the live edition is of this very document.

        A live segment is written once, so it is looked at only with a new playlist that names it.
        """
        known = self.edition
        if known is None or not known.live or known.document is None:
            return False
        return known.document.identity == document.identity and known.content == content

    def _draft_file(self) -> Edition:
        identity = self._studio.source.identify_all([self.path]).get(self.path)
        if identity is None:
            raise missing(self.path)
        return edition_of_file(self.path, self._content(self.path), identity)

    def _draft_playlist(self, document: Document, content: str, view: View) -> Edition:
        owner = view.presentations.get(view.owners.get(self.path, ""))
        around = self._studio.library.around
        if owner is not None:
            around = replace(around, variables=owner.variables)
        playlist = parse(self.path, document.data, around)
        if isinstance(playlist, MultivariantPlaylist):
            raise NotARenditionError(playlist)
        edition = edition_of_playlist(
            self._studio.source,
            self.path,
            content,
            document,
            playlist,
            self.edition,
            self._studio.window,
        )
        if self._studio.knows is None:
            return edition
        known = edition.known_by(self._studio.knows)
        return known if playlist.live else replace(known, extent=playlist.extent)

    def _content(self, path: str) -> str:
        content = content_id(self._studio.site, address_of(path))
        self._studio.paths[content] = path
        return content

    async def _can_be_shown(self, draft: Edition) -> bool:
        """Whether every segment has its record, if that has to be so already."""
        if not (draft.live or self.is_live):
            return True
        known = self.edition.pieces if self.edition is not None else {}
        new = [p.stretch for p in draft.pieces.values() if known.get(p.sequence) != p]
        try:
            await self._studio.hasher.lists(new)
        except ChangedError:
            return False  # still being written, or deleted
        return True

    def _dated(self, draft: Edition) -> Edition:
        before = self.edition
        if before is not None and before.says_the_same(draft):
            return replace(draft, time=before.time, era=before.era)
        return self._studio.store.date(draft, before, time.time_ns() // 1_000_000)

    def _publish(self, edition: Edition) -> None:
        self.before, self.edition = self.edition, edition
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
        self._on_published(self)


def _take_note(run: asyncio.Task[None]) -> None:
    """Look at how a run ended, since sometimes nobody else does."""
    if not run.cancelled() and run.exception() is not None:
        log.debug("no_edition", run=run.get_name(), error=repr(run.exception()))
