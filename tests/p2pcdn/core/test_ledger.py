"""What counts as saved: only what both ends say, once, and never less than nothing."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.amounts import Amounts
from p2pcdn.core.audit import Ceilings, Extent
from p2pcdn.core.claims import MOST_SEGMENTS, PATIENCE
from p2pcdn.core.firsts import JOINS_WITHIN, Place
from p2pcdn.core.ledger import LINGERS, MOST_PAIRS, MOST_STARTUP, MOST_TIME, Ledger
from p2pcdn.core.ledger_ports import Failure, Group, Reading, Summary
from p2pcdn.core.pairing import LINK_TIMEOUT
from p2pcdn.wire.tracker import PairReport, Quality
from tests.p2pcdn.core.telling import PAIRING, chunks, gave, got, report, several, size

EVERY = 10.0


class Book:
    """A ledger, and what the sessions in it say: each report with the next number, at a time."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.numbers: dict[str, int] = {}
        self.now = 0.0

    def says(
        self, session: str, *pairs: PairReport, now: float | None = None, **rest: object
    ) -> bool:
        self.now = self.now if now is None else now
        number = self.numbers[session] = self.numbers.get(session, 0) + 1
        said = report(number, *pairs, **rest)  # type: ignore[arg-type]
        return self.ledger.report(session, said, self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.ledger.on_timer(self.now)

    @property
    def summary(self) -> Summary:
        return self.ledger.summary()


@pytest.fixture
def book() -> Book:
    """Two viewers of one content, introduced to each other."""
    made = Book()
    made.ledger.joined("a", "content", 0.0, groups=[Group("browser", "Firefox")])
    made.ledger.joined("b", "content", 0.0, groups=[Group("browser", "Safari")])
    made.ledger.paired(PAIRING, "a", "b")
    return made


def test_an_empty_book() -> None:
    summary = Ledger().summary()
    assert summary.offload == 0.0
    assert summary.saved_bytes == 0
    assert summary.viewers == summary.swarms == 0


@pytest.mark.parametrize("first", ["sender", "receiver"])
def test_only_what_both_ends_say_is_confirmed(book: Book, first: str) -> None:
    says = [("a", gave(chunks(0, 9))), ("b", got(chunks(0, 7)))]
    for session, pair in says if first == "sender" else reversed(says):
        assert book.summary.peer_bytes_confirmed == 0
        assert book.says(session, pair)
    assert book.summary.peer_bytes_confirmed == size(8)
    assert book.summary.peer_bytes_claimed == size(2)


def test_the_two_directions_are_apart(book: Book) -> None:
    book.says("a", PairReport(PAIRING, received=(chunks(20),), sent=(chunks(0, 9),)))
    book.says("b", PairReport(PAIRING, received=(chunks(0, 9),), sent=(chunks(20, 21),)))
    assert book.summary.peer_bytes_confirmed == size(11)
    assert book.summary.peer_bytes_claimed == size(1)


def test_of_a_short_chunk_its_bytes_count_as_the_more_modest_end_has_them(book: Book) -> None:
    book.says("a", gave(chunks(0, 3, size=500)))
    book.says("b", got(chunks(0, 3, size=100)))
    assert book.summary.peer_bytes_confirmed == size(3) + 100
    assert book.summary.peer_bytes_claimed == 0


@pytest.mark.parametrize("teller", ["a", "b"])
def test_what_went_through_a_relay_saves_nothing(book: Book, teller: str) -> None:
    book.says("a", gave(chunks(0, 9)))
    book.says("b", got(chunks(0, 9)))
    assert book.summary.peer_bytes_confirmed == size(10)
    book.says("a", gave(chunks(10), route="relay" if teller == "a" else "host"))
    book.says("b", got(chunks(10), route="relay" if teller == "b" else None))
    assert book.summary.peer_bytes_confirmed == book.summary.saved_bytes == 0
    assert book.summary.relayed_bytes == size(11)
    assert book.summary.offload == 0.0
    book.says("a", gave(chunks(11)))
    book.says("b", got(chunks(11)))
    assert book.summary.peer_bytes_confirmed == 0, "a relay is not forgotten"
    changes = book.ledger.take_reading()
    for amounts in (*changes.changes.values(), changes.groups[Group("browser", "Safari")]):
        assert (amounts.peer_bytes_confirmed, amounts.relayed_bytes) == (0, size(12))


def test_the_tracker_knows_who_can_only_link_through_a_relay(book: Book) -> None:
    book.ledger.paired("other", "a", "b", relayed=True)
    book.says("a", gave(chunks(0), pairing="other"))
    book.says("b", got(chunks(0), pairing="other"))
    assert book.summary.saved_bytes == 0
    assert book.summary.relayed_bytes == size(1)


@pytest.mark.parametrize("receiver", ["edge", "a"])
def test_what_a_peer_of_the_site_moves_is_apart(book: Book, receiver: str) -> None:
    book.ledger.joined("edge", "content", 0.0, viewer=False, edge=True)
    book.ledger.paired("other", "edge", "a")
    book.says("a" if receiver == "edge" else "edge", gave(chunks(0), pairing="other"))
    book.says(receiver, got(chunks(0), pairing="other"))
    assert (book.summary.edge_bytes, book.summary.peer_bytes_confirmed) == (size(1), 0)


def test_a_native_peer_is_spared_no_more_than_a_viewer_in_its_place(book: Book) -> None:
    book.ledger.ceilings = Ceilings(rate=size(100), ahead=1.0)
    book.ledger.joined("native", "content", 0.0, viewer=False)
    book.ledger.paired("other", "native", "a")
    for first in (0, 100, 200):
        book.says("native", got(chunks(first, first + 99), pairing="other"))
        book.says("a", gave(chunks(first, first + 99), pairing="other"))
    assert (book.summary.peer_bytes_confirmed, book.summary.edge_bytes) == (size(100), size(200))
    book.says("native", origin=(chunks(0, 299),))
    assert (book.summary.peer_bytes_confirmed, book.summary.edge_bytes) == (0, size(200))
    book.says("a", gave(chunks(300), pairing="other"))
    book.says("native", got(chunks(300), pairing="other"))
    assert book.summary.peer_bytes_confirmed == 0, "it does not count anew what was taken back"


def test_what_was_apart_goes_with_the_rest_if_it_was_relayed(book: Book) -> None:
    book.ledger.ceilings = Ceilings(rate=size(100), ahead=1.0)
    book.ledger.joined("native", "content", 0.0, viewer=False)
    book.ledger.paired("other", "native", "a")
    for first in (0, 100):
        book.says("native", got(chunks(first, first + 99), pairing="other"))
        book.says("a", gave(chunks(first, first + 99), pairing="other"))
    book.says("a", gave(chunks(300), pairing="other", route="relay"))
    assert (book.summary.peer_bytes_confirmed, book.summary.edge_bytes) == (0, 0)
    assert book.summary.relayed_bytes == size(200)


def test_one_end_alone_confirms_nothing_even_if_it_claims_both_ways(book: Book) -> None:
    book.says("a", PairReport(PAIRING, received=(chunks(0),), sent=(chunks(0),)))
    assert book.summary.peer_bytes_confirmed == 0
    assert book.summary.peer_bytes_claimed == size(2)


def test_nobody_reports_for_a_pairing_that_is_not_its_own(book: Book) -> None:
    book.ledger.joined("c", "content", 0.0)
    book.says("a", gave(chunks(0)))
    assert book.says("c", got(chunks(0)))
    assert book.says("b", got(chunks(0), pairing="unknown"))
    assert book.summary.peer_bytes_confirmed == 0


# Once


def test_a_chunk_is_credited_once_a_session_whoever_brought_it(book: Book) -> None:
    book.ledger.joined("c", "content", 0.0)
    book.ledger.paired("other", "b", "c")
    book.says("a", gave(chunks(0, 4)))
    book.says("c", gave(chunks(0, 4), pairing="other"))
    book.says("b", got(chunks(0, 4)), got(chunks(3, 4), pairing="other"))
    assert book.summary.peer_bytes_confirmed == size(5)
    assert book.summary.waste_bytes == size(2)
    assert book.summary.peer_bytes_claimed == size(3)


def test_two_sessions_are_credited_the_same_chunk(book: Book) -> None:
    book.says("a", PairReport(PAIRING, received=(chunks(0),), sent=(chunks(0),)))
    book.says("b", PairReport(PAIRING, received=(chunks(0),), sent=(chunks(0),)))
    assert book.summary.peer_bytes_confirmed == size(2)


def test_what_also_came_from_the_origin_earns_nothing(book: Book) -> None:
    book.says("a", gave(chunks(0, 9, size=1000)))
    book.says("b", origin=(chunks(0, 2),))
    book.says("b", got(chunks(0, 9, size=1000)))
    assert book.summary.peer_bytes_confirmed == size(6) + 1000
    book.says("b", origin=(chunks(8, 9),))
    assert book.summary.peer_bytes_confirmed == size(5)
    book.says("b", origin=(chunks(8, 9),))
    assert book.summary.peer_bytes_confirmed == size(5), "and is taken back once"
    group = book.ledger.take_reading().groups[Group("browser", "Safari")]
    assert group.peer_bytes_confirmed == size(5)


# Claimed and disputed


@pytest.mark.parametrize("first", ["sender", "receiver"])
def test_what_the_player_was_not_given_is_claimed_until_it_is(book: Book, first: str) -> None:
    runs = chunks(0, 9), chunks(0, 9, sequence=1), chunks(0, 9, sequence=2)
    says = [("a", gave(*runs), ()), ("b", got(*runs), ((0, 1, 2),))]
    for session, pair, ahead in says if first == "sender" else reversed(says):
        assert book.says(session, pair, ahead=ahead)
    assert (book.summary.peer_bytes_confirmed, book.summary.peer_bytes_claimed) == (
        size(10),
        size(20),
    )
    book.says("b", ahead=((0, 2, 2),))
    assert (book.summary.peer_bytes_confirmed, book.summary.peer_bytes_claimed) == (
        size(20),
        size(10),
    )
    # It took a part of the rest from the origin, after all, which was in vain; and leaves.
    book.says("b", origin=(chunks(0, 3, sequence=2),), ahead=((0, 2, 2),))
    book.ledger.left("b", book.now)
    book.wait(10 * PATIENCE)
    assert (book.summary.peer_bytes_confirmed, book.summary.peer_bytes_claimed) == (
        size(16),
        size(6),
    )
    assert book.summary.peer_bytes_disputed == book.summary.waste_bytes == 0


def test_what_the_origin_sent_ahead_is_taken_off_until_the_player_is_given_it(book: Book) -> None:
    book.says("a", gave(chunks(0, 9)))
    book.says("b", got(chunks(0, 9)), origin=(chunks(0, 3, sequence=1),), ahead=((0, 1, 1),))
    assert book.summary.peer_bytes_confirmed == size(6)
    book.says("b", ahead=((0, 1, 1),))
    assert book.summary.peer_bytes_confirmed == size(6)
    book.says("b")
    assert book.summary.peer_bytes_confirmed == size(10)


def test_what_waits_for_the_player_saves_nothing_if_it_was_relayed(book: Book) -> None:
    book.says("a", gave(chunks(0, 9)))
    book.says("b", got(chunks(0, 9)), ahead=((0, 0, 0),))
    book.says("a", gave(chunks(10, 10), route="relay"))
    book.says("b", got(chunks(10, 10)))
    assert book.summary.peer_bytes_confirmed == book.summary.peer_bytes_claimed == 0
    assert book.summary.relayed_bytes == size(11)


def test_what_waited_for_the_player_is_claimed_no_more_if_it_turns_out_to_be_relayed(
    book: Book,
) -> None:
    runs = chunks(0, 9), chunks(0, 9, sequence=1)
    book.says("b", got(*runs), ahead=((0, 1, 1),))
    book.says("a", gave(*runs))
    assert (book.summary.peer_bytes_confirmed, book.summary.peer_bytes_claimed) == (
        size(10),
        size(10),
    )
    book.says("a", gave(chunks(10), route="relay"))
    book.says("b", got(chunks(10)), ahead=((0, 1, 1),))
    assert book.summary.relayed_bytes == size(21)
    changes = book.ledger.take_reading()
    for amounts in (*changes.changes.values(), changes.groups[Group("browser", "Safari")]):
        assert (amounts.peer_bytes_confirmed, amounts.peer_bytes_claimed) == (0, 0)
    book.says("b")  # its player has been given all
    amounts = book.ledger.total
    assert (amounts.peer_bytes_confirmed, amounts.peer_bytes_claimed) == (0, 0)


def test_what_stays_claimed_of_one_who_was_forgotten_is_not_taken_back(book: Book) -> None:
    book.says("b", got(chunks(0, 9)), ahead=((0, 0, 0),))
    book.says("a", gave(chunks(0, 9)))
    book.ledger.left("b", book.now)
    book.wait(2 * LINGERS)
    book.says("a", gave(chunks(10), route="relay"))
    amounts = book.ledger.total
    assert (amounts.peer_bytes_confirmed, amounts.peer_bytes_claimed) == (0, size(11))


def test_what_went_by_a_route_is_so_whether_or_not_the_player_was_given_it(book: Book) -> None:
    book.says("b", got(chunks(0, 9), route="host"), ahead=((0, 0, 0),))
    book.says("a", gave(chunks(0, 9)))
    book.says("a", gave(chunks(10)))  # which is claimed
    for ahead in (((0, 0, 0),), ()):
        book.says("b", ahead=ahead)
    amounts = book.ledger.take_reading().groups[Group("route", "host")]
    assert (amounts.peer_bytes_confirmed, amounts.peer_bytes_claimed) == (size(10), 0)
    book.says("b", got(chunks(11), route="relay"))
    amounts = book.ledger.take_reading().groups[Group("route", "host")]
    assert (amounts.peer_bytes_confirmed, amounts.relayed_bytes) == (-size(10), size(10))


def test_what_is_claimed_goes_along_when_its_viewer_turns_out_to_belong_elsewhere(
    book: Book,
) -> None:
    was, unheard = Group("access", "wired"), Group("nat", "open")
    book.ledger.belongs("b", was)
    book.says("b", got(chunks(0, 9)), ahead=((0, 0, 0),))
    book.says("a", gave(chunks(0, 12)))  # three of them wait for the other end's word
    for group in (Group("access", "cellular"), unheard):
        book.ledger.belongs("b", group)
    groups = book.ledger.take_reading().groups
    assert groups[was].peer_bytes_claimed == 0
    assert groups[unheard].peer_bytes_claimed == size(13)
    book.says("b", got(chunks(10, 12)))
    now = book.ledger.take_reading().groups
    for group in (unheard, Group("access", "cellular")):
        assert now[group].peer_bytes_confirmed == size(13)
        assert now[group].peer_bytes_claimed == -size(13)
    assert was not in now


def test_what_the_other_end_does_not_say_is_disputed_after_a_while(book: Book) -> None:
    book.says("a", gave(chunks(0, 9)))
    book.says("b", got(chunks(0, 4)), now=EVERY)
    book.wait(PATIENCE - EVERY - 1)
    assert book.summary.peer_bytes_claimed == size(5)
    book.wait(1)
    assert (book.summary.peer_bytes_claimed, book.summary.peer_bytes_disputed) == (0, size(5))
    book.says("b", got(chunks(5, 9)))
    assert book.summary.peer_bytes_confirmed == size(5), "too late"


def test_what_came_in_vain_is_not_disputed(book: Book) -> None:
    book.says("a", gave(chunks(0, 9)))
    book.says("b", got(chunks(0, 4), waste=size(3)), waste_bytes=size(3), now=EVERY)
    book.wait(PATIENCE)
    assert (book.summary.peer_bytes_claimed, book.summary.peer_bytes_disputed) == (0, size(2))
    assert book.summary.waste_bytes == size(3)


@pytest.mark.parametrize("killed", ["sender", "receiver"])
def test_what_one_end_could_not_report_stays_claimed(book: Book, killed: str) -> None:
    if killed == "receiver":
        book.says("a", gave(chunks(0, 9)))
        book.ledger.left("b", 5.0)
    else:
        book.says("b", got(chunks(0, 9)))
        book.ledger.left("a", 5.0)
    for _ in range(40):
        book.wait(EVERY)
    assert book.summary.peer_bytes_claimed == size(10)
    assert book.summary.peer_bytes_disputed == book.summary.peer_bytes_confirmed == 0


def test_a_wrong_word_of_the_receiver_is_disputed_too(book: Book) -> None:
    book.says("b", got(chunks(0, 9)))
    book.says("a", gave(chunks(0)), now=EVERY)
    book.wait(PATIENCE)
    assert book.summary.peer_bytes_disputed == size(9)


# The last report


def test_a_report_that_comes_both_ways_counts_once(book: Book) -> None:
    book.says("a", gave(chunks(0, 9)))
    last = report(1, got(chunks(0, 9)), waste_bytes=5)
    assert book.ledger.report("b", last, 1.0)
    book.ledger.left("b", 1.0)
    assert not book.ledger.report("b", last, 1.5, "beacon")
    assert book.summary.refused_reports == 0, "that was to be expected"
    assert not book.ledger.report("b", last, 2.0, "beacon")
    assert not book.ledger.report("b", last, 2.0, "socket")
    assert book.summary.refused_reports == 2
    assert (book.summary.peer_bytes_confirmed, book.summary.waste_bytes) == (size(10), 5)
    assert book.ledger.take_reading().failures == {Failure("report", "replayed"): 2}


def test_a_page_that_has_gone_may_still_report_for_a_while(book: Book) -> None:
    book.says("a", gave(chunks(0, 9)), now=LINGERS - 1)
    book.ledger.left("b", 1.0)
    assert book.summary.viewers == 1
    assert book.ledger.report("b", report(1, got(chunks(0, 4))), LINGERS, "beacon")
    assert book.summary.peer_bytes_confirmed == size(5)
    assert not book.ledger.report("b", report(2, got(chunks(5, 9))), LINGERS + 1, "beacon")
    assert book.summary.peer_bytes_confirmed == size(5)
    assert book.ledger.take_reading().failures == {Failure("report", "stranger"): 1}


def test_both_may_have_gone(book: Book) -> None:
    for session in "ab":
        book.ledger.left(session, 1.0)
    assert book.ledger.report("a", report(1, gave(chunks(0))), 1.1, "beacon")
    assert book.ledger.report("b", report(1, got(chunks(0))), 1.2, "beacon")
    assert book.summary.peer_bytes_confirmed == size(1)


def test_a_stranger_reports_nothing(book: Book) -> None:
    assert not book.says("nobody", gave(chunks(0)))
    assert book.summary.peer_bytes_claimed == 0


# What is remembered


def test_nothing_is_remembered_of_those_who_left(book: Book) -> None:
    book.says("a", gave(chunks(0)))
    book.ledger.left("a", 1.0)
    book.ledger.left("b", 1.0)
    assert book.ledger.timer_at() == LINGERS  # the pairing's turn is first
    book.wait(LINGERS)
    assert book.ledger.timer_at() == LINGERS + 1
    book.wait(1)
    ledger = book.ledger
    for kept in (
        ledger._sessions,
        ledger._gone,
        ledger._pairs,
        ledger._contents,
        ledger.take_reading().members,
    ):
        assert not kept
    book.wait(PATIENCE)
    assert ledger.timer_at() is None


def test_what_those_who_left_moved_still_counts(book: Book) -> None:
    book.says("a", gave(chunks(0, 6)))
    book.ledger.left("a", 1.0)
    book.says("b", got(chunks(0, 6)))
    book.ledger.left("b", 2.0)
    book.wait(1000)
    assert book.summary.peer_bytes_confirmed == size(7)


def test_a_seeder_that_stays_for_ever_keeps_a_bounded_book() -> None:
    book = Book()
    book.ledger.joined("seeder", "content", 0.0, viewer=False)
    book.ledger.joined("friend", "content", 0.0)
    book.ledger.paired("lasting", "seeder", "friend")
    for number in range(2 * MOST_PAIRS):
        viewer, pairing = f"v{number}", f"p{number}"
        book.ledger.joined(viewer, "content", book.now)
        book.ledger.paired(pairing, "seeder", viewer)
        book.says(viewer, got(chunks(0), pairing=pairing))
        book.says("seeder", gave(chunks(0), pairing=pairing))
        book.ledger.left(viewer, book.now)
        book.wait(EVERY)
    assert len(book.ledger._pairs) <= MOST_PAIRS
    assert len(book.ledger._sessions) + len(book.ledger._gone) < 20
    assert book.summary.peer_bytes_confirmed == size(2 * MOST_PAIRS)
    book.says("seeder", gave(chunks(1), pairing="lasting"))
    book.says("friend", got(chunks(1), pairing="lasting"))
    assert book.summary.peer_bytes_confirmed == size(2 * MOST_PAIRS + 1)


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


# Quality


def test_how_it_played_adds_up(book: Book) -> None:
    book.says("a", quality=Quality(800.0, 9000, 1, 1000, 500_000))
    book.says("a", quality=Quality(None, 10_000, 0, 0, 500_000), now=EVERY)
    book.says("b", quality=Quality(3000.0, 1000, 0, 0, 0))
    summary = book.summary
    assert (summary.startups, summary.stalls, summary.stalled_seconds) == (2, 1, 1.0)
    assert summary.played_seconds == 20.0
    assert summary.rebuffer_ratio == round(1 / 21, 6)
    assert summary.bitrate == 500_000 * 8 * 0.95
    assert summary.startup_p95 is not None
    assert 2 < summary.startup_p95 <= 3
    groups = book.ledger.take_reading().groups
    assert groups[Group("browser", "Firefox")].played_ms == 19_000
    assert groups[Group("browser", "Safari")].startups == 1


def test_a_viewer_starts_once(book: Book) -> None:
    for _ in range(3):
        book.says("a", quality=Quality(800.0))
    assert book.summary.startups == 1


def test_what_a_native_peer_says_of_playing_is_nobodys_experience(book: Book) -> None:
    book.ledger.joined("native", "content", 0.0, viewer=False)
    book.says("native", quality=Quality(800.0, 9000))
    assert (book.summary.startups, book.summary.played_seconds) == (0, 0)


def test_links_are_of_the_groups_of_both_ends(book: Book) -> None:
    book.ledger.linked(PAIRING, 120.6)
    book.ledger.linked("unknown", 80.0)
    assert (book.summary.links_made, book.summary.link_time) == (2, 0.1)
    groups = book.ledger.take_reading().groups
    assert [groups[Group("browser", name)].links_made for name in ("Firefox", "Safari")] == [1, 1]
    assert [groups[Group("browser", name)].link_ms for name in ("Firefox", "Safari")] == [120, 120]


def test_no_link_took_longer_than_a_link_may(book: Book) -> None:
    for took in (1e300, -5.0):
        book.ledger.linked(PAIRING, took)
    assert book.summary.link_time == LINK_TIMEOUT / 2


def test_who_says_that_it_waited_for_a_day_moves_no_average(book: Book) -> None:
    assert book.says("a", quality=Quality(86_400_000.0, 10))
    assert book.ledger.take_reading().changes["content"].startup_ms == MOST_STARTUP


# Sums


def test_what_came_wrong_by_http_is_counted_over_all(book: Book) -> None:
    for session, mismatches in (("a", 2), ("b", 3), ("a", 2)):
        assert book.says(session, origin_mismatches=mismatches, rejected_chunks=mismatches)
    assert book.summary.origin_mismatches == book.ledger.origin_mismatches == 7
    assert book.summary.rejected_chunks == 7


def test_savings_are_confirmed_less_overhead(book: Book) -> None:
    book.ledger.origin_sent(size(1), overhead=100)
    book.ledger.origin_sent(0, 50)
    book.ledger.signalled(10)
    book.says("a", gave(chunks(0, 2)))
    book.says("b", got(chunks(0, 2)))
    assert book.summary.origin_bytes == size(1)
    assert book.summary.overhead_bytes == 160
    assert book.summary.saved_bytes == size(3) - 160
    assert book.summary.offload == 0.75


# What a session belongs to, as far as that is found out


def test_a_viewer_is_in_one_group_of_a_kind(book: Book) -> None:
    for nat in ("no STUN answer", "ports kept", "ports kept"):
        book.ledger.belongs("a", Group("nat", nat))
    book.ledger.belongs("nobody", Group("nat", "ports kept"))
    book.ledger.joined("native", "content", 0.0, viewer=False)
    book.ledger.belongs("native", Group("nat", "ports kept"))
    firefox, kept = Group("browser", "Firefox"), Group("nat", "ports kept")
    reading = book.ledger.take_reading()
    assert reading.members == {firefox: 1, Group("browser", "Safari"): 1, kept: 1}
    book.says("a", waste_bytes=7)
    assert book.ledger.take_reading().groups == {
        firefox: Amounts(waste_bytes=7),
        kept: Amounts(waste_bytes=7),
    }
    book.ledger.left("a", 1.0)
    assert kept not in book.ledger.take_reading().members
    book.ledger.belongs("a", Group("nat", "ports changed"))
    assert not [group for group in book.ledger.take_reading().members if group.kind == "nat"]


def test_what_is_played_is_told_by_its_bit_rate(book: Book) -> None:
    low, high = Group("rendition", "0.5 to 1 Mbit/s"), Group("rendition", "2 to 4 Mbit/s")
    book.says("a", quality=Quality(startup=500.0, played=1000, rate=100_000))
    book.says("a", quality=Quality(played=2000, rate=400_000))
    book.says("a", quality=Quality(played=4000))  # not known: as before
    reading = book.ledger.take_reading()
    assert (reading.groups[low].played_ms, reading.groups[low].startups) == (1000, 1)
    assert reading.groups[high].played_ms == 6000
    assert reading.members[high] == 1
    assert low not in reading.members


def test_each_step_of_getting_connected_counts_once(book: Book) -> None:
    book.says("a", quality=Quality(announce=100.0, answer=200.0))
    book.says("a", quality=Quality(announce=9000.0, ice=300.0, open=400.0, first_chunk=1e7))
    book.says("b", quality=Quality(announce=300.0))
    summary = book.summary
    assert (summary.announce_time, summary.answer_time) == (0.2, 0.2)
    assert (summary.ice_time, summary.open_time) == (0.3, 0.4)
    assert summary.first_chunk_time == MOST_TIME / 1000
    groups = book.ledger.take_reading().groups
    assert groups[Group("browser", "Safari")].time_to("announce") == 0.3
    assert groups[Group("browser", "Safari")].time_to("answer") is None


def test_links_are_told_apart_by_what_they_go_by(book: Book) -> None:
    book.ledger.joined("c", "content", 0.0)
    book.ledger.paired("other", "a", "c")
    route = Group("route", "srflx")
    book.says("a", gave(chunks(0, 9), route="srflx"), gave(chunks(0), pairing="other"))
    book.says("b", got(chunks(0, 7), route="host"))  # the first to say so has
    book.says("c", got(chunks(0), pairing="other"))
    groups = book.ledger.take_reading().groups
    assert groups[route] == Amounts(links_made=1, peer_bytes_confirmed=size(8))
    assert Group("route", "host") not in groups
    book.says("a", gave(route="relay", waste=1))
    taken = book.ledger.take_reading().groups[route]
    assert (taken.peer_bytes_confirmed, taken.relayed_bytes) == (-size(8), size(8))


# The best that was possible


def sent(book: Book, count: int, *, file: str = "file", content: str = "content") -> None:
    """The origin sends so many chunks from the beginning of a file."""
    book.ledger.origin_sent(size(count), 0, content, Place(file, 0))


def best_of(reading: Reading) -> dict[str, float | None]:
    return {content: amounts.best_offload for content, amounts in reading.changes.items()}


@pytest.mark.parametrize("viewers", [1, 2, 3, 7])
def test_of_n_viewers_of_the_same_one_has_to_ask_the_origin(viewers: int) -> None:
    book = Book()
    for number in range(viewers):
        book.ledger.joined(f"{number}", "content", 0.0)
    sent(book, 10)
    for number in range(1, viewers):
        pairing = f"{number:016}"
        book.ledger.paired(pairing, "0", f"{number}")
        book.says("0", gave(*several(10), pairing=pairing))
        book.says(f"{number}", got(*several(10), pairing=pairing))
    assert book.summary.offload == book.summary.best_offload == (viewers - 1) / viewers


def test_what_the_origin_sends_again_could_have_come_from_peers(book: Book) -> None:
    sent(book, 10)
    sent(book, 10)
    summary = book.summary
    assert (summary.origin_bytes, summary.least_bytes) == (size(20), size(10))
    assert (summary.offload, summary.best_offload) == (0, 0.5)


def test_each_content_and_each_file_needs_a_copy_of_its_own(book: Book) -> None:
    book.ledger.joined("c", "other", 0.0)
    for content, file in (("content", "file"), ("content", "2"), ("other", "file")):
        sent(book, 2, content=content, file=file)
    assert book.summary.best_offload == 0
    sent(book, 6, file="2")
    assert best_of(book.ledger.take_reading()) == {"content": 0.2, "other": 0}


def test_who_comes_later_takes_from_those_who_are_still_there(book: Book) -> None:
    sent(book, 10)
    book.ledger.take_reading()
    book.ledger.left("a", 1.0)
    sent(book, 10)
    assert best_of(book.ledger.take_reading())["content"] == 1
    # Once nobody is there, nobody has anything.
    book.ledger.left("b", 2.0)
    book.ledger.joined("c", "content", 3.0)
    sent(book, 10)
    assert best_of(book.ledger.take_reading())["content"] == 0


def test_where_nobody_watches_nothing_could_have_come_from_peers() -> None:
    book = Book()
    for _ in range(2):
        sent(book, 10)
    assert book.summary.best_offload == 0
    # But what a page loads before it is in, it has.
    book.ledger.joined("a", "content", 0.0)
    book.ledger.joined("b", "content", 0.0)
    sent(book, 10)
    assert book.summary.least_bytes == size(20)
    for session in "ab":
        book.ledger.left(session, 1.0)
    sent(book, 10)
    assert book.ledger.timer_at() == JOINS_WITHIN
    book.wait(JOINS_WITHIN)
    book.ledger.joined("c", "content", 1.0)
    sent(book, 10)
    assert book.summary.least_bytes == size(40)


def test_what_belongs_to_no_content_had_to_be_sent(book: Book) -> None:
    for _ in range(2):
        book.ledger.origin_sent(100)
        book.ledger.origin_sent(100, 0, "", Place("file", 0))
        book.ledger.origin_sent(100, 0, "content")
    assert book.summary.least_bytes == book.summary.origin_bytes == 600


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["join", "leave", "send", "share", "share", "take"]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 15),
        st.integers(0, 15),
        st.booleans(),
    ),
    max_size=60,
)


