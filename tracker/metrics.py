"""The tracker's figures for Prometheus. No label names a peer, a content or an address."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable
from itertools import accumulate

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from p2pcdn.core.amounts import HISTOGRAM, STARTUPS, Amounts
from p2pcdn.core.ledger_ports import Failure, Reading
from p2pcdn.core.torrent_ports import Tally
from p2pcdn.core.torrents import Torrents

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
LEDGER_UNWRITTEN = Gauge(
    "p2pcdn_ledger_unwritten_rows", "Rows of figures that wait in memory, since the storage fails."
)
LEDGER_WRITTEN_AT = Gauge(
    "p2pcdn_ledger_written_timestamp_seconds",
    "The time until which the storage has all figures, in seconds since 1970; 0 before the first.",
)

_KINDS = {
    "origin": "origin_bytes",
    "elsewhere": "elsewhere_bytes",
    "confirmed": "peer_bytes_confirmed",
    "disputed": "peer_bytes_disputed",
    "edge": "edge_bytes",
    "relayed": "relayed_bytes",
    "wasted": "waste_bytes",
    "overhead": "overhead_bytes",
}
"""What bytes are called in a label, and where the ledger has them."""


class LedgerFigures(Collector):
    """What the ledger has counted since the process began."""

    def __init__(self) -> None:
        self._total = Amounts()
        self._most: Counts[str] = Counts()
        """What was confirmed may turn out not to count. A counter never goes down: it waits."""
        self._failures: Counts[Failure] = Counts()
        self._viewers = 0

    def note(self, reading: Reading) -> None:
        """Add what is new."""
        for amounts in reading.changes.values():
            self._total.add(amounts)
        self._failures.update(reading.failures)
        self._viewers = sum(reading.viewers.values())

    def collect(self) -> Iterable[Metric]:
        total = self._total
        moved = CounterMetricFamily(
            "p2pcdn_ledger_bytes",
            "Media (and overhead) by what it counts as; confirmed is what both ends say.",
            labels=["kind"],
        )
        for kind, name in _KINDS.items():
            self._most[kind] = max(self._most[kind], getattr(total, name))
            moved.add_metric([kind], self._most[kind])
        failures = CounterMetricFamily(
            "p2pcdn_failures",
            "What came to nothing: links, reports, sockets; and why.",
            labels=["kind", "reason"],
        )
        for (kind, reason), count in self._failures.items():
            failures.add_metric([kind, reason], count)
        return (
            moved,
            failures,
            GaugeMetricFamily(
                "p2pcdn_ledger_claimed_bytes",
                "Media of which only one end has spoken, or that a player has not been given.",
                value=total.peer_bytes_claimed,
            ),
            CounterMetricFamily(
                "p2pcdn_ledger_least_bytes",
                "Media that the origin had to send, however well peers share.",
                value=total.least_bytes,
            ),
            GaugeMetricFamily("p2pcdn_viewers", "Browsers in swarms now.", value=self._viewers),
            CounterMetricFamily(
                "p2pcdn_rejected_chunks", "Chunks with a wrong hash.", value=total.rejected_chunks
            ),
            CounterMetricFamily(
                "p2pcdn_played_seconds", "Time played, by all.", value=total.played_ms / 1000
            ),
            CounterMetricFamily(
                "p2pcdn_stalled_seconds", "Time stalled, by all.", value=total.stalled_ms / 1000
            ),
            CounterMetricFamily(
                "p2pcdn_stalls", "Times that playback ran dry.", value=total.stalls
            ),
            _startups(total),
        )


def _startups(total: Amounts) -> HistogramMetricFamily:
    bounds = [*(str(bound / 1000) for bound in STARTUPS), "+Inf"]
    counts = accumulate(float(getattr(total, name)) for name in HISTOGRAM)
    family = HistogramMetricFamily("p2pcdn_startup_seconds", "Time to the first picture.")
    family.add_metric([], list(zip(bounds, counts, strict=True)), total.startup_ms / 1000)
    return family


LEDGER = LedgerFigures()
REGISTRY.register(LEDGER)


class WebTorrentFigures(Collector):
    """What WebTorrent's clients have said and been told, and how many there are."""

    def __init__(self) -> None:
        self._minds: list[Torrents] = []
        self._gone = Tally()
        """Of minds that are no more: a counter never goes down."""

    def add(self, mind: Torrents) -> None:
        """One more mind that counts."""
        self._minds.append(mind)

    def remove(self, mind: Torrents) -> None:
        """It is no more."""
        if mind in self._minds:
            self._minds.remove(mind)
            self._gone.add(mind.tally)

    def collect(self) -> Iterable[Metric]:
        total = Tally()
        for tally in (self._gone, *(mind.tally for mind in self._minds)):
            total.add(tally)
        messages = CounterMetricFamily(
            "p2pcdn_webtorrent_messages",
            "Messages of WebTorrent's clients: announces, scrapes, what was refused; offers and "
            "answers that were passed on; answers to nothing (strays).",
            labels=["kind"],
        )
        for kind in ("announces", "scrapes", "refused", "offers", "answers", "strays"):
            messages.add_metric([kind], getattr(total, kind))
        return (
            messages,
            CounterMetricFamily(
                "p2pcdn_webtorrent_expired",
                "Peers of WebTorrent's that left without a word.",
                value=total.expired,
            ),
            GaugeMetricFamily(
                "p2pcdn_webtorrent_swarms",
                "Swarms of WebTorrent's clients now.",
                value=sum(mind.swarms for mind in self._minds),
            ),
            GaugeMetricFamily(
                "p2pcdn_webtorrent_peers",
                "Peers in them now.",
                value=sum(mind.peers for mind in self._minds),
            ),
        )


WEBTORRENT = WebTorrentFigures()
REGISTRY.register(WEBTORRENT)
