"""The ring of the last minutes."""

from __future__ import annotations

from p2pcdn.core.amounts import Amounts
from p2pcdn.core.ledger import Ledger
from tracker.series import LASTS, Series


def test_samples_are_what_came_since_the_last() -> None:
    ledger, series = Ledger(), Series()
    ledger.origin_sent(100)
    series.add(ledger.summary(), ledger.total, 10.0)
    assert series.since(0) == []
    ledger.origin_sent(50, overhead=7)
    series.add(ledger.summary(), ledger.total, 11.0)
    (sample,) = series.since(0)
    assert (sample.at, sample.origin_bytes, sample.overhead_bytes) == (11.0, 50, 7)
    assert sample.least_bytes == 50
    assert sample.elsewhere_bytes == 0


def test_what_other_runs_have_written_is_in_no_sample() -> None:
    ledger, series = Ledger(), Series()
    series.add(ledger.summary(), ledger.total, 10.0)
    ledger.carry(Amounts(origin_bytes=1000, peer_bytes_confirmed=3000), 5.0)
    ledger.origin_sent(1000)
    series.add(ledger.summary(), ledger.total, 11.0)
    (sample,) = series.since(0)
    assert (sample.origin_bytes, sample.peer_bytes, sample.offload) == (1000, 0, 0.6)


def test_a_reader_gets_what_is_new_to_it() -> None:
    ledger, series = Ledger(), Series()
    for second in range(5):
        series.add(ledger.summary(), ledger.total, float(second))
    assert [sample.at for sample in series.since(2)] == [3.0, 4.0]
    assert series.since(series.count) == []


def test_only_the_last_minutes_are_kept() -> None:
    ledger, series = Ledger(), Series()
    for second in range(3 * LASTS):
        series.add(ledger.summary(), ledger.total, float(second))
    kept = series.since(0)
    assert len(kept) == LASTS
    assert kept[-1].at == 3 * LASTS - 1
    assert len(series.since(series.count - 2)) == 2
