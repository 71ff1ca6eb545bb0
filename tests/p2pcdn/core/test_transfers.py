"""All that is on its way in: how chunks are counted, kept and thrown away.

Checks are answered by hand here, so that things can happen while one is under way.
"""

from __future__ import annotations

from itertools import count
from math import inf

import msgspec
import pytest

from p2pcdn.core.news import Learned
from p2pcdn.core.offers import Forged
from p2pcdn.core.ports import (
    AbortRange,
    Check,
    Checked,
    ChunkRejected,
    Demand,
    FetchManifest,
    FetchRange,
    HashesArrived,
    Loaded,
    ManifestArrived,
    RangeData,
    RangeDone,
    RangeFailed,
    SegmentFailed,
    SegmentReady,
    Verify,
)
from p2pcdn.core.stats import Stats
from p2pcdn.core.store import Store
from p2pcdn.core.transfer import SILENCE, Transfer
from p2pcdn.core.transfers import (
    MOST_AHEAD,
    MOST_FAILURES,
    MOST_WAITING,
    USUAL_BYTES,
    Dropped,
    Kept,
    TransferEvent,
    Transfers,
)
from p2pcdn.errors import SourceReason
from p2pcdn.model import CHUNK_SIZE, ChunkKey, SegmentKey, Span
from tests.p2pcdn.core.media import CONTENT, Media, Piece, inverted

ONE = SegmentKey("v", 1)
MEDIA = Media.of(Piece(SegmentKey("v", n), CHUNK_SIZE + 1000) for n in range(12))
DATA = MEDIA.bytes_of(ONE)
FIRST, LAST = DATA[:CHUNK_SIZE], DATA[CHUNK_SIZE:]
NOW = 0.0


def transfers_that_know(*sequences: int) -> Transfers:
    """These segments can be verified."""
    transfers = Transfers(CONTENT, Store(10**9), Stats(), count(1))
    if sequences:
        known(transfers, *sequences)
    return transfers


def known(transfers: Transfers, *sequences: int) -> None:
    """Let these segments become known."""
    span = Span(min(sequences), max(sequences))
    transfers.receive(ManifestArrived(MEDIA.page("v", span.first, NOW)), NOW)
    transfers.receive(HashesArrived("v", span, MEDIA.hashes("v", span, NOW)), NOW)
    answer(transfers)


def answer(transfers: Transfers, *, ok: bool = True, now: float = NOW) -> list[TransferEvent]:
    """Answer all checks; returns every event but these."""
    events = transfers.take_events()
    others: list[TransferEvent] = []
    while events:
        for event in events:
            if isinstance(event, Check):
                transfers.receive(Checked(event.check, ok), now)
            else:
                others.append(event)
        events = transfers.take_events()
    return others


def demanded(transfers: Transfers, key: SegmentKey = ONE) -> Transfer:
    transfers.demand(Demand(key, 5.0), True, NOW)
    transfer = transfers.transfer(key)
    assert transfer is not None
    return transfer


def fetched(transfers: Transfers, transfer: Transfer, first: int = 0, last: int = 1) -> int:
    """Ask the origin; returns the number of the fetch."""
    transfers.fetch(transfer, Span(first, last), "turn", NOW)
    (event,) = transfers.take_events()
    assert isinstance(event, FetchRange)
    return event.fetch


def figures(transfers: Transfers) -> tuple[int, int, int, int]:
    """What came from the origin, peers and caches, and what was waste."""
    stats = transfers.stats
    return stats.origin_bytes, stats.peer_bytes, stats.cache_bytes, transfers.wasted


FAILED = SegmentFailed(ONE, SourceReason.MISSING)


def leisure(transfers: Transfers) -> float:
    """Seconds that it takes to load a segment past us."""
    return transfers.http.takes(transfers.usual_bytes("v"))


@pytest.mark.parametrize(("spare", "company"), [(0.0, True), (60.0, False)])
def test_a_segment_that_is_not_known_can_not_be_had(spare: float, company: bool) -> None:
    transfers = transfers_that_know()
    transfers.demand(Demand(ONE, leisure(transfers) + spare), company, NOW)
    assert transfers.take_events() == [FAILED]
    assert transfers.begin(ONE, NOW) is None
    assert transfers.timer_at() is None


