"""What comes out of the ledger: a summary for people, readings for whoever writes them down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from p2pcdn.core.amounts import Amounts

_NONE: Mapping[Any, Any] = {}


class Summary(Struct, frozen=True, kw_only=True):
    """The headline figures, in bytes; the fields of ``/api/v1/summary``."""

    origin_bytes: int
    """Media that the origin sent."""
    least_bytes: int
    """Of these, what it had to send however well peers share: each byte once for as long as anybody
    is there who may have it."""
    elsewhere_bytes: int
    """Media that viewers say they took from a CDN where they stay; nobody checks it, and nothing
    is saved by it."""
    peer_bytes_confirmed: int
    """Media that peers sent each other, as both ends say."""
    peer_bytes_claimed: int
    """Media that only one end speaks of, or that a viewer's player has not been given (yet)."""
    peer_bytes_disputed: int
    """Media that one end speaks of, and the other, which has reported since, does not."""
    edge_bytes: int
    """Media that went from or to peers which the site runs itself, as both ends say; neither
    confirmed nor saved, since somebody pays for them."""
    relayed_bytes: int
    """Media that peers sent each other through a relay, as both ends say; neither confirmed nor
    saved."""
    waste_bytes: int
    """Media that peers got in vain: twice, cancelled, or with a wrong hash."""
    rejected_chunks: int
    """Chunks with a wrong hash, whoever sent them."""
    origin_mismatches: int
    """Chunks that viewers got by HTTP with a wrong hash: the origin, or a cache before it, gives
    out something else than what it signed."""
    overhead_bytes: int
    """Manifests, hash lists, playlists and signalling."""
    saved_bytes: int
    """Confirmed less overhead, never below 0: a lower bound of what the origin was spared."""
    offload: float | None
    """Confirmed of all media bytes, 0 to 1. None if peers have sent some and nobody has counted any
    that the origin sent: it is one that this ledger does not hear of."""
    best_offload: float | None
    """The most that the offload could have been: of all media bytes, those that the origin need not
    have sent. None if there were none, or nobody counts what the origin sends."""
    viewers: int
    """Browsers in swarms now."""
    swarms: int
    """Contents that somebody watches or seeds now."""
    refused_reports: int
    """Reports that made no sense, since the process started."""
    joins: int
    """Browsers that entered a swarm."""
    links_attempted: int
    """Introductions of two peers."""
    links_made: int
    """Of these, those that became links."""
    links_failed: int
    """Of these, those that came to nothing."""
    link_success: float | None
    """Made of all those of which it is known; None if there were none."""
    link_time: float | None
    """Seconds from an introduction to a link, on average; None if there were none."""
    startups: int
    """Viewers who have seen a first picture."""
    startup_p50: float | None
    """Seconds in which half of them did; None if there were none."""
    startup_p95: float | None
    """Seconds in which 95 % of them did."""
    announce_time: float | None
    """Seconds from when a player had something to play until the tracker had let it in, on average;
    None if nobody said so. The same of the following."""
    answer_time: float | None
    """To the first answer to an offer."""
    ice_time: float | None
    """To the first connection."""
    open_time: float | None
    """To the first link with open channels."""
    first_chunk_time: float | None
    """To the first chunk from a peer."""
    played_seconds: float
    """Time played, of all viewers together."""
    stalls: int
    """How often playback ran dry."""
    stalled_seconds: float
    """For how long, in all."""
    rebuffer_ratio: float | None
    """Time stalled, of time played and stalled; None if there was none."""
    bitrate: float | None
    """Bits a second of what was played, on average; None if nothing was."""
    since: float
    """When the ledger began, in seconds since 1970; the figures are of all runs from then on."""


class Group(NamedTuple):
    """Viewers that have something in common."""

    kind: str
    """What: their ``browser``; the ``country``, ``operator`` or ``connection`` that their addresses
    belong to; by what ``access`` they are on the net, and behind what ``nat``; the ``rendition``
    that they watch. Or of links the ``route``."""
    name: str


class Failure(NamedTuple):
    """Something that came to nothing."""

    kind: str
    """What: a ``link``, a ``report``, or a ``socket``."""
    reason: str


class Reading(NamedTuple):
    """What is new since the last one."""

    changes: Mapping[str, Amounts]
    """By content; under the empty name what belongs to none."""
    viewers: Mapping[str, int]
    """Browsers that are there now, by content; those without any are left out."""
    groups: Mapping[Group, Amounts] = _NONE
    """What is new of each group of viewers."""
    members: Mapping[Group, int] = _NONE
    """Browsers that are there now, by group."""
    failures: Mapping[Failure, int] = _NONE
    """What has come to nothing."""
    swarms: int = 0
    """Contents that somebody watches or seeds now."""
