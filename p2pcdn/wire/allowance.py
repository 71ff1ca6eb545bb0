"""How much one end of a link may say on the control channel.

A message costs its sender next to nothing, and whoever hears it the time to read it. What an honest
end says is little: announcements ten times a second, a want and perhaps a cancel for each chunk,
and what has just come out of a live stream.
"""

from __future__ import annotations

from p2pcdn.errors import ErrorCode, RemoteError

MOST_A_SECOND = 262_144
"""Bytes on average: enough to ask for a gigabit a second of chunks."""
MOST_AT_ONCE = 2_097_152
"""Bytes that may come in a burst: all that is held of a long recording, and records that waited."""
EACH = 64
"""Bytes that a message counts for beside its own."""


class Allowance:
    """What is left of it."""

    def __init__(self, now: float) -> None:
        self._left = float(MOST_AT_ONCE)
        self._at = now

    def take(self, size: int, now: float) -> None:
        """A message of so many bytes has come; `RemoteError` if that is too much."""
        left = min(self._left + (now - self._at) * MOST_A_SECOND, MOST_AT_ONCE)
        self._left, self._at = left - size - EACH, now
        if self._left < 0:
            raise RemoteError(ErrorCode.TOO_FAST, f"more than {MOST_A_SECOND} bytes/s of messages")
