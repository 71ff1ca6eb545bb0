"""Which of several places something is at home in: all who know the same places agree, unasked.

Rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates",
1998): a key is at home where its hash together with the place's name is highest. A place that goes
moves only what was at home there, each key to its next best; one that comes takes its equal share
from all others, and nothing moves between those.

Unlike `rank`, what is hashed is chosen by strangers (the ids of contents), and only servers do it:
BLAKE2b (RFC 7693), so that nobody finds out cheaply how to put one place above all others for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

_BYTES = 8
"""Of a hash that are compared; should two be equal, the names decide."""


def home_of(key: bytes, places: Sequence[str]) -> str:
    """Where ``key`` is at home: one of ``places``, whatever their order. `ValueError` if there is
    none."""
    if not places:
        raise ValueError("something is at home in one of several places, and there are none")
    return max(places, key=lambda place: (_weight(key, place), place))


def _weight(key: bytes, place: str) -> bytes:
    name = place.encode()
    # The name's length goes first: no end of a name is taken for the beginning of a key.
    said = len(name).to_bytes(4, "big") + name + key
    return blake2b(said, digest_size=_BYTES).digest()
