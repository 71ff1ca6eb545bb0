"""What counts as saved: only what both ends say, and never less than nothing."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.amounts import MOST_BYTES, Amounts
from p2pcdn.core.ledger import MOST_PAIRS, Ledger
from p2pcdn.wire.tracker import PairReport, Report

PAIRING = "p" * 16


@pytest.fixture
def ledger() -> Ledger:
    """Two viewers of one content, introduced to each other."""
    ledger = Ledger()
    ledger.joined("a", "content", 0.0)
    ledger.joined("b", "content", 0.0)
    ledger.paired(PAIRING, "a", "b")
    return ledger


def says(
    ledger: Ledger,
    session: str,
    *,
    sent: Any = 0,
    received: Any = 0,
    pairing: str = PAIRING,
    relayed: bool = False,
) -> bool:
    pairs = (PairReport(pairing, received, sent, relayed),)
    return ledger.report(session, Report(0, 0, 0, 0, 0, pairs), 0)


def test_an_empty_book() -> None:
    summary = Ledger().summary()
    assert summary.offload == 0.0
    assert summary.saved_bytes == 0
    assert summary.viewers == summary.swarms == 0


def test_only_what_both_ends_say_is_confirmed(ledger: Ledger) -> None:
    says(ledger, "a", sent=900)
    assert ledger.summary().peer_bytes_confirmed == 0
    assert ledger.summary().peer_bytes_claimed == 900
    says(ledger, "b", received=800)
    assert ledger.summary().peer_bytes_confirmed == 800
    assert ledger.summary().peer_bytes_claimed == 100


def test_the_two_directions_are_apart(ledger: Ledger) -> None:
    says(ledger, "a", sent=900, received=50)
    says(ledger, "b", sent=60, received=900)
    assert ledger.summary().peer_bytes_confirmed == 950
    assert ledger.summary().peer_bytes_claimed == 10


@pytest.mark.parametrize("teller", ["a", "b"])
def test_what_went_through_a_relay_saves_nothing(ledger: Ledger, teller: str) -> None:
    says(ledger, "a", sent=900)
    says(ledger, "b", received=800)
    if teller == "a":
        says(ledger, "a", sent=1000, relayed=True)
    else:
        says(ledger, "b", received=1000, relayed=True)
    summary = ledger.summary()
    assert summary.peer_bytes_confirmed == summary.saved_bytes == 0
    assert summary.relayed_bytes == {"a": 800, "b": 900}[teller]
    assert summary.offload == 0.0


def test_a_relay_is_not_forgotten(ledger: Ledger) -> None:
    says(ledger, "a", sent=900, relayed=True)
    says(ledger, "b", received=900)
    says(ledger, "a", sent=1000)
    says(ledger, "b", received=1000)
    assert ledger.summary().peer_bytes_confirmed == 0
    assert ledger.summary().relayed_bytes == 1000


def test_the_tracker_knows_who_can_only_link_through_a_relay() -> None:
    ledger = Ledger()
    ledger.joined("a", "content", 0.0)
    ledger.joined("b", "content", 0.0)
    ledger.paired(PAIRING, "a", "b", relayed=True)
    says(ledger, "a", sent=900)
    says(ledger, "b", received=900)
    assert ledger.summary().saved_bytes == 0
    assert ledger.summary().relayed_bytes == 900


def test_one_end_alone_confirms_nothing_even_if_it_claims_both_ways(ledger: Ledger) -> None:
    says(ledger, "a", sent=900, received=900)
    assert ledger.summary().peer_bytes_confirmed == 0
    assert ledger.summary().peer_bytes_claimed == 1800


def test_nobody_reports_for_a_pairing_that_is_not_its_own(ledger: Ledger) -> None:
    ledger.joined("c", "content", 0.0)
    says(ledger, "a", sent=900)
    assert says(ledger, "c", received=900)
    says(ledger, "c", received=900, pairing="unknown")
    assert ledger.summary().peer_bytes_confirmed == 0


def test_what_came_wrong_by_http_is_counted_over_all(ledger: Ledger) -> None:
    for session, mismatches in (("a", 2), ("b", 3), ("a", 4)):
        assert ledger.report(session, Report(0, 0, 0, 0, origin_mismatches=mismatches), 0.0)
    assert not ledger.report("a", Report(0, 0, 0, 0, origin_mismatches=3), 0.0)
    assert ledger.summary().origin_mismatches == ledger.origin_mismatches == 7


def test_totals_replace_each_other_so_a_lost_report_does_no_harm(ledger: Ledger) -> None:
    for total in (100, 300, 300, 1000):
        says(ledger, "a", sent=total)
    says(ledger, "b", received=1000)
    assert ledger.summary().peer_bytes_confirmed == 1000
    assert ledger.summary().peer_bytes_claimed == 0


def test_a_pairing_left_out_of_a_report_keeps_its_figures(ledger: Ledger) -> None:
    says(ledger, "a", sent=500)
    ledger.report("a", Report(0, 0, 0, 0), 1.0)
    says(ledger, "b", received=500)
    assert ledger.summary().peer_bytes_confirmed == 500


def test_savings_are_confirmed_less_overhead(ledger: Ledger) -> None:
    ledger.origin_sent(500, overhead=100)
    ledger.origin_sent(0, 50)
    ledger.signalled(10)
    says(ledger, "a", sent=1500)
    says(ledger, "b", received=1500)
    summary = ledger.summary()
    assert summary.origin_bytes == 500
    assert summary.overhead_bytes == 160
    assert summary.saved_bytes == 1340
    assert summary.offload == 0.75


def test_nothing_is_saved_where_overhead_is_more(ledger: Ledger) -> None:
    ledger.origin_sent(0, 1000)
    says(ledger, "a", sent=999)
    says(ledger, "b", received=999)
    assert ledger.summary().saved_bytes == 0


@pytest.mark.parametrize("figure", [-1, MOST_BYTES + 1, 2**64, nan, inf, 0.5, True, "1", None])
def test_what_is_no_number_of_bytes_is_refused(ledger: Ledger, figure: Any) -> None:
    before = ledger.summary()
    assert not says(ledger, "a", sent=figure)
    assert not says(ledger, "a", received=figure)
    for place in range(5):
        figures: list[Any] = [0] * 5
        figures[place] = figure
        assert not ledger.report("a", Report(*figures), 0.0)
    assert ledger.summary().refused_reports == 7
    assert ledger.summary().peer_bytes_claimed == before.peer_bytes_claimed


def test_the_largest_number_passes_and_sums_stay_within_it(ledger: Ledger) -> None:
    assert says(ledger, "a", sent=MOST_BYTES, received=MOST_BYTES)
    assert says(ledger, "b", sent=MOST_BYTES, received=MOST_BYTES)
    summary = ledger.summary()
    assert summary.peer_bytes_confirmed == MOST_BYTES
    assert summary.offload == 1.0


@pytest.mark.parametrize(
    "backwards",
    [
        Report(9, 10, 10, 10, 10),
        Report(10, 9, 10, 10, 10),
        Report(10, 10, 9, 10, 10),
        Report(10, 10, 10, 9, 10),
        Report(10, 10, 10, 10, 9),
        Report(10, 10, 10, 10, 10, (PairReport(PAIRING, 9, 10),)),
        Report(10, 10, 10, 10, 10, (PairReport(PAIRING, 10, 9),)),
    ],
)
def test_what_goes_backwards_is_refused_as_a_whole(ledger: Ledger, backwards: Report) -> None:
    assert ledger.report("a", Report(10, 10, 10, 10, 10, (PairReport(PAIRING, 10, 10),)), 0.0)
    before = ledger.summary()
    assert not ledger.report("a", backwards, 1.0)
    after = ledger.summary()
    assert after.refused_reports == before.refused_reports + 1
    assert after.waste_bytes == before.waste_bytes
    assert after.peer_bytes_claimed == before.peer_bytes_claimed


def test_one_pairing_twice_in_a_report_is_refused(ledger: Ledger) -> None:
    twice = (PairReport(PAIRING, 0, 10), PairReport(PAIRING, 0, 5))
    assert not ledger.report("a", Report(0, 0, 0, 0, 0, twice), 0.0)
    assert ledger.summary().peer_bytes_claimed == 0


def test_a_stranger_reports_nothing(ledger: Ledger) -> None:
    assert not says(ledger, "nobody", sent=100)
    assert ledger.summary().peer_bytes_claimed == 0


def test_waste_adds_up_over_sessions_and_survives_them(ledger: Ledger) -> None:
    ledger.report("a", Report(0, 0, 0, 10), 0.0)
    ledger.report("a", Report(0, 0, 0, 30), 1.0)
    ledger.report("b", Report(0, 0, 0, 5), 1.0)
    ledger.left("a", 2.0)
    assert ledger.summary().waste_bytes == 35


def test_viewers_and_swarms_are_those_of_now() -> None:
    ledger = Ledger()
    ledger.joined("a", "one", 0.0)
    ledger.joined("b", "one", 0.0)
    ledger.joined("seeder", "two", 0.0, viewer=False)
    assert (ledger.summary().viewers, ledger.summary().swarms) == (2, 2)
    ledger.left("a", 1.0)
    ledger.left("a", 1.0)
    ledger.left("seeder", 1.0)
    assert (ledger.summary().viewers, ledger.summary().swarms) == (1, 1)


def test_what_those_who_left_moved_still_counts(ledger: Ledger) -> None:
    says(ledger, "a", sent=700)
    ledger.left("a", 1.0)
    says(ledger, "b", received=700)
    ledger.left("b", 2.0)
    assert ledger.summary().peer_bytes_confirmed == 700


def test_nothing_is_remembered_of_those_who_left(ledger: Ledger) -> None:
    says(ledger, "a", sent=700)
    ledger.left("a", 1.0)
    ledger.left("b", 1.0)
    assert not ledger._sessions
    assert not ledger._pairs
    assert not ledger._contents


def test_a_seeder_that_stays_for_ever_keeps_a_bounded_book() -> None:
    ledger = Ledger()
    ledger.joined("seeder", "content", 0.0, viewer=False)
    ledger.joined("friend", "content", 0.0)
    ledger.paired("lasting", "seeder", "friend")
    for number in range(10 * MOST_PAIRS):
        viewer, pairing = f"v{number}", f"p{number}"
        ledger.joined(viewer, "content", 0.0)
        ledger.paired(pairing, "seeder", viewer)
        says(ledger, viewer, received=10, pairing=pairing)
        says(ledger, "seeder", sent=10, pairing=pairing)
        ledger.left(viewer, 0.0)
    assert len(ledger._pairs) == MOST_PAIRS
    assert ledger.summary().peer_bytes_confirmed == 100 * MOST_PAIRS
    says(ledger, "seeder", sent=5, pairing="lasting")
    says(ledger, "friend", received=5, pairing="lasting")
    assert ledger.summary().peer_bytes_confirmed == 100 * MOST_PAIRS + 5


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(["ab", "bc", "ac"]),
            st.integers(0, 100),
            st.integers(0, 100),
        )
    )
)
def test_no_order_of_reports_confirms_more_than_either_end_said(
    reports: list[tuple[str, str, int, int]],
) -> None:
    ledger = Ledger()
    for session in "abc":
        ledger.joined(session, "content", 0.0)
    for pairing in ("ab", "bc", "ac"):
        ledger.paired(pairing, *pairing)
    best: dict[tuple[str, str], tuple[int, int]] = {}
    for session, pairing, sent, received in reports:
        taken = says(ledger, session, sent=sent, received=received, pairing=pairing)
        if taken and session in pairing:
            best[session, pairing] = (sent, received)
    expected = 0
    for a, b in ("ab", "bc", "ac"):
        a_sent, a_received = best.get((a, a + b), (0, 0))
        b_sent, b_received = best.get((b, a + b), (0, 0))
        expected += min(a_sent, b_received) + min(b_sent, a_received)
    summary = ledger.summary()
    assert summary.peer_bytes_confirmed == expected
    assert 0.0 <= summary.offload <= 1.0
    assert summary.peer_bytes_claimed >= 0


def test_it_goes_on_from_what_earlier_runs_wrote_down(ledger: Ledger) -> None:
    ledger.origin_sent(10, 1)
    ledger.carry(Amounts(origin_bytes=300, peer_bytes_confirmed=700, overhead_bytes=9), 123.0)
    summary = ledger.summary()
    assert (summary.origin_bytes, summary.overhead_bytes, summary.since) == (310, 10, 123.0)
    assert summary.saved_bytes == 690
    assert summary.offload == 700 / 1010
    changes = ledger.take_reading().changes
    assert sum(change.origin_bytes for change in changes.values()) == 10  # that, it has written


def test_a_reading_has_what_is_new_by_content(ledger: Ledger) -> None:
    ledger.joined("c", "other", 0.0)
    ledger.joined("native", "other", 0.0, viewer=False)
    says(ledger, "a", sent=900)
    ledger.origin_sent(50, 0, "other")
    ledger.origin_sent(5, 4)
    ledger.signalled(3)
    ledger.failed(PAIRING)
    ledger.failed("unknown")
    reading = ledger.take_reading()
    assert reading.viewers == {"content": 2, "other": 1}
    assert reading.changes == {
        "content": Amounts(peer_bytes_claimed=900, joins=2, links_attempted=1, links_failed=1),
        "other": Amounts(origin_bytes=50, joins=1),
        "": Amounts(origin_bytes=5, overhead_bytes=7, links_failed=1),
    }
    assert ledger.take_reading().changes == {}
    says(ledger, "b", received=800)
    ledger.report("a", Report(0, 0, 0, 6), 0.0)
    for session in ("a", "b", "c", "native"):
        ledger.left(session, 0.0)
    reading = ledger.take_reading()
    assert reading.viewers == {}
    assert reading.changes == {
        "content": Amounts(peer_bytes_confirmed=800, peer_bytes_claimed=-800, waste_bytes=6)
    }


def test_what_turns_out_to_be_relayed_is_taken_back(ledger: Ledger) -> None:
    says(ledger, "a", sent=900)
    says(ledger, "b", received=900)
    ledger.take_reading()
    ledger.report("b", Report(0, 0, 0, 0, 0, (PairReport(PAIRING, 1000, 0, True),)), 0.0)
    (change,) = ledger.take_reading().changes.values()
    assert change == Amounts(peer_bytes_confirmed=-900, relayed_bytes=900, peer_bytes_claimed=100)