def test_a_demand_may_wait_to_become_known_as_long_as_it_can_still_be_loaded() -> None:
    transfers = transfers_that_know()
    needed = leisure(transfers)
    transfers.demand(Demand(ONE, needed + 0.4), True, NOW)
    transfers.demand(Demand(SegmentKey("v", 2), needed + 50.0), True, NOW)
    assert transfers.timer_at() == pytest.approx(NOW + 0.4)
    transfers.on_timer(NOW + 0.5)
    assert transfers.take_events() == [FAILED]
    assert transfers.timer_at() == pytest.approx(NOW + 50.0)
    known(transfers, 2)
    transfer = transfers.transfer(SegmentKey("v", 2))
    assert transfer is not None
    assert transfer.demanded == pytest.approx(NOW + needed + 50.0)


def test_who_is_in_no_hurry_waits_without_company_for_what_the_origin_says() -> None:
    transfers = transfers_that_know()
    transfers.demand(Demand(ONE, inf), False, NOW)
    assert transfers.take_events() == []
    transfers.need({}, {}, NOW)
    assert [e for e in transfers.take_events() if isinstance(e, FetchManifest)]
    known(transfers, ONE.sequence)
    transfer = transfers.transfer(ONE)
    assert transfer is not None
    assert transfer.demanded == inf


def test_only_the_last_demand_for_a_segment_counts() -> None:
    transfers = transfers_that_know()
    transfers.demand(Demand(ONE, 60.0), True, NOW)
    transfers.demand(Demand(ONE, 0.0), True, NOW)
    assert transfers.take_events() == [FAILED]
    assert transfers.timer_at() is None
    transfers.demand(Demand(ONE, 60.0), True, NOW)
    transfers.release(ONE)
    assert transfers.timer_at() is None


def test_a_segment_comes_from_the_origin_and_a_link() -> None:
    transfers = transfers_that_know(1)
    transfer = demanded(transfers)
    assert (transfer.since, transfer.demanded) == (NOW, NOW + 5.0)
    transfer.asked_peer(1)
    transfers.from_link(7, ChunkKey("v", 1, 1), LAST, NOW)
    fetch = fetched_with_check(transfers, transfer)
    transfers.receive(RangeData(fetch, FIRST), NOW)
    events = answer(transfers)
    ready = SegmentReady(ONE, DATA, CHUNK_SIZE, 1000)
    assert events == [Kept(ChunkKey("v", 1, 0), None), ready]
    transfers.receive(RangeDone(fetch, 0.1, 0.2), NOW)
    assert figures(transfers) == (CHUNK_SIZE, 1000, 0, 0)
    assert transfers.transfer(ONE) is None
    assert transfers.store.assemble(ONE) == DATA


def fetched_with_check(transfers: Transfers, transfer: Transfer) -> int:
    """Ask the origin for the first chunk, and answer the check of the other one."""
    transfers.fetch(transfer, Span(0, 0), "turn", NOW)
    kept, asked = sorted(answer(transfers), key=lambda event: isinstance(event, FetchRange))
    assert kept == Kept(ChunkKey("v", 1, 1), 7)
    assert isinstance(asked, FetchRange)
    assert (asked.span, asked.whole, asked.fresh) == (Span(0, CHUNK_SIZE - 1), False, False)
    return asked.fetch


def test_what_is_held_is_handed_over_at_once() -> None:
    transfers = transfers_that_know(1)
    for number, data in enumerate((FIRST, LAST)):
        transfers.store.put(ChunkKey("v", 1, number), data)
    transfers.demand(Demand(ONE, 5.0), True, NOW)
    assert transfers.take_events() == [SegmentReady(ONE, DATA, 0, 0)]
    assert transfers.transfer(ONE) is None


def test_what_comes_from_a_cache_is_counted_apart() -> None:
    transfers = transfers_that_know(1)
    fetch = fetched(transfers, demanded(transfers))
    transfers.receive(RangeData(fetch, DATA), NOW)
    answer(transfers)
    assert figures(transfers) == (0, 0, 0, 0), "it is not known yet where it came from"
    transfers.receive(RangeDone(fetch, 0.01, 0.02, cached=True), NOW)
    assert figures(transfers) == (0, 0, len(DATA), 0)


