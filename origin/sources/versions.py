"""What another server says of a file: which version it is, and for how long that may be believed.

A version has a strong validator (RFC 9110, 8.8.1): an entity tag that is not weak, or the time of
its last change if that was long enough before the answer for nothing to have happened since in the
same second. Where there is none, two answers that look the same may have different bytes, so the
version is the hash of the bytes, and known once they have been fetched as a whole.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from aiohttp import hdrs

from origin.sources import Identity

LEAST = 1.0
"""Seconds for which anything is believed: a crowd that comes at once asks once."""

MOST = 86_400.0
"""The same at the most, whatever is said."""

SHARE = 0.1
"""Of its age a version is believed for, if nothing is said (RFC 9111, 4.2.2): what has changed
lately may change again soon."""

MOST_GUESSED = 300.0

SETTLED = 60.0
"""Seconds from a change until its time is a strong validator."""

WHOLE = 8 * 1024 * 1024
"""Bytes of a file that is fetched as a whole."""

SLICE = 4 * 1024 * 1024
"""Bytes fetched at once of a larger one."""

_AGE = re.compile(r"\b(s-maxage|max-age)\s*=\s*\"?(\d{1,10})", re.IGNORECASE)
_NEVER = re.compile(r"\b(no-cache|no-store|private)\b", re.IGNORECASE)


class Version(NamedTuple):
    """A version of a file: as long as it stays the same, so do the bytes."""

    size: int
    etag: str = ""
    """A strong entity tag, with its quotes."""
    modified: int = 0
    """Seconds since 1970, if the server says so."""
    digest: str = ""
    """SHA-256 of the bytes in hexadecimal, if nothing else tells."""

    @property
    def identity(self) -> Identity:
        told = f"{self.etag or self.modified} {self.digest}"
        number = int.from_bytes(hashlib.sha256(told.encode()).digest()[:8])
        return Identity(self.size, self.modified * 1_000_000_000, number)

    @property
    def is_whole(self) -> bool:
        """Whether it is fetched as a whole."""
        return self.size <= WHOLE

    def is_same(self, other: Version) -> bool:
        """Whether both are the same by what counts: several servers with one entity tag may have
        copied the file at different times."""
        if self.etag or self.digest:
            return (self.size, self.etag, self.digest) == (other.size, other.etag, other.digest)
        return self == other

    def key(self, url: str, number: int) -> str:
        """What a slice of it is kept by."""
        told = (url, self.size, self.etag or self.modified, self.digest, number)
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def slice_at(self, offset: int) -> tuple[int, int]:
        """Number and begin of the slice in which a byte is."""
        number = 0 if self.is_whole else offset // SLICE
        return number, number * SLICE

    def length_of(self, number: int) -> int:
        """Bytes of a slice."""
        return self.size if self.is_whole else min(SLICE, self.size - number * SLICE)


class Said(NamedTuple):
    """What an answer's head says of a file."""

    size: int | None
    etag: str
    """Weak or strong, or empty."""
    modified: str
    """As it is written; may be empty."""
    strong: Version | None
    """The version, if it has a strong validator and a size."""
    believed: float
    """Seconds for which it may be used without asking again."""
    age: float
    """Seconds since the server, behind a cache, has said so itself."""
    guessed: bool
    """It did not say for how long it may be used."""

    def conditions(self) -> dict[str, str]:
        """Headers of a request for the bytes, unless nothing has changed."""
        if self.etag:
            return {hdrs.IF_NONE_MATCH: self.etag}
        return {hdrs.IF_MODIFIED_SINCE: self.modified} if self.modified else {}


def said(headers: Mapping[str, str], size: int | None, now: float) -> Said:
    """Read an answer's headers; ``now`` is in seconds since 1970."""
    etag = headers.get(hdrs.ETAG, "")
    modified = headers.get(hdrs.LAST_MODIFIED, "")
    changed = _seconds(modified)
    dated = _seconds(headers.get(hdrs.DATE, "")) or now
    strong = etag if re.fullmatch(r'"[\x21\x23-\x7e\x80-\xff]*"', etag) else ""
    settled = changed is not None and changed > 0 and dated - changed >= SETTLED
    version = None
    if size is not None and (strong or settled):
        version = Version(size, strong, int(changed or 0))
    age = headers.get("Age", "")
    told = float(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0.0
    lifetime = _lifetime(headers.get(hdrs.CACHE_CONTROL, ""))
    if lifetime is None:
        guess = SHARE * (now - changed) if changed is not None else LEAST
        believed = max(LEAST, min(MOST_GUESSED, guess))
    else:
        believed = max(LEAST, min(MOST, lifetime - told))
    return Said(size, etag, modified, version, believed, told, lifetime is None)


def _lifetime(control: str) -> float | None:
    """Seconds for which caches may use an answer, if it says so."""
    if _NEVER.search(control):
        return 0.0
    ages = {name.lower(): float(value) for name, value in _AGE.findall(control)}
    return ages.get("s-maxage", ages.get("max-age"))


def _seconds(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
