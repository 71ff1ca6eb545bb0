"""What is known of a rendition: what it asks for, what it believes, and what it forgets.

The scenarios tell how it goes; here are the edges, with a manifest of its own.
"""

from __future__ import annotations

import hashlib
from itertools import count

import msgspec
import pytest

from p2pcdn.core.manifest import Known, Manifest, ManifestEvent, Renewed
from p2pcdn.core.news import Learned
from p2pcdn.core.offers import Forged
from p2pcdn.core.ports import (
    Check,
    FetchHashes,
    FetchManifest,
    FetchRecords,
    HashesArrived,
    ManifestArrived,
    ManifestFailed,
    Verify,
)
from p2pcdn.core.question import ANSWER_TIMEOUT, FIRST_PAUSE, LONGEST_PAUSE
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.manifest import PAGE_RECORDS, Key, Records, RenditionManifest, SegmentRecord
from tests.p2pcdn.core.media import CONTENT, KEY, Media, Piece, genuine, inverted, signed
from tests.p2pcdn.core.scenario import with_signature

MEDIA = Media.of(Piece(SegmentKey("v", n), 1000 + n) for n in range(200))
LIVE = Media(MEDIA.pieces, live=True)
NOW = 0.0


def manifest_that_needs(*sequences: int) -> Manifest:
    manifest = Manifest(CONTENT, "v", count(1))
    manifest.need(list(sequences), NOW)
    return manifest


def page_of(first: int, last: int, *, time: int = 1, oldest: int = 0) -> ManifestArrived:
    pieces = [MEDIA.pieces[SegmentKey("v", n)] for n in range(first, last + 1)]
    page = MEDIA.page_of("v", pieces, NOW, time=time)
    return ManifestArrived(msgspec.structs.replace(page, first=oldest))


def hashes_of(first: int, last: int) -> HashesArrived:
    span = Span(first, last)
    return HashesArrived("v", span, MEDIA.hashes("v", span, NOW))


def answered(manifest: Manifest, now: float = NOW) -> list[ManifestEvent]:
    """What comes out, with every check answered by the truth."""
    told: list[ManifestEvent] = []
    while events := manifest.take_events():
        for event in events:
            match event:
                case Check(check, data, digest):
                    manifest.checked(check, hashlib.sha256(data).digest() == digest, now)
                case Verify(check, _, data, _, signature):
                    manifest.checked(check, genuine(data, signature), now)
                case _:
                    told.append(event)
    return told


def asked(manifest: Manifest) -> list[ManifestEvent]:
    """What the origin is asked for, nothing being checked."""
    fetches = (FetchManifest, FetchRecords, FetchHashes)
    return [event for event in manifest.take_events() if isinstance(event, fetches)]


def known_by(events: list[ManifestEvent]) -> list[int]:
    return [event.sequence for event in events if isinstance(event, Known)]


def known(manifest: Manifest, first: int, last: int) -> None:
    """Let these segments become known."""
    manifest.need(list(range(first, last + 1)), NOW)
    manifest.receive(page_of(first, last), NOW)
    manifest.receive(hashes_of(first, last), NOW)
    assert known_by(answered(manifest)) == list(range(first, last + 1))


def test_nothing_is_asked_for_that_nobody_needs() -> None:
    manifest = manifest_that_needs()
    assert asked(manifest) == []
    assert manifest.timer_at() is None
    assert manifest.record(3) is None
    assert manifest.hashes(3) == []


def test_a_segment_becomes_known() -> None:
    manifest = manifest_that_needs(5)
    assert asked(manifest) == [FetchManifest("v", 5)]
    manifest.receive(page_of(0, 63), NOW)
    record = manifest.record(5)
    assert isinstance(record, SegmentRecord)
    assert record.length == 1005
    assert asked(manifest) == [FetchHashes("v", Span(5, 10))], "the next are needed soon"
    manifest.receive(hashes_of(5, 10), NOW)
    assert not manifest.knows(5)
    assert known_by(answered(manifest)) == [5, 6, 7, 8, 9, 10]
    assert manifest.knows(5)
    assert manifest.usual_bytes() == 1031, "on average"
    assert manifest.hashes(5) == MEDIA.pieces[SegmentKey("v", 5)].hashes()
    assert manifest.timer_at() is None