@pytest.mark.parametrize("cached", [False, True])
def test_what_is_checked_after_its_range_is_done_counts_as_the_range_does(cached: bool) -> None:
    transfers = transfers_that_know(1)
    fetch = fetched(transfers, demanded(transfers))
    transfers.receive(RangeData(fetch, DATA), NOW)
    transfers.receive(RangeDone(fetch, 0.01, 0.02, cached), NOW)
    assert figures(transfers) == (0, 0, 0, 0)
    answer(transfers)
    expected = (0, 0, len(DATA), 0) if cached else (len(DATA), 0, 0, 0)
    assert figures(transfers) == expected


def test_the_second_copy_is_waste() -> None:
    transfers = transfers_that_know(1)
    transfer = demanded(transfers)
    fetch = fetched(transfers, transfer)
    transfers.from_link(7, ChunkKey("v", 1, 0), FIRST, NOW)
    transfers.receive(RangeData(fetch, FIRST), NOW)
    assert answer(transfers) == [Kept(ChunkKey("v", 1, 0), 7)]
    assert figures(transfers) == (0, CHUNK_SIZE, 0, CHUNK_SIZE)


def test_a_range_with_nothing_left_to_bring_is_aborted() -> None:
    transfers = transfers_that_know(1)
    fetch = fetched(transfers, demanded(transfers))
    transfers.from_link(7, ChunkKey("v", 1, 0), FIRST, NOW)
    assert AbortRange(fetch) not in answer(transfers)
    transfers.from_link(7, ChunkKey("v", 1, 1), LAST, NOW)
    assert AbortRange(fetch) in answer(transfers)
    transfers.receive(RangeData(fetch, b"late"), NOW)
    transfers.receive(RangeDone(fetch, 0.1, 0.2), NOW)
    assert figures(transfers) == (0, len(DATA), 0, 4)


def test_a_wrong_chunk_of_a_link_is_not_blamed_on_the_origin() -> None:
    transfers = transfers_that_know(1)
    transfer = demanded(transfers)
    transfer.asked_peer(1)
    transfers.from_link(7, ChunkKey("v", 1, 1), inverted(LAST), NOW)
    assert answer(transfers, ok=False) == [ChunkRejected(ONE, 1, 7)]
    assert transfer.missing == 0b11
    assert (transfer.stale, transfer.origin_failures) == (False, 0)
    assert figures(transfers) == (0, 0, 0, 1000)
    assert transfers.stats.rejected_chunks == 1


def test_a_wrong_chunk_that_the_origin_is_bringing_too_is_waited_for() -> None:
    transfers = transfers_that_know(1)
    transfer = demanded(transfers)
    fetch = fetched(transfers, transfer)
    transfers.from_link(7, ChunkKey("v", 1, 1), inverted(LAST), NOW)
    assert answer(transfers, ok=False) == [ChunkRejected(ONE, 1, 7)]
    assert transfer.origin == 0b11
    transfers.receive(RangeData(fetch, DATA), NOW)
    assert SegmentReady(ONE, DATA, len(DATA), 0) in answer(transfers)


def test_what_the_origin_sent_wrong_is_fetched_past_its_caches() -> None:
    transfers = transfers_that_know(1)
    transfer = demanded(transfers)
    fetch = fetched(transfers, transfer)
    transfers.receive(RangeData(fetch, inverted(FIRST)), NOW)
    assert answer(transfers, ok=False) == [
        ChunkRejected(ONE, 0, None),
        Dropped(ONE, [0]),
    ]
    assert transfer.origin_after > NOW
    transfers.fetch(transfer, Span(0, 0), "turn", NOW)
    (again,) = transfers.take_events()
    assert isinstance(again, FetchRange)
    assert again.fresh


def test_an_answer_is_late_after_a_second_without_a_byte() -> None:
    transfers = transfers_that_know(1)
    transfer = demanded(transfers)
    fetch = fetched(transfers, transfer)
    late_at = transfers.late_at(NOW)
    assert late_at == NOW + SILENCE
    assert transfers.fetched(ONE, NOW) == (0b11, 0)
    assert transfers.fetched(ONE, late_at) == (0b11, 0b11)
    assert transfers.late_at(late_at) == inf
    transfers.receive(RangeData(fetch, FIRST), NOW + 0.25)
    assert transfers.fetched(ONE, late_at) == (0b10, 0)
    assert transfers.late_at(NOW) == NOW + 0.25 + SILENCE


