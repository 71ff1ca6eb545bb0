"""What hls.js does: which segment it asks for when, when it plays, and when it stalls.

::

    playlist -> first segment --there--> playing <--> stalled
                                            | one segment at a time until enough is buffered

A live player begins three segments behind the newest and looks into its playlist once a segment,
with a phase of its own. Who loads for it is its `Loader`: plain HTTP, or the shell of a node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from p2pcdn.sim.clock import Clock
from p2pcdn.sim.media import Media

BEHIND = 3
"""Segments behind the newest at which a live player begins (hls.js: liveSyncDurationCount)."""
PLAYLIST = 6
"""Segments that a live playlist names."""


class Loader(Protocol):
    """Who brings what a player asks for, by telling it `playlist` and `arrived`."""

    def load_playlist(self) -> None: ...

    def load(self, sequence: int, within: float) -> None:
        """Load a segment that is played in so many seconds."""

    def moved(self) -> None:
        """The player is elsewhere, or knows more."""


class Player:
    """One viewer's player."""

    def __init__(
        self,
        clock: Clock,
        media: Media,
        target: float,
        loader: Loader,
        got: Callable[[], None],
    ) -> None:
        """``got`` is called for each segment that the player gets."""
        self.started: float | None = None
        """When the first picture was there."""
        self.stalls = 0
        self.stalled = 0.0
        """Seconds."""
        self.newest = -1
        """The newest segment that the playlist names."""
        self.loading: int | None = None
        self.margins: list[float] = []
        """Seconds of media ahead when each segment came; negative if the play head waited."""
        self.came: dict[int, float] = {}
        """When each segment came."""
        self.target = target
        self._clock = clock
        self._media = media
        self._loader = loader
        self._got = got
        self._begun = clock.now
        self.first = 0
        """The segment that it begins with."""
        self._next = 0
        """The segment to be loaded next."""
        self._empties = 0.0
        """When the play head gets to the end of what is buffered."""
        self._waiting = False
        """An event will look for room in the buffer."""
        self._over = False

    # Where it is

    @property
    def buffer(self) -> float:
        """Seconds of media ahead of the play head."""
        return 0.0 if self.started is None else max(self._empties - self._clock.now, 0.0)

    @property
    def head(self) -> int:
        """The segment at the play head."""
        if self._next == self.first:
            return self.first
        played = self._next - self.buffer / self._media.duration
        return min(max(int(played), self.first), self._next - 1)

    @property
    def reached(self) -> int:
        """The newest segment that was asked for."""
        return self._next if self.loading is not None else self._next - 1

    @property
    def done(self) -> bool:
        """A VOD content has been played to its end."""
        return not self._media.live and self._next >= self._media.count and self.buffer <= 0.0

    # What happens

    def start(self) -> None:
        self._loader.load_playlist()

    def stop(self) -> None:
        """The viewer leaves; a stall that goes on counts as far as it has gone."""
        if self._over:
            return
        self._over = True
        now = self._clock.now
        if self._stalls_now(now):
            self.stalls += 1
            self.stalled += now - self._empties

    def playlist(self, newest: int) -> None:
        """A playlist has come."""
        if self._over:
            return
        fresh = newest > self.newest
        if self.newest < 0:
            self.first = self._next = max(0, newest + 1 - BEHIND) if self._media.live else 0
        self.newest = newest
        self._loader.moved()
        if self._media.live:
            pause = self._media.duration / (1 if fresh else 2)
            self._clock.after(pause, self._reload)
        self._load_more()

    def arrived(self, sequence: int) -> None:
        """A segment is there."""
        if self._over or sequence != self.loading:
            return
        now = self._clock.now
        self._got()
        self.came[sequence] = now
        self.loading = None
        self._next = sequence + 1
        if self.started is None:
            self.started = self._empties = now
        else:
            self.margins.append(self._empties - now)
            if now > self._empties:
                self.stalls += 1
                self.stalled += now - self._empties
                self._empties = now
        self._empties += self._media.duration
        self._loader.moved()
        self._load_more()

    def _reload(self) -> None:
        if not self._over:
            self._loader.load_playlist()

    def _load_more(self) -> None:
        """Ask for the next segment, if it is there and there is room for it."""
        if self._over or self.loading is not None or self._next > self.newest:
            return
        room = self.target - self.buffer
        if self.started is None or room > 0:
            self.loading = self._next
            self._loader.load(self._next, self.buffer)
        elif not self._waiting:
            self._waiting = True
            self._clock.after(0.01 - room, self._again)

    def _again(self) -> None:
        self._waiting = False
        self._load_more()

    def _stalls_now(self, now: float) -> bool:
        """Whether the play head waits for something that exists."""
        if self.started is None or now <= self._empties:
            return False
        return self._media.live or self._next < self._media.count