@given(ACTS)
def test_no_range_has_more_offload_than_was_possible(
    acts: list[tuple[str, int, int, int, int, bool]],
) -> None:
    """Whoever comes, goes, takes, gives, and says in its reports that it did: whichever readings
    are added up, over one content or all of them."""
    book = Book()
    readings: list[Reading] = []
    for act, who, whom, one, other, is_read in acts:
        session, peer, content = f"{who}", f"{whom}", "ab"[who % 2]
        first, last = sorted((one, other))
        if act == "join":
            book.ledger.joined(session, content, book.now)
        elif act == "leave":
            book.ledger.left(session, book.now)
        elif act in {"send", "take"}:
            place = Place(f"{whom % 2}", size(first))
            book.ledger.origin_sent(size(last + 1 - first), 0, content, place)
            if act == "take":  # and what was credited for it is taken back
                book.says(session, origin=(chunks(first, last),))
        elif who % 2 == whom % 2 and who != whom:
            pairing = f"{10 * min(who, whom) + max(who, whom):016}"
            book.ledger.paired(pairing, session, peer)
            book.says(session, got(chunks(first, last), pairing=pairing))
            book.says(peer, gave(chunks(first, last), pairing=pairing))
        book.wait(1)
        if is_read:
            readings.append(book.ledger.take_reading())
    readings.append(book.ledger.take_reading())
    for start in range(len(readings)):
        sums = {"all": Amounts()}
        for reading in readings[start:]:
            for content, amounts in reading.changes.items():
                assert 0 <= amounts.least_bytes <= amounts.origin_bytes
                for name in ("all", content):
                    sums.setdefault(name, Amounts()).add(amounts)
            for amounts in sums.values():
                best = amounts.best_offload
                assert amounts.offload <= (1 if best is None else best)
                watched = amounts.origin_bytes + amounts.peer_bytes_confirmed
                if watched > 0 and amounts.peer_bytes_confirmed >= 0:
                    assert best == (watched - amounts.least_bytes) / watched


