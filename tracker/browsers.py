"""Which family of browsers a viewer's belongs to, and what it says its machine is connected by; no
more is read in what it says of itself."""

from __future__ import annotations

from functools import lru_cache

OTHER = "other"
UNKNOWN = "unknown"

_FAMILIES = (
    # Chromium and its kin call themselves Safari as well, so the order matters; every browser on
    # iOS is Safari within.
    ("Firefox", ("Firefox/",)),
    ("Chromium", ("Chrome/", "Chromium/", "HeadlessChrome/")),
    ("Safari", ("Safari/", "AppleWebKit/")),
)

_ACCESS = ("wifi", "ethernet", "cellular", "bluetooth", "wimax")
"""Of the Network Information API, which only Chromium's kin have, and most of them on phones alone;
of the others it has, ``none`` and ``unknown`` say nothing, and ``mixed`` and ``other`` little."""


@lru_cache(maxsize=256)  # of a hundred viewers few have one that is their own
def family_of(user_agent: str | None) -> str:
    """``Chromium``, ``Firefox``, ``Safari`` or ``other``."""
    said = user_agent or ""
    return next(
        (family for family, marks in _FAMILIES if any(mark in said for mark in marks)), OTHER
    )


def access_of(said: str | None) -> str:
    """``wifi``, ``ethernet``, ``cellular``, ``bluetooth``, ``wimax``, ``other`` or ``unknown``."""
    if said in (None, "", "none", UNKNOWN):
        return UNKNOWN
    return said if said in _ACCESS else OTHER
