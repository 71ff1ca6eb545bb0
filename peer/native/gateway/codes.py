"""The code by which a viewer lets a page use the peer on this machine.

It says at which port the gateway listens, which no page knows, and a secret::

    60 bits = port (16) and secret (44), as 12 characters of Crockford's base 32: 6ZHX-9K2M-QW4T

There is one at a time, and only if the owner has asked for it. It is over when it was used, after
five minutes, or when ten wrong ones were tried: whoever guesses has 10 of 17,592,186,044,416.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

LASTS = 300.0
"""Seconds that a code is good for."""
ATTEMPTS = 10
"""So many wrong codes end the right one."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 12
SECRET_BITS = 44


def written(port: int, secret: int) -> str:
    """The code of a port and a secret, without hyphens."""
    number = port << SECRET_BITS | secret
    digits = [_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_LENGTH))]
    return "".join(digits)


def shown(code: str) -> str:
    """A code as a person reads it."""
    return "-".join(code[at : at + 4] for at in range(0, _LENGTH, 4))


class Codes:
    """The code that is good now, if there is one."""

    def __init__(self, random: Callable[[int], int]) -> None:
        """``random`` gives so many bits that nobody can guess."""
        self._random = random
        self._code: str | None = None
        self._until = 0.0
        self._wrong = 0

    def new(self, port: int, now: float) -> str:
        """Makes a code; one that was good before is so no longer."""
        self._code = written(port, self._random(SECRET_BITS))
        self._until = now + LASTS
        self._wrong = 0
        return self._code

    def current(self, now: float) -> tuple[str, float] | None:
        """The code that is good now, and the seconds that it will be."""
        if self._code is not None and now >= self._until:
            self._code = None
        return None if self._code is None else (self._code, self._until - now)

    def fits(self, code: str, now: float) -> bool:
        """Whether this is the code. A wrong one counts."""
        good = self.current(now)
        if good is None:
            return False
        if hmac.compare_digest(good[0].encode(), code.encode()):
            return True
        self._wrong += 1
        if self._wrong >= ATTEMPTS:
            self._code = None
        return False

    def spend(self, code: str, now: float) -> bool:
        """Uses the code up; whether it was good."""
        good = self.fits(code, now)
        if good:
            self._code = None
        return good