def test_nothing_is_saved_where_overhead_is_more(book: Book) -> None:
    book.ledger.origin_sent(0, size(2))
    book.says("a", gave(chunks(0)))
    book.says("b", got(chunks(0)))
    assert book.summary.saved_bytes == 0


def test_waste_adds_up_over_sessions_and_survives_them(book: Book) -> None:
    book.says("a", waste_bytes=10)
    book.says("a", waste_bytes=20)
    book.says("b", waste_bytes=5)
    book.ledger.left("a", 2.0)
    book.wait(1000)
    assert book.summary.waste_bytes == 35


def test_what_is_reported_of_the_origin_is_told_by_group_alone(book: Book) -> None:
    book.says("a", origin_bytes=500)
    reading = book.ledger.take_reading()
    assert reading.groups[Group("browser", "Firefox")].origin_bytes == 500
    assert book.summary.origin_bytes == reading.changes["content"].origin_bytes == 0


def test_it_goes_on_from_what_earlier_runs_wrote_down() -> None:
    ledger = Ledger()
    ledger.origin_sent(10, 1)
    ledger.carry(Amounts(origin_bytes=300, peer_bytes_confirmed=700, overhead_bytes=9), 123.0)
    summary = ledger.summary()
    assert (summary.origin_bytes, summary.overhead_bytes, summary.since) == (310, 10, 123.0)
    assert summary.saved_bytes == 690
    assert summary.offload == 700 / 1010
    changes = ledger.take_reading().changes
    assert sum(change.origin_bytes for change in changes.values()) == 10  # that, it has written