def test_hashes_are_asked_for_in_runs_no_longer_than_a_page() -> None:
    manifest = manifest_that_needs(*range(10, 100), 3, 150)
    manifest.receive(page_of(0, 199), NOW)
    assert asked(manifest)[1:] == [FetchHashes("v", Span(10, 10 + PAGE_RECORDS - 1))]
    manifest.need([3, *range(10, 100)], NOW)
    assert asked(manifest) == [], "one answer is waited for"
    manifest.receive(hashes_of(10, 73), NOW)
    events = answered(manifest)
    assert len(known_by(events)) == PAGE_RECORDS
    assert events[-1] == FetchHashes("v", Span(3, 8))


def test_hashes_come_in_batches_as_a_recording_is_played() -> None:
    manifest = manifest_that_needs(0)
    manifest.receive(page_of(0, 19), NOW)
    asked_for = []
    for sequence in range(20):
        manifest.need([sequence], NOW)
        for event in manifest.take_events():
            if isinstance(event, FetchHashes):
                asked_for.append(event.sequences)
                manifest.receive(hashes_of(*event.sequences), NOW)
                answered(manifest)
    assert asked_for == [Span(0, 5), Span(6, 11), Span(12, 17), Span(18, 19)]


def test_hashes_of_live_segments_are_left_to_others_until_they_are_needed() -> None:
    manifest = manifest_that_needs(5)
    manifest.receive(live(0, 9), NOW)
    assert asked(manifest)[-1] == FetchHashes("v", Span(5, 5))


def test_hashes_come_from_anybody_even_if_nobody_asked() -> None:
    manifest = manifest_that_needs()
    manifest.receive(page_of(0, 3), NOW)
    manifest.receive(hashes_of(0, 3), NOW)
    assert known_by(answered(manifest)) == [0, 1, 2, 3]
    assert manifest.timer_at() is None


@pytest.mark.parametrize(
    "data",
    [None, b"", bytes(32), bytes(65), bytes(96)],
    ids=["none", "empty", "too short", "uneven", "too long"],
)
def test_hashes_of_another_length_are_asked_for_again(data: bytes | None) -> None:
    manifest = manifest_that_needs(0, 1)
    manifest.receive(page_of(0, 1), NOW)
    manifest.take_events()
    manifest.receive(HashesArrived("v", Span(0, 1), data), NOW)
    assert manifest.take_events() == []
    assert manifest.timer_at() == NOW + FIRST_PAUSE
    manifest.on_timer(NOW + FIRST_PAUSE)
    assert asked(manifest) == [FetchHashes("v", Span(0, 1))]


def test_hashes_of_segments_without_a_record_are_worth_nothing() -> None:
    manifest = manifest_that_needs(0, 1)
    manifest.receive(page_of(0, 0), NOW)
    manifest.receive(hashes_of(0, 1), NOW)
    assert known_by(answered(manifest)) == []