def test_an_answer_is_late_when_all_of_it_should_be_there_however_it_drips() -> None:
    transfers = transfers_that_know(1)
    transfer = demanded(transfers)
    fetch = fetched(transfers, transfer)
    expected = NOW + transfers.http.takes(len(DATA))
    transfers.receive(RangeData(fetch, FIRST), expected - 0.1)
    assert transfers.late_at(NOW) == expected
    assert transfers.fetched(ONE, expected) == (0b10, 0b10)


def test_answers_at_the_same_time_share_the_line() -> None:
    transfers = transfers_that_know(1)
    transfer = demanded(transfers)
    first, last = fetched(transfers, transfer, 0, 0), fetched(transfers, transfer, 1, 1)
    transfers.receive(RangeData(first, FIRST[:1000]), NOW + 2.0)
    transfers.receive(RangeData(last, LAST[:500]), NOW + 2.0)
    alone, both = transfers.http.takes(len(FIRST)), transfers.http.takes(len(DATA))
    assert transfers.late_at(NOW) == NOW + alone
    assert transfers.late_at(NOW + alone) == NOW + both


def test_what_a_link_does_not_bring_the_origin_may_still_bring() -> None:
    transfers = transfers_that_know(1)
    transfer = demanded(transfers)
    fetch = fetched(transfers, transfer, 1, 1)
    for chunk in (0, 1):
        transfer.asked_peer(chunk)
        transfers.lost(ChunkKey("v", 1, chunk))
    assert (transfer.missing, transfer.peer, transfer.origin) == (0b01, 0, 0b10)
    transfer.asked_peer(1)
    transfers.receive(RangeFailed(fetch, SourceReason.TIMEOUT), NOW)
    assert (transfer.missing, transfer.peer, transfer.origin) == (0b01, 0b10, 0)


def test_a_fetch_can_fail_only_once() -> None:
    transfers = transfers_that_know(1)
    transfer = demanded(transfers)
    fetch = fetched(transfers, transfer)
    transfers.receive(RangeData(fetch, inverted(FIRST)), NOW)
    answer(transfers, ok=False)
    transfers.receive(RangeFailed(fetch, SourceReason.TIMEOUT), NOW)
    assert transfer.origin_failures == 1


def test_an_origin_that_fails_too_often_is_given_up_and_its_other_ranges_aborted() -> None:
    transfers = transfers_that_know(1)
    transfer = demanded(transfers)
    other = fetched(transfers, transfer, 0, 0)
    for _ in range(MOST_FAILURES):
        assert transfer.demanded is not None
        fetch = fetched(transfers, transfer, 1, 1)
        transfers.receive(RangeData(fetch, b"some"), NOW)
        transfers.receive(RangeFailed(fetch, SourceReason.STATUS), NOW)
        events = transfers.take_events()
    assert events == [
        Dropped(ONE, [1]),
        AbortRange(other),
        Dropped(ONE, [0]),
        SegmentFailed(ONE, SourceReason.STATUS),
    ]
    assert transfers.wasted == MOST_FAILURES * 4
    assert transfers.keep_only([]) == [transfer]


def test_what_is_not_wanted_any_more_ends_but_not_while_something_is_on_its_way() -> None:
    transfers = transfers_that_know(1, 2, 3)
    ahead = transfers.begin(ONE, NOW)
    busy = transfers.begin(SegmentKey("v", 2), NOW)
    assert ahead is not None
    assert busy is not None
    busy.asked_peer(0)
    wanted = demanded(transfers, SegmentKey("v", 3))
    assert transfers.keep_only([ONE]) == []
    assert transfers.keep_only([]) == [ahead]
    assert list(transfers.open()) == [busy, wanted]
    transfers.lost(ChunkKey("v", 2, 0))
    assert transfers.keep_only([]) == [busy]