def test_a_reading_has_what_is_new_by_content(book: Book) -> None:
    ledger = book.ledger
    ledger.joined("c", "other", 0.0)
    ledger.joined("native", "other", 0.0, viewer=False)
    book.says("a", gave(chunks(0, 9)))
    ledger.origin_sent(50, 0, "other")
    ledger.origin_sent(5, 4)
    ledger.signalled(3)
    ledger.failed(PAIRING, "timeout")
    ledger.failed("unknown")
    reading = ledger.take_reading()
    assert reading.viewers == {"content": 2, "other": 1}
    assert reading.members == {Group("browser", "Firefox"): 1, Group("browser", "Safari"): 1}
    assert reading.changes == {
        "content": Amounts(peer_bytes_claimed=size(10), joins=2, links_attempted=1, links_failed=1),
        "other": Amounts(origin_bytes=50, least_bytes=50, joins=1),
        "": Amounts(origin_bytes=5, least_bytes=5, overhead_bytes=7, links_failed=1),
    }
    assert reading.failures == {Failure("link", "timeout"): 1, Failure("link", "unknown"): 1}
    assert ledger.take_reading().changes == {}
    book.says("b", got(chunks(0, 7)))
    for session in ("a", "b", "c", "native"):
        ledger.left(session, 0.0)
    reading = ledger.take_reading()
    assert reading.viewers == {}
    assert reading.members == {}
    assert reading.changes == {
        "content": Amounts(peer_bytes_confirmed=size(8), peer_bytes_claimed=-size(8))
    }
    assert reading.groups == {
        Group("browser", "Safari"): Amounts(
            peer_bytes_confirmed=size(8), peer_bytes_claimed=-size(8)
        )
    }


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 40)), max_size=40)
)
def test_no_order_of_reports_confirms_more_than_either_end_said(
    reports: list[tuple[str, int, int]],
) -> None:
    """Each of three says that it gave one neighbour so many chunks of a segment, or got them."""
    book = Book()
    for session in "abc":
        book.ledger.joined(session, "content", 0.0)
    ways = [(a, b) for a in "abc" for b in "abc" if a != b]
    for a, b in (("a", "b"), ("b", "c"), ("a", "c")):
        book.ledger.paired("".join(sorted((a, b))), a, b)
    said: dict[tuple[str, str, str], set[int]] = {}
    for session, which, count in reports:
        sender, receiver = ways[which]
        if session not in (sender, receiver) or not count:
            continue
        pairing = "".join(sorted((sender, receiver)))
        telling = gave if session == sender else got
        book.now += EVERY / 2
        taken = book.says(session, telling(chunks(0, count - 1), pairing=pairing))
        assert taken
        said.setdefault((session, sender, receiver), set()).update(range(count))
    most = 0
    for receiver in "abc":
        both = [
            said.get((sender, sender, receiver), set())
            & said.get((receiver, sender, receiver), set())
            for sender in "abc"
        ]
        most += len(set().union(*both))
    assert book.summary.peer_bytes_confirmed <= size(most)
    assert book.summary.peer_bytes_claimed >= 0
    assert 0.0 <= (book.summary.offload or 0.0) <= 1.0