def test_pauses_double_up_to_a_bound_and_begin_anew_after_a_success() -> None:
    manifest, now, pauses = manifest_that_needs(0), NOW, []
    for _ in range(7):
        manifest.receive(ManifestFailed("v"), now)
        at = manifest.timer_at()
        assert at is not None
        pauses.append(at - now)
        now = at
        manifest.on_timer(now)
    assert pauses == pytest.approx(
        [0.5, 1.0, 2.0, 4.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    )
    manifest.receive(page_of(0, 0), now)
    manifest.need([70], now)
    manifest.receive(ManifestFailed("v"), now)
    at = manifest.timer_at()
    assert at == pytest.approx(now + FIRST_PAUSE)


def test_what_is_not_answered_has_failed() -> None:
    manifest = manifest_that_needs(0)
    manifest.take_events()
    manifest.on_timer(NOW + ANSWER_TIMEOUT - 0.01)
    assert manifest.timer_at() == NOW + ANSWER_TIMEOUT
    manifest.on_timer(NOW + ANSWER_TIMEOUT)
    assert manifest.take_events() == []
    again = manifest.timer_at()
    assert again == NOW + ANSWER_TIMEOUT + FIRST_PAUSE
    manifest.on_timer(again)
    assert asked(manifest) == [FetchManifest("v", 0)]


def test_checks_are_given_their_time_too() -> None:
    manifest = manifest_that_needs(0)
    manifest.receive(page_of(0, 0), NOW)
    manifest.receive(hashes_of(0, 0), NOW + 5)
    assert manifest.timer_at() == NOW + 5 + ANSWER_TIMEOUT


def test_hashes_do_not_wait_for_a_page_that_failed() -> None:
    manifest = manifest_that_needs(0, 70)
    manifest.receive(page_of(0, 0), NOW)
    assert asked(manifest) == [
        FetchManifest("v", 0),
        FetchManifest("v", 70),
        FetchHashes("v", Span(0, 0)),
    ]
    manifest.receive(ManifestFailed("v"), NOW)
    manifest.receive(hashes_of(0, 0), NOW)
    assert known_by(answered(manifest)) == [0]


def test_one_wrong_root_spoils_no_other_segment() -> None:
    manifest = manifest_that_needs(0, 1, 2)
    page = page_of(0, 2).page
    wrong = msgspec.structs.replace(page.segments[1], root="0" * 64)
    segments = (page.segments[0], wrong, page.segments[2])
    manifest.receive(ManifestArrived(msgspec.structs.replace(page, segments=segments)), NOW)
    manifest.receive(hashes_of(0, 2), NOW)
    assert known_by(answered(manifest)) == [0, 2]
    manifest.need([0, 1, 2], NOW + FIRST_PAUSE - 0.01)
    assert asked(manifest) == []
    manifest.on_timer(NOW + FIRST_PAUSE)
    assert asked(manifest) == [FetchHashes("v", Span(1, 1))]


def ours(**changes: object) -> RenditionManifest:
    return msgspec.structs.replace(page_of(0, 3, time=5).page, **changes)


@pytest.mark.parametrize("page", [ours(content="f" * 32), ours(rendition="w")])
def test_pages_of_others_are_ignored(page: RenditionManifest) -> None:
    manifest = manifest_that_needs(0, 3)
    manifest.receive(page_of(0, 0, time=5), NOW)
    manifest.receive(ManifestArrived(page), NOW)
    assert manifest.record(3) is None
    assert manifest.timer_at() == NOW + FIRST_PAUSE


def test_a_page_that_brings_back_what_has_gone_is_asked_for_again() -> None:
    manifest = manifest_that_needs(0, 3)
    newer = msgspec.structs.replace(page_of(0, 0, time=5).page, last=2)
    manifest.receive(ManifestArrived(newer), NOW)
    manifest.receive(ManifestArrived(ours(time=4)), NOW)
    assert manifest.record(3) is None
    assert manifest.timer_at() == NOW + FIRST_PAUSE


def renewed(page: RenditionManifest, time: int) -> ManifestArrived:
    """The page of a rendition that has begun anew: all its roots are others."""
    segments = tuple(msgspec.structs.replace(r, root="0" * 64) for r in page.segments)
    return ManifestArrived(msgspec.structs.replace(page, segments=segments, time=time, era=time))


def test_a_rendition_that_begins_anew_takes_what_was_known_with_it() -> None:
    manifest = manifest_that_needs()
    known(manifest, 0, 3)
    manifest.receive(renewed(page_of(0, 1).page, 2), NOW)
    assert manifest.take_events()[0] == Renewed()
    assert [manifest.knows(n) for n in range(4)] == [False] * 4
    assert manifest.record(2) is None


def test_a_check_of_what_the_segment_was_proves_nothing() -> None:
    manifest = manifest_that_needs(0)
    manifest.receive(page_of(0, 0), NOW)
    manifest.receive(hashes_of(0, 0), NOW)
    manifest.receive(renewed(page_of(0, 0).page, 2), NOW)
    assert known_by(answered(manifest)) == []
    assert not manifest.knows(0)


def test_what_leaves_the_rendition_is_forgotten() -> None:
    manifest = manifest_that_needs()
    known(manifest, 0, 3)
    manifest.receive(page_of(2, 5, time=2, oldest=2), NOW)
    assert Renewed() not in manifest.take_events()
    assert [manifest.knows(n) for n in range(4)] == [False, False, True, True]
    manifest.need([0, 1, 2, 3], NOW)
    assert asked(manifest) == []
    assert manifest.timer_at() is None


def test_what_lies_before_the_rendition_may_be_of_another_era() -> None:
    manifest = manifest_that_needs()
    manifest.receive(page_of(100, 103, oldest=100), NOW)
    manifest.need([0, 1], NOW)
    assert asked(manifest) == [FetchManifest("v", 1)]
    manifest.receive(renewed(page_of(0, 1).page, 2), NOW)
    assert manifest.record(0) is not None


def test_a_page_without_the_segment_is_not_asked_for_at_once() -> None:
    manifest = manifest_that_needs(0, 9)
    manifest.receive(page_of(0, 0), NOW)
    manifest.receive(page_of(0, 5), NOW)
    assert FetchManifest("v", 9) in asked(manifest)
    assert manifest.timer_at() is not None
    manifest.receive(page_of(0, 5), NOW)
    assert asked(manifest) == []


def test_checks_that_are_not_ours_are_nobodys() -> None:
    manifest = manifest_that_needs(0)
    manifest.take_events()
    manifest.checked(99, ok=True, now=NOW)
    manifest.checked(99, ok=False, now=NOW)
    assert manifest.take_events() == []


def test_a_segment_in_doubt_is_asked_for_with_its_page_again() -> None:
    manifest = manifest_that_needs()
    known(manifest, 0, 3)
    manifest.doubt(3, NOW)
    manifest.doubt(3, NOW)
    assert asked(manifest) == [FetchManifest("v", 3)], "one question at a time"
    manifest.receive(page_of(0, 3), NOW)
    assert answered(manifest) == []
    manifest.doubt(3, NOW)
    assert asked(manifest) == [FetchManifest("v", 3)], "its page was an answer: no pause"
    manifest.receive(ManifestFailed("v"), NOW)
    manifest.doubt(3, NOW)
    assert asked(manifest) == []
    manifest.doubt(3, NOW + FIRST_PAUSE)
    assert asked(manifest) == [FetchManifest("v", 3)]


# What a live rendition is asked for


def live(first: int, last: int, *, time: int = 1) -> ManifestArrived:
    """The answer of an origin whose newest segment is ``last``."""
    pieces = [LIVE.pieces[SegmentKey("v", n)] for n in range(first, last + 1)]
    page = LIVE.page_of("v", pieces, NOW, time=time, bounds=Span(0, last))
    return ManifestArrived(page)


def live_hashes(first: int, last: int) -> HashesArrived:
    span = Span(first, last)
    return HashesArrived("v", span, LIVE.hashes("v", span, NOW))


def watching(last: int, now: float = NOW) -> Manifest:
    """A manifest that knows the segments 0 to ``last`` of a live rendition, by a whole page."""
    manifest = manifest_that_needs(*range(last + 1))
    manifest.receive(live(0, last), now)
    manifest.receive(live_hashes(0, last), now)
    assert known_by(answered(manifest)) == list(range(last + 1))
    return manifest


@pytest.mark.parametrize(
    ("needs", "question"),
    [
        ([10], FetchRecords("v", Span(10, 10))),
        ([10, 11, 12], FetchRecords("v", Span(10, 12))),
        ([11, 10, 9, 8], FetchRecords("v", Span(11, 11))),
        ([10, 11, 12, 13], FetchManifest("v", 10)),
    ],
)
def test_few_live_records_are_asked_for_by_themselves(
    needs: list[int], question: FetchRecords | FetchManifest
) -> None:
    manifest = watching(9)
    manifest.need(needs, NOW)
    assert asked(manifest) == [question]


def test_the_first_question_is_for_a_page_which_tells_the_keys() -> None:
    assert asked(manifest_that_needs(10)) == [FetchManifest("v", 10)]


def test_few_records_that_do_not_change_are_a_page() -> None:
    manifest = manifest_that_needs()
    known(manifest, 0, 9)
    manifest.need([10], NOW)
    assert asked(manifest) == [FetchManifest("v", 10)]


def test_what_is_held_back_is_not_asked_for_before_its_time() -> None:
    manifest = watching(9)
    manifest.need([10, 11], NOW, {10: NOW + 2, 11: NOW + 1})
    assert asked(manifest) == []
    assert manifest.timer_at() == NOW + 1
    manifest.on_timer(NOW + 1)
    assert asked(manifest) == [FetchRecords("v", Span(11, 11))]
    manifest.receive(live(11, 11, time=2), NOW + 1.5)
    assert asked(manifest) == [FetchHashes("v", Span(11, 11))]
    assert manifest.timer_at() == NOW + 2
    manifest.on_timer(NOW + 2)
    assert asked(manifest) == [FetchRecords("v", Span(10, 10))]


def test_hashes_are_held_back_as_well() -> None:
    manifest = watching(9)
    manifest.receive(live(10, 10, time=2), NOW)
    manifest.need([10], NOW, {10: NOW + 1})
    assert asked(manifest) == []
    manifest.on_timer(NOW + 1)
    assert asked(manifest) == [FetchHashes("v", Span(10, 10))]


def test_nothing_is_held_back_where_no_offer_could_be_verified() -> None:
    manifest = manifest_that_needs()
    manifest.receive(ManifestArrived(msgspec.structs.replace(live(0, 9).page, keys=())), NOW)
    manifest.need([10], NOW, {10: NOW + 1})
    assert asked(manifest) == [FetchRecords("v", Span(10, 10))]


def test_what_is_known_needs_no_timer() -> None:
    manifest = watching(9)
    manifest.need([9], NOW, {9: NOW + 1})
    assert manifest.timer_at() is None


def test_what_is_no_longer_held_back_is_asked_for_at_once() -> None:
    manifest = watching(9)
    manifest.need([10], NOW, {10: NOW + 1})
    manifest.need([10], NOW + 0.5)
    assert asked(manifest) == [FetchRecords("v", Span(10, 10))]


# What others offer


def offer_of(first: int, last: int, *, time: int = 2, **changes: object) -> Records:
    """What a neighbour tells of these segments, ``last`` being the newest one."""
    page = live(first, last, time=time).page
    page = signed(msgspec.structs.replace(page, keys=(), **changes))
    return Records(page, LIVE.records("v", Span(first, last), NOW).hashes)


def test_a_segment_that_is_offered_becomes_known() -> None:
    manifest = watching(9)
    records = offer_of(10, 10)
    manifest.offered(records, 7, NOW)
    assert not manifest.knows(10)
    assert manifest.record(10) is None
    assert answered(manifest) == [Known(10), Learned(records, 7)]
    assert manifest.hashes(10) == LIVE.pieces[SegmentKey("v", 10)].hashes()
    manifest.need([10], NOW)
    assert asked(manifest) == []
    assert manifest.timer_at() is None


def test_an_offer_is_verified_by_the_key_that_the_origin_told() -> None:
    manifest = watching(9)
    manifest.offered(offer_of(10, 10), 7, NOW)
    [verify] = [event for event in manifest.take_events() if isinstance(event, Verify)]
    assert verify.key == bytes(32)


def test_what_is_being_proved_is_not_asked_for() -> None:
    manifest = watching(9)
    manifest.offered(offer_of(10, 10), 7, NOW)
    manifest.need([10, 11], NOW)
    assert asked(manifest) == [FetchRecords("v", Span(11, 11))]


@pytest.mark.parametrize("link", [7, None])
def test_a_forgery_is_blamed_on_its_sender(link: int | None) -> None:
    manifest = watching(9)
    manifest.need([10], NOW, {10: NOW + 1})
    records = offer_of(10, 10)
    forged = Records(with_signature(records.page, inverted), records.hashes)
    manifest.offered(forged, link, NOW)
    assert answered(manifest) == [Forged(link)]
    assert manifest.record(10) is None
    manifest.offered(records, 8, NOW)
    assert answered(manifest) == [Known(10), Learned(records, 8)]


def test_a_page_that_was_tampered_with_is_a_forgery() -> None:
    manifest = watching(9)
    records = offer_of(10, 10)
    other = msgspec.structs.replace(records.page.segments[0], uri="elsewhere.ts")
    page = msgspec.structs.replace(records.page, segments=(other,))
    manifest.offered(Records(page, records.hashes), 7, NOW)
    assert answered(manifest) == [Forged(7)]


def test_hashes_that_do_not_give_the_root_are_a_forgery() -> None:
    manifest = watching(9)
    page = offer_of(10, 10).page
    manifest.offered(Records(page, offer_of(11, 11).hashes), 7, NOW)
    assert answered(manifest) == [Forged(7)]
    assert not manifest.knows(10)
    assert manifest.record(10) is None


def test_after_a_forgery_the_origin_is_asked_once_it_is_time() -> None:
    manifest = watching(9)
    manifest.offered(Records(offer_of(10, 10).page, "A" * 43), 7, NOW)
    manifest.need([10], NOW, {10: NOW + 1})
    verify, _ = manifest.take_events()
    assert isinstance(verify, Verify)
    manifest.on_timer(NOW + 1)
    assert manifest.take_events() == []
    manifest.checked(verify.check, ok=False, now=NOW + 1)
    assert manifest.take_events() == [FetchRecords("v", Span(10, 10)), Forged(7)]


def signed_by(records: Records, **changes: object) -> Records:
    """The same offer with something else said about its signature."""
    [signature] = records.page.signatures
    other = msgspec.structs.replace(signature, **changes)
    return Records(msgspec.structs.replace(records.page, signatures=(other,)), records.hashes)


def without_signature(records: Records) -> Records:
    return Records(msgspec.structs.replace(records.page, signatures=()), records.hashes)


IGNORED = {
    "another content": offer_of(10, 10, content="f" * 32),
    "another rendition": offer_of(10, 10, rendition="w"),
    "not live": offer_of(10, 10, live=False),
    "nothing new": offer_of(9, 9),
    "empty": offer_of(10, 9),
    "as old as what is known, which ends before it": offer_of(10, 10, time=1),
    "older, and beyond the newest segment": offer_of(10, 10, time=0),
    "without a signature": without_signature(offer_of(10, 10)),
    "signed by a key that nobody knows": signed_by(offer_of(10, 10), key="other"),
    "signed in a way that nobody knows": signed_by(offer_of(10, 10), algorithm="ecdsa-p256"),
}


@pytest.mark.parametrize("records", IGNORED.values(), ids=IGNORED)
def test_offers_that_are_not_looked_at(records: Records) -> None:
    manifest = watching(9)
    manifest.offered(records, 7, NOW)
    assert manifest.take_events() == []
    assert manifest.timer_at() is None


def test_a_page_of_an_earlier_era_changes_nothing() -> None:
    manifest = watching(9)
    manifest.need([9], NOW)
    manifest.receive(renewed(offer_of(9, 9).page, 5), NOW)
    assert manifest.take_events() == [Renewed(), FetchHashes("v", Span(9, 9))]
    for time in (4, 6):
        manifest.offered(offer_of(9, 9, time=time), 7, NOW)
    assert manifest.take_events() == []
    assert manifest.record(9) == renewed(offer_of(9, 9).page, 5).page.segments[0]


def test_an_old_page_may_fill_a_gap() -> None:
    manifest = watching(9)
    manifest.offered(offer_of(11, 11, time=3), 7, NOW)
    manifest.offered(offer_of(10, 10, time=2), 7, NOW)
    assert known_by(answered(manifest)) == [11, 10]


def test_a_page_of_a_later_era_changes_what_was_known() -> None:
    manifest = watching(9)
    manifest.need([], NOW)
    piece = Piece(SegmentKey("v", 9), 2000)
    again = Media.of([piece], live=True)
    page = again.page_of("v", [piece], NOW, time=2, era=2, bounds=Span(0, 9))
    records = Records(
        msgspec.structs.replace(page, keys=()), again.records("v", Span(9, 9), NOW).hashes
    )
    manifest.offered(records, 7, NOW)
    assert answered(manifest) == [Renewed(), Known(9), Learned(records, 7)]


def test_what_is_proved_too_late_is_not_believed() -> None:
    manifest = watching(9)
    manifest.offered(offer_of(9, 10, time=2), 7, NOW)
    manifest.receive(renewed(offer_of(9, 9).page, 5), NOW)
    assert known_by(answered(manifest)) == []
    assert manifest.record(10) is None


def test_records_from_links_do_not_forget_what_is_newer() -> None:
    manifest = watching(9)
    manifest.offered(offer_of(11, 11, time=3), 7, NOW)
    answered(manifest)
    manifest.offered(offer_of(10, 10, time=2), 7, NOW)
    answered(manifest)
    manifest.need([9, 10, 11], NOW)
    assert asked(manifest) == []


# Keys


def test_without_a_key_nothing_is_looked_at() -> None:
    manifest = manifest_that_needs()
    page = msgspec.structs.replace(live(0, 9).page, keys=())
    manifest.receive(ManifestArrived(page), NOW)
    manifest.offered(offer_of(10, 10), 7, NOW)
    assert manifest.take_events() == []


def test_keys_that_come_with_an_offer_are_worth_nothing() -> None:
    manifest = manifest_that_needs()
    manifest.receive(ManifestArrived(msgspec.structs.replace(live(0, 9).page, keys=())), NOW)
    records = offer_of(10, 10)
    page = msgspec.structs.replace(records.page, keys=(KEY,))
    manifest.offered(Records(page, records.hashes), 7, NOW)
    assert manifest.take_events() == []


def test_a_key_by_another_name_or_another_algorithm_is_unknown() -> None:
    for key in (Key("other", "ed25519", KEY.public), Key(KEY.id, "ecdsa-p256", KEY.public)):
        manifest = manifest_that_needs()
        page = msgspec.structs.replace(live(0, 9).page, keys=(key,))
        manifest.receive(ManifestArrived(page), NOW)
        manifest.offered(offer_of(10, 10), 7, NOW)
        assert manifest.take_events() == []


def test_the_newest_page_says_which_keys_there_are() -> None:
    manifest = watching(9)
    page = msgspec.structs.replace(live(0, 9, time=2).page, keys=(Key("next", "ed25519", "AAAA"),))
    manifest.receive(ManifestArrived(page), NOW)
    manifest.offered(offer_of(10, 10, time=3), 7, NOW)
    assert manifest.take_events() == []


def test_renditions_share_keys() -> None:
    keys = {KEY.id: KEY}
    manifest = Manifest(CONTENT, "v", count(1), keys)
    manifest.offered(offer_of(10, 10), 7, NOW)
    assert known_by(answered(manifest)) == [10]


def test_only_the_signature_that_was_verified_is_passed_on() -> None:
    manifest = watching(9)
    records = offer_of(10, 10)
    [signature] = records.page.signatures
    junk = msgspec.structs.replace(signature, key="junk", value="AAAA")
    page = msgspec.structs.replace(records.page, signatures=(junk, signature), keys=(KEY,))
    manifest.offered(Records(page, records.hashes), 7, NOW)
    assert answered(manifest) == [Known(10), Learned(records, 7)]


# What others are told


def test_few_records_from_the_origin_are_passed_on_once_they_are_known() -> None:
    manifest = watching(9)
    manifest.need([10, 11], NOW)
    assert asked(manifest) == [FetchRecords("v", Span(10, 11))]
    manifest.receive(live(10, 11, time=2), NOW)
    assert asked(manifest) == [FetchHashes("v", Span(10, 11))]
    manifest.receive(live_hashes(10, 10), NOW)
    assert answered(manifest) == [Known(10), FetchHashes("v", Span(11, 11))]
    manifest.receive(live_hashes(11, 11), NOW)
    assert answered(manifest) == [Known(11), Learned(offer_of(10, 11), None)]
    manifest.offered(offer_of(10, 10), 7, NOW)
    manifest.receive(live(11, 11, time=2), NOW)
    assert manifest.take_events() == [], "once a segment"


def test_what_few_records_bring_takes_no_question_along() -> None:
    manifest = watching(9)
    manifest.need([10], NOW)
    manifest.receive(live(10, 10, time=2), NOW)
    assert FetchRecords("v", Span(10, 10)) in manifest.take_events()


def test_a_page_that_happens_to_be_short_is_no_news() -> None:
    manifest = manifest_that_needs(0, 1)
    manifest.receive(live(0, 1), NOW)
    manifest.receive(live_hashes(0, 1), NOW)
    assert answered(manifest)[-2:] == [Known(0), Known(1)]


def test_of_a_rendition_that_begins_anew_others_are_told_again() -> None:
    manifest = watching(9)
    manifest.need([], NOW)
    manifest.offered(offer_of(10, 10), 7, NOW)
    answered(manifest)
    records = offer_of(10, 10, time=4, era=4)
    manifest.offered(records, 7, NOW)
    assert answered(manifest) == [Renewed(), Known(10), Learned(records, 7)]


# What is too old to be true


@pytest.mark.parametrize("now", [0.0, 1_000.0])
@pytest.mark.parametrize(("age", "looked_at"), [(10.0, True), (10.1, False)])
def test_an_old_page_is_not_looked_at(age: float, looked_at: bool, now: float) -> None:
    """Its segments last for two seconds each: five of them are the bound."""
    manifest = watching(9, now)
    manifest.offered(offer_of(10, 10, time=1), 7, now + age)
    assert manifest.take_events() == []  # it is as old as what is known, and brings more
    manifest.offered(offer_of(10, 10, time=2), 7, now + age + 0.001)
    assert (known_by(answered(manifest)) == [10]) is looked_at


def test_no_page_is_too_old_where_no_segment_s_duration_is_known() -> None:
    manifest = manifest_that_needs(0)
    manifest.receive(ManifestArrived(msgspec.structs.replace(live(0, 0).page, segments=())), NOW)
    manifest.offered(offer_of(0, 0, time=2), 7, NOW + 60)
    assert known_by(answered(manifest)) == [0]


def test_the_clock_is_that_of_the_newest_page_whoever_brought_it() -> None:
    manifest = watching(9)
    manifest.offered(offer_of(10, 10, time=60_000), 7, NOW + 1)
    assert known_by(answered(manifest, NOW + 1)) == [10]
    manifest.offered(offer_of(11, 11, time=60_001), 7, NOW + 11)
    assert known_by(answered(manifest, NOW + 11)) == [11]
    manifest.offered(offer_of(12, 12, time=60_002), 7, NOW + 11.1)
    assert manifest.take_events() == []