def test_a_chunk_that_nobody_waits_for_is_waste() -> None:
    transfers = transfers_that_know(1)
    transfers.from_link(7, ChunkKey("v", 1, 0), FIRST, NOW)
    assert answer(transfers) == []
    assert figures(transfers) == (0, 0, 0, CHUNK_SIZE)
    transfers.lost(ChunkKey("v", 1, 0))


# Loaded past us


def test_what_was_loaded_past_us_is_kept_when_it_has_been_checked() -> None:
    transfers = transfers_that_know(1)
    transfers.receive(Loaded(ONE, DATA), NOW)
    assert transfers.store.size == 0
    assert figures(transfers) == (len(DATA), 0, 0, 0)
    assert answer(transfers) == [Kept(ChunkKey("v", 1, n), None) for n in (0, 1)]
    assert transfers.store.size == len(DATA)
    assert figures(transfers) == (len(DATA), 0, 0, 0)


def test_what_was_loaded_past_us_went_to_the_player_even_if_it_is_wrong() -> None:
    transfers = transfers_that_know(1)
    transfers.receive(Loaded(ONE, inverted(DATA), cached=True), NOW)
    answer(transfers, ok=False)
    assert transfers.store.size == 0
    assert figures(transfers) == (0, 0, len(DATA), 0)
    assert transfers.stats.rejected_chunks == 2
    transfer = transfers.transfer(ONE)
    assert transfer is not None
    assert (transfer.stale, transfer.origin_failures) == (True, 0)


def test_what_has_another_length_than_the_manifest_says_is_of_no_use() -> None:
    transfers = transfers_that_know(1)
    transfers.receive(Loaded(ONE, DATA[:-1]), NOW)
    assert answer(transfers) == []
    assert figures(transfers) == (len(DATA) - 1, 0, 0, 0)


@pytest.mark.parametrize("cached", [False, True])
def test_what_was_held_already_counts_once(cached: bool) -> None:
    transfers = transfers_that_know(1)
    demanded(transfers)
    transfers.from_link(7, ChunkKey("v", 1, 0), FIRST, NOW)
    answer(transfers)
    transfers.receive(Loaded(ONE, DATA, cached), NOW)
    new = (0, CHUNK_SIZE, 1000, CHUNK_SIZE) if cached else (1000, CHUNK_SIZE, 0, CHUNK_SIZE)
    assert figures(transfers) == new
    assert SegmentReady(ONE, DATA, 1000, CHUNK_SIZE) in answer(transfers)


def test_only_the_newest_wait_for_their_hashes() -> None:
    transfers = transfers_that_know()
    for sequence in range(MOST_WAITING + 1):
        key = SegmentKey("v", sequence)
        transfers.receive(Loaded(key, MEDIA.bytes_of(key)), NOW)
    known(transfers, *range(MOST_WAITING + 1))
    held = {segment.sequence for segment in transfers.store.segments()}
    assert held == set(range(1, MOST_WAITING + 1))


def test_what_waits_is_needed() -> None:
    transfers = transfers_that_know()
    transfers.receive(Loaded(ONE, DATA), NOW)
    transfers.need({"w": [5]}, {}, NOW)
    asked = {(e.rendition, e.sequence) for e in transfers.take_events()}  # type: ignore[union-attr]
    assert asked == {("v", 1), ("w", 5)}


# Changes and the end


def test_an_origin_that_is_wrong_past_all_caches_may_have_begun_anew() -> None:
    transfers = transfers_that_know(1)
    for fresh in (False, True):
        transfer = demanded(transfers)
        assert transfer.stale is fresh
        fetch = fetched(transfers, transfer)
        transfers.receive(RangeData(fetch, FIRST), NOW)
        told = answer(transfers, ok=False)
        transfers.receive(RangeFailed(fetch, SourceReason.CLOSED), NOW)
        transfers.take_events()
        assert (FetchManifest("v", 1) in told) is fresh
        assert (SegmentFailed(ONE, SourceReason.INTEGRITY) in told) is fresh
    assert transfers.stats.origin_mismatches == 2
    page = msgspec.structs.replace(MEDIA.page("v", 1, NOW), time=2, era=2)
    transfers.receive(ManifestArrived(page), NOW)
    assert not transfers.knows(ONE)


