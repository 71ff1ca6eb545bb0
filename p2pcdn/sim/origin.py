"""The origin as one viewer meets it: media, pages, hashes, playlists, each with its price."""

from __future__ import annotations

from collections.abc import Callable

from p2pcdn.model import HASH_SIZE, Span
from p2pcdn.sim.clock import Clock
from p2pcdn.sim.http import Http, Request
from p2pcdn.sim.media import Media
from p2pcdn.sim.networks import NOBODYS
from p2pcdn.sim.player import PLAYLIST
from p2pcdn.sim.tally import HEADERS, PAGE, PLAYLIST_SEGMENT, RECORD, Kind, Tally
from p2pcdn.wire.manifest import RenditionManifest


class Origin:
    """One viewer's requests, counted."""

    def __init__(
        self, clock: Clock, media: Media, tally: Tally, http: Http, network: int = NOBODYS
    ) -> None:
        """``network`` is the viewer's."""
        self.media_bytes = 0
        """That this viewer got from here."""
        self._clock = clock
        self._media = media
        self._tally = tally
        self._http = http
        self._network = network

    def segment(
        self,
        sequence: int,
        span: Span,
        done: Callable[[Request], None],
        piece: Callable[[int], None] | None = None,
    ) -> Request:
        """Ask for some bytes of a segment."""

        def sent(size: int) -> None:
            self.media_bytes += size
            self._tally.segment(sequence, size, self._clock.now)
            self._tally.route(NOBODYS, self._network, size, self._clock.now)
            if piece is not None:
                piece(size)

        self._count(Kind.HEADERS, HEADERS)
        return self._http.get(span.first, span.last, done, sent)

    def whole(self, sequence: int, done: Callable[[Request], None]) -> Request:
        """Ask for all of a segment."""
        return self.segment(sequence, Span(0, self._media.segment_bytes - 1), done)

    def abort(self, request: Request) -> None:
        self._http.abort(request)

    def close(self) -> None:
        self._http.close()

    def playlist(self, then: Callable[[int], None]) -> None:
        """Ask for the playlist; ``then`` is told the newest segment in it."""
        count = PLAYLIST if self._media.live else self._media.count

        def done(_: Request) -> None:
            then(self._media.newest(self._clock.now))

        self._small(Kind.PLAYLISTS, PLAYLIST_SEGMENT * count, done)

    def page(self, sequence: int, then: Callable[[RenditionManifest], None]) -> None:
        """Ask for the manifest's page that holds a segment."""
        self._pages(lambda: self._media.page(sequence, self._clock.now), then)

    def records(self, sequences: Span, then: Callable[[RenditionManifest], None]) -> None:
        """Ask for a page of just these segments; it may be empty."""
        self._pages(lambda: self._media.records(sequences, self._clock.now), then)

    def _pages(
        self, make: Callable[[], RenditionManifest], then: Callable[[RenditionManifest], None]
    ) -> None:
        size = PAGE + RECORD * len(make().segments)
        self._small(Kind.PAGES, size, lambda _: then(make()))

    def hashes(self, sequences: Span, then: Callable[[bytes | None], None]) -> None:
        """Ask for the chunk hashes of some segments."""
        count = sequences.last - sequences.first + 1

        def done(_: Request) -> None:
            then(self._media.hashes(sequences, self._clock.now))

        self._small(Kind.HASHES, HASH_SIZE * self._media.chunks * count, done)

    def _small(self, kind: Kind, size: int, done: Callable[[Request], None]) -> None:
        self._count(Kind.HEADERS, HEADERS)
        self._count(kind, size)
        self._http.get(0, size - 1, done)

    def _count(self, kind: Kind, size: int) -> None:
        self._tally.count(kind, size, self._clock.now)
