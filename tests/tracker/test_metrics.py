"""The ledger's figures for Prometheus: base units, and counters that never go down."""

from __future__ import annotations

from random import Random

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from p2pcdn.core.amounts import Amounts
from p2pcdn.core.ledger_ports import Failure, Reading
from p2pcdn.core.locality import Where
from p2pcdn.core.torrent_ports import Opened, Said, TorrentRules
from p2pcdn.core.torrents import Torrents
from tracker.metrics import LEDGER, LedgerFigures, WebTorrentFigures

Samples = dict[tuple[str, tuple[str, ...]], float]


def told(figures: Collector) -> Samples:
    registry = CollectorRegistry()
    registry.register(figures)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def note(figures: LedgerFigures, **amounts: int) -> None:
    failures = {Failure("link", "timeout"): 2}
    figures.note(Reading({"a": Amounts(**amounts)}, {"a": 3}, failures=failures))


def test_what_is_counted_is_told_in_base_units() -> None:
    figures = LedgerFigures()
    note(
        figures,
        origin_bytes=5,
        least_bytes=4,
        peer_bytes_confirmed=7,
        peer_bytes_claimed=-1,
        stalled_ms=1500,
    )
    note(figures, origin_bytes=5, startups_250=2, startups_500=1, startups_later=1, startup_ms=9000)
    samples = told(figures)
    assert samples["p2pcdn_ledger_bytes_total", ("origin",)] == 10
    assert samples["p2pcdn_ledger_bytes_total", ("confirmed",)] == 7
    assert samples["p2pcdn_ledger_claimed_bytes", ()] == -1
    assert samples["p2pcdn_ledger_least_bytes_total", ()] == 4
    assert samples["p2pcdn_stalled_seconds_total", ()] == 1.5
    assert samples["p2pcdn_viewers", ()] == 3
    assert samples["p2pcdn_failures_total", ("link", "timeout")] == 4
    assert samples["p2pcdn_startup_seconds_bucket", ("0.25",)] == 2
    assert samples["p2pcdn_startup_seconds_bucket", ("0.5",)] == 3
    assert samples["p2pcdn_startup_seconds_bucket", ("12.0",)] == 3
    assert samples["p2pcdn_startup_seconds_bucket", ("+Inf",)] == 4
    assert samples["p2pcdn_startup_seconds_count", ()] == 4
    assert samples["p2pcdn_startup_seconds_sum", ()] == 9


def test_a_counter_waits_for_what_was_taken_back() -> None:
    figures = LedgerFigures()
    confirmed = []
    for change in (100, -60, 50, 30):
        note(figures, peer_bytes_confirmed=change)
        confirmed.append(told(figures)["p2pcdn_ledger_bytes_total", ("confirmed",)])
    assert confirmed == [100, 100, 100, 120]


def test_the_tracker_tells_them() -> None:
    assert ("p2pcdn_ledger_bytes_total", ("confirmed",)) in told(LEDGER)


def test_webtorrents_counters_outlive_their_mind() -> None:
    figures = WebTorrentFigures()
    for _ in range(2):
        mind = Torrents(TorrentRules(), Random(1))
        figures.add(mind)
        mind.receive(Opened(1, b"home", Where()), 0.0)
        said = b'{"action":"announce","info_hash":"%b","peer_id":"%b"}' % (b"x" * 20, b"y" * 20)
        mind.receive(Said(1, said), 0.0)
        mind.receive(Said(1, b"nonsense"), 0.0)
        samples = told(figures)
        assert samples["p2pcdn_webtorrent_swarms", ()] == 1
        assert samples["p2pcdn_webtorrent_peers", ()] == 1
        figures.remove(mind)
    samples = told(figures)
    assert samples["p2pcdn_webtorrent_messages_total", ("announces",)] == 2
    assert samples["p2pcdn_webtorrent_messages_total", ("refused",)] == 2
    assert samples["p2pcdn_webtorrent_expired_total", ()] == 0
    assert samples["p2pcdn_webtorrent_peers", ()] == 0
