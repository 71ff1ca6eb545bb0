"""The tracker's figures for Prometheus. No label names a peer, a content or an address."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SOCKETS = Gauge("p2pcdn_tracker_sockets", "WebSockets open now.")
PEERS = Gauge("p2pcdn_tracker_peers", "Peers in swarms now.")
MESSAGES = Counter("p2pcdn_tracker_messages", "Messages of peers, by type.", ["type"])
REFUSED = Counter("p2pcdn_tracker_refused", "Sockets turned away or dropped, by code.", ["code"])
PAIRINGS = Counter(
    "p2pcdn_tracker_pairings",
    "Introductions: made, come to a link, come to nothing.",
    ["outcome"],
)
LINK_TIME = Counter(
    "p2pcdn_tracker_link_seconds",
    "Time from hearing of a pairing to an open channel, as peers say; divide by linked pairings.",
)
LEASES = Counter(
    "p2pcdn_tracker_leases",
    "Leases of stripes: given, first and in reserve; missed by the peer that was named first.",
    ["outcome"],
)
BANS = Counter("p2pcdn_tracker_bans", "Addresses banned for wrong bytes, by a jury of peers.")
MISMATCHES = Counter(
    "p2pcdn_origin_mismatches",
    "Chunks that viewers got by HTTP with a wrong hash: something is wrong with the origin, or a "
    "cache before it.",
)
STUN = Counter("p2pcdn_stun_answers", "STUN Binding requests answered.")
LEDGER_WRITES = Counter(
    "p2pcdn_ledger_writes", "Batches of figures given to the storage, by outcome.", ["outcome"]
)
