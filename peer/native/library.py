"""The native peer as a library: a content is read, from peers and the origin together.

::

    from peer import Peer

    async with Peer("https://example.com/media/film/index.m3u8") as peer:
        async for chunk in peer.read(plays=True):
            ...

Every chunk was verified before it is given. What peers do not bring in time the origin does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Self

from p2pcdn.config import Config
from p2pcdn.core.stats import Stats
from p2pcdn.errors import ConfigError
from p2pcdn.model import CHUNK_SIZE, FILE_SLICE, SegmentKey
from peer.native.readers import Reader
from peer.native.runner import NativePeer

FROM_THE_EDGE = 2
"""Segments before a live stream's newest at which reading begins, as players do."""


class Peer:
    """One content, read and shared for as long as its context is open.

    ``url`` is that of a playlist or of a file, such as https://HOST/media/film/index.m3u8.
    ``config`` is as for `p2pcdn peer`; ``tracker`` the address of the tracker, if it is not beside
    the origin. With ``keep``, everything is fetched, whether it is read or not.

    Entering raises `peer.PeerError` where there is no such content or no tracker, and
    `p2pcdn.errors.ConfigError` for a URL that can't be a content's.
    """

    def __init__(
        self,
        url: str,
        *,
        config: Config | None = None,
        tracker: str | None = None,
        keep: bool = False,
    ) -> None:
        self._peer = NativePeer(url, config=config, tracker=tracker, keep=keep)

    async def __aenter__(self) -> Self:
        await self._peer.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._peer.__aexit__(kind, error, traceback)

    @property
    def renditions(self) -> tuple[str, ...]:
        """The names of the renditions; a file has one."""
        return self._peer.renditions

    @property
    def stats(self) -> Stats:
        """What came from where, in bytes."""
        return self._peer.stats

    async def read(
        self,
        rendition: str | None = None,
        *,
        first: int | None = None,
        last: int | None = None,
        plays: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        """The chunks of a rendition's segments, of 64 KiB at most, in their order.

        ``rendition`` is the only one, unless said; ``first`` and ``last`` are sequence numbers of
        segments. Without them a recording is read from its beginning to its end, a live stream
        from shortly before its newest segment until it ends. Who ``plays`` is served as a player
        is: each segment comes in time, by the origin if peers are too slow; otherwise peers are
        given all the time that they need. Raises `p2pcdn.errors.SourceError` for what nobody can
        bring.
        """
        name = self._named(rendition)
        await self._peer.until(lambda: self._is_known(name))
        oldest, newest, live = self._peer.extent(name)
        start = max(oldest, newest - FROM_THE_EDGE) if live else oldest
        reader = Reader(plays, last)
        sequence = start if first is None else max(first, oldest)
        try:
            while (last is None or sequence <= last) and await self._exists(name, sequence):
                sequence = max(sequence, self._peer.extent(name)[0])
                data = await self._peer.fetch(reader, SegmentKey(name, sequence))
                for at in range(0, len(data), CHUNK_SIZE):
                    yield data[at : at + CHUNK_SIZE]
                sequence += 1
        finally:
            self._peer.leave(reader)

    async def read_file(
        self, start: int = 0, stop: int | None = None, *, plays: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of a file from ``start`` up to, not including, ``stop``, or its end."""
        if self._peer.address.path not in self.renditions:
            raise ConfigError(f"{self._peer.url} is a presentation, no file: read() reads those.")
        at = start - start % FILE_SLICE
        last = None if stop is None else (stop - 1) // FILE_SLICE
        slices = self.read(first=at // FILE_SLICE, last=last, plays=plays)
        async with aclosing(slices):
            async for chunk in slices:
                wanted = chunk[max(start - at, 0) : None if stop is None else max(stop - at, 0)]
                if wanted:
                    yield wanted
                at += len(chunk)
                if stop is not None and at >= stop:
                    return

    def _named(self, rendition: str | None) -> str:
        names = self.renditions
        if rendition is None and len(names) == 1:
            return names[0]
        if rendition not in names:
            raise ConfigError(f"Say which rendition to read: {', '.join(names)}.")
        return rendition

    def _is_known(self, rendition: str) -> bool:
        _, newest, live = self._peer.extent(rendition)
        return newest >= 0 or live

    async def _exists(self, rendition: str, sequence: int) -> bool:
        """Wait for a segment to be there; whether it ever will."""

        def decided() -> bool:
            _, newest, live = self._peer.extent(rendition)
            return newest >= sequence or not live

        await self._peer.until(decided)
        return self._peer.extent(rendition)[1] >= sequence