def test_honest_peers_are_credited_to_the_byte_and_claims_come_to_nothing() -> None:
    """A swarm of ten, each of whose chunks comes from a neighbour, or from the origin, or from
    both; reports come in any order, a few are never made."""
    random = Random(5)
    book = Book()
    names = [f"v{number}" for number in range(10)]
    for name in names:
        book.ledger.joined(name, "content", 0.0)
    pairs = {}
    for at, a in enumerate(names):
        for b in names[at + 1 :]:
            pairs[frozenset((a, b))] = f"{a}{b}"
            book.ledger.paired(f"{a}{b}", a, b)
    true = 0
    for round_ in range(12):
        got_: dict[str, dict[str, list[int]]] = {name: {} for name in names}
        gave_: dict[str, dict[str, list[int]]] = {name: {} for name in names}
        origin: dict[str, list[int]] = {name: [] for name in names}
        for name in names:
            for chunk in range(20):
                sender = random.choice([other for other in names if other != name])
                if random.random() < 0.2:
                    origin[name].append(chunk)
                    if random.random() < 0.5:
                        continue
                else:
                    true += 1
                got_[name].setdefault(sender, []).append(chunk)
                gave_[sender].setdefault(name, []).append(chunk)
        for name in random.sample(names, 10):
            entries = [
                PairReport(
                    pairs[frozenset((name, other))],
                    tuple(_runs(round_, got_[name].get(other, []))),
                    tuple(_runs(round_, gave_[name].get(other, []))),
                )
                for other in names
                if other != name
            ]
            assert book.says(name, *entries, origin=tuple(_runs(round_, origin[name])))
        book.wait(EVERY)
    book.wait(2 * PATIENCE)
    assert book.summary.peer_bytes_confirmed == size(true)
    assert book.summary.peer_bytes_claimed == book.summary.peer_bytes_disputed == 0


