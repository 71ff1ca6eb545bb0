"""A content, saved: as the file that it is, or as a folder with its playlists and segments.

::

    TARGET.p2pcdn/store    chunks as they come, verified, whatever ends us
    TARGET.p2pcdn/saved    made of them once all are there
    TARGET                 that, moved

So there is nothing at the target before it is whole, and who is killed goes on where he was. For a
moment that takes twice the room.
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import shutil
from collections.abc import Iterable
from pathlib import Path

import aiohttp
import msgspec

from p2pcdn.config import Config
from p2pcdn.errors import P2pcdnError, SourceError, UnavailableError
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.manifest import SegmentRecord
from peer.native.addresses import ContentAddress
from peer.native.disk.disk import Disk
from peer.native.http_source import HttpSource
from peer.native.playlists import extras, is_safe, localised, path_of
from peer.native.runner import NativePeer

NO_BOUND = 2**62
"""Bytes of a store that has to hold all of a content."""
PLAYLIST = (".m3u8", ".m3u")


class DownloadError(P2pcdnError):
    """A content cannot be saved. Its text is one sentence."""


class Download:
    """Saves the content at a URL: ``async with Download(url, target) as it: await it.save()``."""

    def __init__(
        self, url: str, target: Path, *, config: Config | None = None, tracker: str | None = None
    ) -> None:
        config = config or Config()
        self.target = target
        self.parts = target.with_name(target.name + ".p2pcdn")
        self._saved = self.parts / "saved"
        peer = msgspec.structs.replace(config.peer, store=self.parts / "store", max_size=NO_BOUND)
        self._config = msgspec.structs.replace(config, peer=peer)
        self._done = False
        self._url = url
        self._tracker = tracker
        self._address = ContentAddress.parse(url)
        self._is_folder = self._address.path.endswith(PLAYLIST)

    async def __aenter__(self) -> Download:
        if self._address.path.lower().endswith(".mpd"):
            raise DownloadError(
                f"{self._url} is a DASH presentation: HLS and files can be saved, DASH not yet."
            )
        folder = self._is_folder and self.target.is_dir()
        if self.target.exists() and not (folder and not any(self.target.iterdir())):
            raise DownloadError(f"{self.target} is there already: name another place by -o.")
        try:
            self._disk = Disk(self.parts / "store", NO_BOUND)
        except UnavailableError as error:
            raise DownloadError(
                f"There is no writing beside {self.target}: name another place by --output."
            ) from error
        try:
            self.peer = NativePeer(
                self._url, config=self._config, tracker=self._tracker, disk=self._disk
            )
            await self.peer.__aenter__()
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self.peer.__aexit__(None, None, None)
        finally:
            self._close()

    def _close(self) -> None:
        """What has come stays, if anything has."""
        self._disk.close()
        if self._done or not any((self.parts / "store").glob("*/??/*")):
            shutil.rmtree(self.parts, ignore_errors=True)

    # Figures

    @property
    def share(self) -> float:
        """How much of it has come, from 0 to 1."""
        size = self.peer.expected_size
        return min(self.peer.store.size / size, 1.0) if size else 0.0

    @property
    def kept(self) -> int:
        """Bytes that had come before."""
        stats = self.peer.stats
        return max(self.peer.store.size - stats.origin_bytes - stats.peer_bytes, 0)

    # Doing it

    async def fetch(self) -> None:
        """Wait until all of it has come."""
        peer = self.peer
        await peer.until(lambda: peer.is_complete() or peer.is_live() or self._disk.failing)
        if peer.is_live():
            raise DownloadError(f"{self._url} is live: it can be saved when it has ended.")
        await asyncio.to_thread(self._disk.flush)
        if self._disk.failing:
            raise DownloadError(
                f"There is no room left for {self.parts}: make some, and give the same command "
                "again; what has come is kept."
            )

    async def save(self) -> int:
        """Make the file or the folder; the bytes of media in it."""
        shutil.rmtree(self._saved, ignore_errors=True)
        self._saved.unlink(missing_ok=True)
        try:
            if self._is_folder:
                size = await self._save_presentation()
            else:
                size = await self._save_segments(self._address.path, self._saved)
            self._saved.replace(self.target)
        except OSError as error:
            raise DownloadError(
                f"{self.target} cannot be written: {error.strerror}. What has come is kept in "
                f"{self.parts}."
            ) from error
        self._done = True
        return size

    async def _save_segments(self, rendition: str, target: Path | None = None) -> int:
        """Write the segments of a rendition to their files, or all to one."""
        size = 0
        first, last, _ = self.peer.extent(rendition)
        for sequence in range(first, last + 1):
            record = self._record(rendition, sequence)
            data = self.peer.segment(SegmentKey(rendition, sequence))
            if data is None:
                raise DownloadError(
                    f"Segment {sequence} of {rendition} is not there any more: give the same "
                    "command again; what has come is kept."
                )
            file = target or self._place(path_of(self._address, rendition, record.uri))
            await asyncio.to_thread(_write, file, record.offset, data)
            size += len(data)
        return size

    def _record(self, rendition: str, sequence: int) -> SegmentRecord:
        record = self.peer.record(SegmentKey(rendition, sequence))
        if record is None:
            raise DownloadError(
                f"The manifest of {rendition} says nothing of segment {sequence}, so it cannot be "
                "saved as a whole: give the same command again; what has come is kept."
            )
        return record

    async def _save_presentation(self) -> int:
        renditions, top = self.peer.renditions, self._address.path
        for path in (top, *renditions):
            if not is_safe(path):
                raise DownloadError(
                    f"There is a playlist at {path!r}, which is no place in a folder."
                )
        async with aiohttp.ClientSession() as session:
            source = HttpSource(session, self._address)
            texts = {
                path: (await self._get(source, path)).decode("utf-8", "replace")
                for path in dict.fromkeys((top, *renditions))
            }
            more = {
                extra for path, text in texts.items() for extra in extras(self._address, path, text)
            }
            files = self._files(renditions)
            self._root = _common({*texts, *files, *(extra.path for extra in more)})
            for extra in sorted(more, key=lambda extra: (extra.path, extra.span is not None)):
                data = await self._get(source, extra.path, extra.span)
                first = extra.span.first if extra.span else None
                await asyncio.to_thread(_write, self._place(extra.path), first, data)
        # After what nobody has verified, which may be of the same files.
        size = sum([await self._save_segments(rendition) for rendition in renditions])
        saved = {*texts, *files, *(extra.path for extra in more)}
        for path, text in texts.items():
            data = localised(self._address, path, text, saved.__contains__).encode()
            await asyncio.to_thread(_write, self._place(path), None, data)
        return size

    def _files(self, renditions: Iterable[str]) -> set[str]:
        """The paths of all segments."""
        found = set()
        for rendition in renditions:
            first, last, _ = self.peer.extent(rendition)
            for sequence in range(first, last + 1):
                record = self._record(rendition, sequence)
                path = path_of(self._address, rendition, record.uri)
                if path is None:
                    raise DownloadError(
                        f"Segment {sequence} of {rendition} is at {record.uri!r}, which is no place"
                        " in a folder."
                    )
                found.add(path)
        return found

    async def _get(self, source: HttpSource, path: str, span: Span | None = None) -> bytes:
        try:
            return await source.file(path, span)
        except SourceError as error:
            raise DownloadError(
                f"{self._address.origin}/media/{path} could not be had: {error.detail}."
            ) from error

    def _place(self, path: str | None) -> Path:
        """Where a path below ``/media/`` is saved."""
        assert path is not None
        below = posixpath.relpath(f"/{path}", self._root)
        if not is_safe(path) or not is_safe(below):
            raise DownloadError(f"{path!r} is no place in a folder.")
        return self._saved / below


def _common(paths: Iterable[str]) -> str:
    """The innermost folder that all of them are in."""
    return posixpath.commonpath([posixpath.join("/", posixpath.dirname(path)) for path in paths])


def _write(file: Path, offset: int | None, data: bytes) -> None:
    """Write all of a file, or a part of it at an offset; through no symbolic link."""
    file.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if offset is None else 0)
    descriptor = os.open(file, flags | getattr(os, "O_NOFOLLOW", 0), 0o644)
    with os.fdopen(descriptor, "wb") as opened:
        opened.seek(offset or 0)
        opened.write(data)
