"""Which family of browsers a viewer's belongs to; no more is read in what it says of itself."""

from __future__ import annotations

OTHER = "other"

_FAMILIES = (
    # Chromium and its kin call themselves Safari as well, so the order matters; every browser on
    # iOS is Safari within.
    ("Firefox", ("Firefox/",)),
    ("Chromium", ("Chrome/", "Chromium/", "HeadlessChrome/")),
    ("Safari", ("Safari/", "AppleWebKit/")),
)


def family_of(user_agent: str | None) -> str:
    """``Chromium``, ``Firefox``, ``Safari`` or ``other``."""
    said = user_agent or ""
    return next(
        (family for family, marks in _FAMILIES if any(mark in said for mark in marks)), OTHER
    )