def _runs(sequence: int, numbers: list[int]) -> list[tuple[int, ...]]:
    bounds: list[int] = []
    for number in sorted(numbers):
        if bounds and bounds[-1] == number - 1:
            bounds[-1] = number
        else:
            bounds += [number, number]
    return [(0, sequence, 0, *bounds)] if bounds else []


def test_reports_of_much_at_once() -> None:
    book = Book()
    for session in "ab":
        book.ledger.joined(session, "content", 0.0)
    book.ledger.paired(PAIRING, "a", "b")
    book.ledger.ceilings = Ceilings(rate=1e9)
    most = 16 * MOST_SEGMENTS
    assert book.says("a", gave(*several(most + 160)))
    assert book.says("b", got(*several(most + 160)))
    assert book.summary.peer_bytes_confirmed == size(most), "so many segments wait at most"
    assert book.summary.peer_bytes_claimed == 2 * size(160)


def test_ledgers_of_several_add_up_and_who_is_gone_is_not_there() -> None:
    first, second = Ledger(), Ledger()
    groups = [Group("browser", "Firefox")]
    first.joined("a", "one", 0.0, groups=groups)
    second.joined("b", "two", 0.0, groups=groups)
    second.joined("c", "two", 0.0, viewer=False)
    second.origin_sent(1000, 5, "two")
    for _ in range(2):
        first.take_in("second", second.take_reading())
    summary = first.summary()
    assert (summary.joins, summary.viewers, summary.swarms) == (2, 2, 2)
    assert (summary.origin_bytes, summary.overhead_bytes) == (1000, 5)
    reading = first.take_reading()
    assert reading.viewers == {"one": 1, "two": 1}
    assert reading.members == {groups[0]: 2}
    assert reading.changes["two"].origin_bytes == 1000
    assert first.take_reading().changes == {}
    first.forget("second")
    summary = first.summary()
    assert (summary.joins, summary.viewers, summary.swarms) == (2, 1, 1)
    assert first.take_reading().members == {groups[0]: 1}
    assert first.sizes() == {"one": 1}


