"""Rendezvous hashing: everybody who knows the same peers ranks them alike, without a word said.

Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998. The hash need not
resist anybody (whoever lies about his rank only fetches more, or later, himself); it has to be the
same in Python and in a browser, without waiting: FNV-1a with MurmurHash3's finaliser, 32 bits.
"""

from __future__ import annotations

from collections.abc import Iterable

from p2pcdn.model import SegmentKey

_MASK = 0xFFFF_FFFF


def hash32(text: str) -> int:
    """A well-mixed 32-bit hash of the text's UTF-8 bytes."""
    value = 0x811C_9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x0100_0193) & _MASK
    value ^= value >> 16
    value = (value * 0x85EB_CA6B) & _MASK
    value ^= value >> 13
    value = (value * 0xC2B2_AE35) & _MASK
    return value ^ (value >> 16)


def rank_of(me: str, others: Iterable[str], segment: SegmentKey) -> int:
    """How many of ``others`` come before ``me`` for this segment: 0 is the first to go."""
    name = f"{segment.rendition}\n{segment.sequence}\n"
    mine = (hash32(name + me), me)
    return sum((hash32(name + other), other) < mine for other in others)