def test_what_a_link_brings_wrong_is_no_fault_of_the_origin() -> None:
    transfers = transfers_that_know(1)
    demanded(transfers)
    transfers.from_link(7, ChunkKey("v", 1, 0), FIRST, NOW)
    answer(transfers, ok=False)
    assert (transfers.stats.rejected_chunks, transfers.stats.origin_mismatches) == (1, 0)


def test_what_began_anew_leaves_nothing_of_what_had_left_it() -> None:
    transfers = transfers_that_know(1)
    transfers.receive(RangeData(fetched(transfers, demanded(transfers)), FIRST), NOW)
    answer(transfers)
    page = msgspec.structs.replace(MEDIA.page("v", 1, NOW), segments=())
    transfers.receive(ManifestArrived(msgspec.structs.replace(page, time=2, first=2)), NOW)
    assert transfers.store.size > 0
    transfers.receive(ManifestArrived(msgspec.structs.replace(page, time=3, era=3)), NOW)
    assert transfers.store.size == 0


def test_what_changes_is_thrown_away() -> None:
    transfers = transfers_that_know(1)
    fetch = fetched(transfers, demanded(transfers))
    transfers.receive(RangeData(fetch, FIRST), NOW)
    answer(transfers)
    page = MEDIA.page("v", 1, NOW)
    records = [msgspec.structs.replace(r, root="0" * 64) for r in page.segments]
    changed = msgspec.structs.replace(page, time=2, era=2, segments=tuple(records))
    transfers.receive(ManifestArrived(changed), NOW)
    assert transfers.take_events()[:4] == [
        SegmentFailed(ONE, SourceReason.INTEGRITY),
        AbortRange(fetch),
        Dropped(ONE, [1]),
        Dropped(ONE, [0]),
    ]
    assert transfers.store.size == 0
    assert not transfers.knows(ONE)


def test_the_store_is_kept_within_its_bound_but_not_what_is_on_its_way() -> None:
    transfers = transfers_that_know(1)
    transfers.store.limit = 0
    for sequence in (1, 2, 3):
        transfers.store.put(ChunkKey("v", sequence, 0), b"abc")
    demanded(transfers)
    transfers.evict(1, {SegmentKey("v", 2)})
    assert transfers.take_events() == [Dropped(SegmentKey("v", 3), [0])]


def test_what_the_player_was_not_given_is_remembered_when_it_is_dropped_but_not_for_ever() -> None:
    transfers = transfers_that_know(1)
    others = [SegmentKey("w", sequence) for sequence in range(MOST_AHEAD)]
    transfers.ahead = dict.fromkeys(others)
    transfers.begin(ONE, NOW)
    for chunk, data in enumerate((FIRST, LAST)):
        transfers.from_link(7, ChunkKey(*ONE, chunk), data, NOW)
    answer(transfers)
    transfers.store.limit = 0
    transfers.evict(1, [])
    assert transfers.take_events() == [Dropped(ONE, [0, 1])]
    assert [*transfers.ahead] == [*others[1:], ONE]


def test_a_verifier_that_does_not_answer_has_said_no() -> None:
    transfers = transfers_that_know(1)
    demanded(transfers)
    transfers.from_link(7, ChunkKey("v", 1, 1), LAST, NOW)
    (check,) = transfers.take_events()
    assert isinstance(check, Check)
    at = transfers.timer_at()
    assert at is not None
    transfers.on_timer(at)
    assert transfers.take_events() == [ChunkRejected(ONE, 1, 7, proved=False)]
    transfers.receive(Checked(check.check, ok=True), at)
    assert transfers.take_events() == []
    assert transfers.timer_at() is None


def shown(transfers: Transfers) -> tuple[float, float]:
    """What the origin has shown: to its first byte, and bytes a second."""
    return transfers.http.ttfb, transfers.http.rate


def test_what_the_origin_has_shown() -> None:
    transfers = transfers_that_know(1)
    before = shown(transfers)
    transfer = demanded(transfers)

    def done(cached: bool) -> None:
        fetch = fetched(transfers, transfer)
        transfers.receive(RangeData(fetch, DATA[:-1]), NOW)
        transfers.receive(RangeDone(fetch, 0.5, 1.0, cached), NOW)
        answer(transfers, ok=False)

    done(cached=True)
    assert shown(transfers) == before, "a cache says nothing about the origin"
    done(cached=False)
    assert shown(transfers) == pytest.approx((0.5, (len(DATA) - 1) / 0.5))