def test_what_there_is_can_be_told_to_others() -> None:
    ledger = Ledger()
    extent = Extent(1.0, 2, 3, 4)
    ledger.measured("content", "v", extent)
    assert list(ledger.extents()) == [("content", "v", extent)]


# Media elsewhere

FAR = "https://cdn.example/a.m3u8"


def test_what_viewers_take_from_a_cdn_is_their_word_and_counts_against_the_offload() -> None:
    book = Book()
    for session in "ab":
        book.ledger.joined(session, "content", 0.0, groups=[Group("browser", "Firefox")])
    book.ledger.paired(PAIRING, "a", "b")
    book.ledger.measured("content", FAR, Extent(1e6, 100, 0, 1000))
    book.says("a", gave(chunks(0)), renditions=(FAR,), origin_bytes=size(3))
    book.says("b", got(chunks(0)), renditions=(FAR,))
    summary = book.summary
    assert (summary.origin_bytes, summary.least_bytes) == (0, 0)
    assert summary.elsewhere_bytes == size(3)
    assert summary.peer_bytes_confirmed == summary.saved_bytes == size(1)
    assert summary.offload == 0.25
    assert book.ledger.knows_origin
    reading = book.ledger.take_reading()
    firefox = reading.groups[Group("browser", "Firefox")]
    assert (firefox.elsewhere_bytes, firefox.origin_bytes) == (size(3), 0)
    assert reading.changes["content"].elsewhere_bytes == size(3)


