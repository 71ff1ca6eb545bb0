"""The figures of one session: what came from where, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Stats:
    """Totals since the session began, in bytes of media unless a name says otherwise.

    ``origin_bytes``, ``peer_bytes`` and ``cache_bytes`` count what was verified and kept, once
    each; whatever else arrived is ``waste_bytes``.
    """

    origin_bytes: int = 0
    peer_bytes: int = 0
    cache_bytes: int = 0
    uploaded_bytes: int = 0
    waste_bytes: int = 0
    rejected_chunks: int = 0
    origin_mismatches: int = 0
    """Rejected chunks that came by HTTP: from the origin, or from a cache before it."""
    link_attempts: int = 0
    """Links to somebody that were begun."""
    links: int = 0
    """Links that are up now."""