@pytest.mark.parametrize("loaded", [Loaded(ONE, DATA), Loaded(ONE, DATA, True, 0.1, 0.2)])
def test_what_was_not_measured_or_came_from_a_cache_says_nothing(loaded: Loaded) -> None:
    transfers = transfers_that_know(1)
    before = shown(transfers)
    transfers.receive(loaded, NOW)
    assert shown(transfers) == before


def test_what_was_loaded_past_us_says_how_fast_the_origin_is() -> None:
    transfers = transfers_that_know(1)
    transfers.receive(Loaded(ONE, DATA, ttfb=0.5, took=1.0), NOW)
    assert shown(transfers) == pytest.approx((0.5, len(DATA) / 0.5))


def test_what_waited_for_us_after_it_was_loaded_did_not_come_at_once() -> None:
    transfers = transfers_that_know(1, 2)
    for key, at in ((ONE, NOW - 2), (SegmentKey("v", 2), NOW - 1)):
        transfers.receive(Loaded(key, MEDIA.bytes_of(key), ttfb=0.5, took=1.0, at=at), NOW)
    assert shown(transfers) == pytest.approx((0.5, len(DATA) / 0.5))


# What is known


def test_what_a_segment_weighs_where_nothing_is_known_of_its_like() -> None:
    assert transfers_that_know().usual_bytes("v") == USUAL_BYTES
    assert transfers_that_know(1).usual_bytes("v") == len(DATA)


def test_a_segment_is_held_when_every_chunk_is() -> None:
    transfers = transfers_that_know(1)
    assert not transfers.holds(ONE)
    transfers.store.put(ChunkKey("v", 1, 0), FIRST)
    assert not transfers.holds(ONE)
    transfers.store.put(ChunkKey("v", 1, 1), LAST)
    assert transfers.holds(ONE)
    assert not transfers.holds(SegmentKey("v", 2)), "nobody knows what it is"


def test_it_is_remembered_when_a_segment_became_known() -> None:
    transfers = transfers_that_know(1)
    transfer = transfers.begin(ONE, NOW + 5)
    assert transfer is not None
    assert (transfer.known_at, transfer.since) == (NOW, NOW + 5)
    assert transfers.known_at(SegmentKey("v", 9), NOW + 7) == NOW + 7


def test_offers_for_a_rendition_that_nobody_plays_are_not_looked_at() -> None:
    transfers = transfers_that_know()
    transfers.offered(MEDIA.records("v", Span(1, 1), NOW), 7, NOW)
    assert transfers.take_events() == []


def test_what_was_told_over_a_link_is_known_when_it_is_proved() -> None:
    live = Media.of(MEDIA.pieces.values(), live=True)
    transfers = transfers_that_know()
    transfers.receive(ManifestArrived(live.few("v", Span(0, 0), NOW)), NOW)
    transfers.take_events()
    transfers.offered(live.records("v", Span(1, 1), NOW), 7, NOW)
    asked = transfers.take_events()
    assert [type(event) for event in asked] == [Verify, Check]
    assert not transfers.knows(ONE)
    for event in asked:
        assert isinstance(event, Verify | Check)
        transfers.receive(Checked(event.check, ok=True), NOW)
    (learned,) = transfers.take_events()
    assert isinstance(learned, Learned)
    assert (learned.link, transfers.knows(ONE)) == (7, True)


@pytest.mark.parametrize("who", [7, None])
def test_who_tells_what_the_origin_never_signed(who: int | None) -> None:
    live = Media.of(MEDIA.pieces.values(), live=True)
    transfers = transfers_that_know()
    transfers.receive(ManifestArrived(live.few("v", Span(0, 0), NOW)), NOW)
    transfers.take_events()
    transfers.offered(live.records("v", Span(1, 1), NOW), who, NOW)
    verify = transfers.take_events()[0]
    assert isinstance(verify, Verify)
    transfers.receive(Checked(verify.check, ok=False), NOW)
    assert transfers.take_events() == [Forged(who)]
    assert not transfers.knows(ONE)