def test_a_tracker_on_its_own_tells_it_by_the_report() -> None:
    book = Book()
    book.ledger.joined("a", "content", 0.0)
    book.says("a", renditions=("480p.m3u8",), origin_bytes=7)
    assert book.summary.elsewhere_bytes == 0
    book.says("a", renditions=(FAR,), origin_bytes=7)
    assert book.summary.elsewhere_bytes == 7


def test_whoever_says_that_ours_is_elsewhere_changes_nothing() -> None:
    book = Book()
    book.ledger.joined("a", "content", 0.0)
    book.ledger.measured("content", "480p.m3u8", Extent(1e6, 100, 0, 1000))
    book.says("a", renditions=(FAR,), origin_bytes=7)
    assert book.summary.elsewhere_bytes == 0


def test_no_word_about_it_saves_anything() -> None:
    """What is said of a CDN lowers the offload, or does not; the headline stays."""
    for said in (0, size(1), size(1000)):
        book = Book()
        for session in "ab":
            book.ledger.joined(session, "content", 0.0)
        book.ledger.paired(PAIRING, "a", "b")
        book.ledger.origin_sent(0, overhead=10)
        book.says("a", gave(chunks(0)), renditions=(FAR,), origin_bytes=said)
        book.says("b", got(chunks(0)), renditions=(FAR,))
        assert book.summary.saved_bytes == size(1) - 10
