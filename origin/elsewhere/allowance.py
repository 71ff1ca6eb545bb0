"""How much may be fetched from elsewhere: so much a second, a burst, and so much a day.

Whatever strangers ask for, a site pays its CDN for no more than that. What has been fetched once is
known by its hashes, so in the long run there is little to fetch.
"""

from __future__ import annotations

BURST = 60.0
"""Seconds of the rate that may be spent at once."""

REQUESTS = 50.0
"""A second, on average."""

STRANGE = 5.0
"""A second, on average, for playlists that have never been there: whoever makes names up keeps
nobody from what exists."""

AT_ONCE = 10.0
"""Seconds of either that may be made at once."""

DAY = 86_400.0


class Allowance:
    """A bucket of bytes that fills by the second, one of a day's, and one of requests."""

    def __init__(self, rate: float, daily: float, now: float) -> None:
        self._rate = rate
        self._daily = daily
        self._left = rate * BURST
        self._today = daily
        self._requests = REQUESTS * AT_ONCE
        self._strange = STRANGE * AT_ONCE
        self._at = now

    def take(self, now: float, *, strange: bool = False) -> bool:
        """Whether one more request may be made."""
        self._fill(now)
        if (
            self._left <= 0
            or self._today <= 0
            or (self._strange if strange else self._requests) < 1
        ):
            return False
        if strange:
            self._strange -= 1
        else:
            self._requests -= 1
        return True

    def spend(self, size: int) -> None:
        """So many bytes have come. What a request brings is known only then, so the buckets may be
        overdrawn, and nothing is allowed until they are not."""
        self._left -= size
        self._today -= size

    def _fill(self, now: float) -> None:
        elapsed = max(0.0, now - self._at)
        self._at = max(self._at, now)
        self._left = min(self._rate * BURST, self._left + elapsed * self._rate)
        self._today = min(self._daily, self._today + elapsed * self._daily / DAY)
        self._requests = min(REQUESTS * AT_ONCE, self._requests + elapsed * REQUESTS)
        self._strange = min(STRANGE * AT_ONCE, self._strange + elapsed * STRANGE)
