"""The URLs that were brought for one playlist, of which one has to be let in.

They differ in their tokens. The one that was let in last goes first and is not pushed aside by
those that nobody has tried, since whoever likes may bring some that are no good. They are kept in
memory alone, for this one playlist, and are never told.
"""

from __future__ import annotations

from collections.abc import Iterator

MOST = 3
"""That have not been tried."""


class Tickets:
    """A few URLs of one file."""

    def __init__(self) -> None:
        self._good: str | None = None
        self._fresh: list[str] = []

    def offer(self, url: str) -> None:
        """Somebody has brought this."""
        if url != self._good:
            self._fresh = [*(other for other in self._fresh if other != url), url][-MOST:]

    def __iter__(self) -> Iterator[str]:
        """Those to be tried, best first."""
        return iter([*([self._good] if self._good else []), *reversed(self._fresh)])

    def let_in(self, url: str) -> None:
        """This is good."""
        self._fresh = [other for other in self._fresh if other != url]
        before, self._good = self._good, url
        if before is not None:
            self.offer(before)

    def turned_away(self, url: str) -> None:
        """This is not good, or not any more."""
        self._fresh = [other for other in self._fresh if other != url]
        if self._good == url:
            self._good = None
