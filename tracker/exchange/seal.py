"""What keeps others from speaking on a line: each write has a MAC, over its number and all of it.

Whoever is on the way can say nothing by it, nor leave out, repeat or swap what was said. He can
read it.
"""

from __future__ import annotations

import hmac
from struct import Struct

from tracker.exchange.frames import FrameError

SIZE = 32
"""Bytes by which what is sealed is longer."""

_NUMBER = Struct("!Q")


class Seal:
    """One direction of a line, at one of its ends."""

    def __init__(self, key: bytes) -> None:
        """``key`` is for this line and direction alone."""
        self._key = key
        self._number = 0

    def put(self, said: bytes) -> bytes:
        """Under a seal."""
        return self._next(said) + said

    def take(self, sealed: bytes) -> bytes:
        """What was said; `FrameError` if it is not what was said next."""
        said = sealed[SIZE:]
        if not hmac.compare_digest(sealed[:SIZE], self._next(said)):
            raise FrameError("it was changed on its way")
        return said

    def _next(self, said: bytes) -> bytes:
        number = _NUMBER.pack(self._number)
        self._number += 1
        return hmac.digest(self._key, number + said, "sha256")
