"""What is known of a rendition: what it asks for, what it believes, and what it forgets.

The scenarios tell how it goes; here are the edges, with a manifest of its own.
"""

from __future__ import annotations

import hashlib
from itertools import count

import msgspec
import pytest

from p2pcdn.core.manifest import ANSWER_TIMEOUT, FIRST_PAUSE, LONGEST_PAUSE, Manifest
from p2pcdn.core.ports import (
    Check,
    Event,
    FetchHashes,
    FetchManifest,
    HashesArrived,
    ManifestArrived,
    ManifestFailed,
)
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.manifest import PAGE_RECORDS, RenditionManifest, SegmentRecord
from tests.p2pcdn.core.media import CONTENT, Media, Piece

MEDIA = Media.of(Piece(SegmentKey("v", n), 1000 + n) for n in range(200))
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


def asked(manifest: Manifest) -> list[Event]:
    return [event for event in manifest.take_events() if not isinstance(event, Check)]


def answer_checks(manifest: Manifest, now: float = NOW) -> list[int]:
    """Answer every check with the truth; the segments that came to be known."""
    checks = [event for event in manifest.take_events() if isinstance(event, Check)]
    answers = [
        manifest.checked(c.check, hashlib.sha256(c.data).digest() == c.digest, now) for c in checks
    ]
    return [sequence for sequence in answers if sequence is not None]


def known(manifest: Manifest, first: int, last: int) -> None:
    """Let these segments become known."""
    manifest.need(list(range(first, last + 1)), NOW)
    manifest.receive(page_of(first, last), NOW)
    manifest.receive(hashes_of(first, last), NOW)
    assert answer_checks(manifest) == list(range(first, last + 1))
    manifest.take_events()


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
    assert asked(manifest) == [FetchHashes("v", Span(5, 5))]
    manifest.receive(hashes_of(5, 5), NOW)
    assert not manifest.knows(5)
    assert answer_checks(manifest) == [5]
    assert manifest.knows(5)
    assert manifest.hashes(5) == MEDIA.pieces[SegmentKey("v", 5)].hashes()
    assert manifest.timer_at() is None


def test_hashes_are_asked_for_in_runs_no_longer_than_a_page() -> None:
    manifest = manifest_that_needs(*range(10, 100), 3, 150)
    manifest.receive(page_of(0, 199), NOW)
    assert asked(manifest)[1:] == [FetchHashes("v", Span(10, 10 + PAGE_RECORDS - 1))]
    manifest.need([3, *range(10, 100)], NOW)
    assert asked(manifest) == [], "one answer is waited for"
    manifest.receive(hashes_of(10, 73), NOW)
    assert len(answer_checks(manifest)) == PAGE_RECORDS
    manifest.need([3, *range(10, 100)], NOW)
    assert asked(manifest) == [FetchHashes("v", Span(3, 3))]


def test_hashes_come_from_anybody_even_if_nobody_asked() -> None:
    manifest = manifest_that_needs()
    manifest.receive(page_of(0, 3), NOW)
    manifest.receive(hashes_of(0, 3), NOW)
    assert answer_checks(manifest) == [0, 1, 2, 3]
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
    assert answer_checks(manifest) == []


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
    assert answer_checks(manifest) == [0]


def test_one_wrong_root_spoils_no_other_segment() -> None:
    manifest = manifest_that_needs(0, 1, 2)
    page = page_of(0, 2).page
    wrong = msgspec.structs.replace(page.segments[1], root="0" * 64)
    segments = (page.segments[0], wrong, page.segments[2])
    manifest.receive(ManifestArrived(msgspec.structs.replace(page, segments=segments)), NOW)
    manifest.receive(hashes_of(0, 2), NOW)
    assert answer_checks(manifest) == [0, 2]
    manifest.need([0, 1, 2], NOW + FIRST_PAUSE - 0.01)
    assert asked(manifest) == []
    manifest.on_timer(NOW + FIRST_PAUSE)
    assert asked(manifest) == [FetchHashes("v", Span(1, 1))]


def ours(**changes: object) -> RenditionManifest:
    return msgspec.structs.replace(page_of(0, 3, time=5).page, **changes)


@pytest.mark.parametrize(
    "page", [ours(content="f" * 32), ours(rendition="w"), ours(time=4)], ids=lambda page: page.time
)
def test_pages_of_others_and_of_before_are_ignored(page: RenditionManifest) -> None:
    manifest = manifest_that_needs(0, 3)
    manifest.receive(page_of(0, 0, time=5), NOW)
    assert manifest.receive(ManifestArrived(page), NOW) == []
    assert manifest.record(3) is None
    assert manifest.timer_at() is not None


def test_a_record_that_changes_takes_what_was_known_with_it() -> None:
    manifest = manifest_that_needs()
    known(manifest, 0, 3)
    page = page_of(0, 3, time=2).page
    other = msgspec.structs.replace(page.segments[2], root="0" * 64)
    segments = (*page.segments[:2], other, page.segments[3])
    changed = manifest.receive(
        ManifestArrived(msgspec.structs.replace(page, segments=segments)), NOW
    )
    assert changed == [2]
    assert [manifest.knows(n) for n in range(4)] == [True, True, False, True]


def test_a_check_of_a_record_that_changed_meanwhile_proves_nothing() -> None:
    manifest = manifest_that_needs(0)
    manifest.receive(page_of(0, 0), NOW)
    manifest.receive(hashes_of(0, 0), NOW)
    page = page_of(0, 0, time=2).page
    other = msgspec.structs.replace(page.segments[0], root="0" * 64)
    manifest.receive(ManifestArrived(msgspec.structs.replace(page, segments=(other,))), NOW)
    assert answer_checks(manifest) == []
    assert not manifest.knows(0)


def test_what_leaves_the_rendition_is_forgotten() -> None:
    manifest = manifest_that_needs()
    known(manifest, 0, 3)
    assert manifest.receive(page_of(2, 5, time=2, oldest=2), NOW) == []
    assert [manifest.knows(n) for n in range(4)] == [False, False, True, True]
    manifest.need([0, 1, 2, 3], NOW)
    assert asked(manifest) == []
    assert manifest.timer_at() is None


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
    assert manifest.checked(99, ok=True, now=NOW) is None
