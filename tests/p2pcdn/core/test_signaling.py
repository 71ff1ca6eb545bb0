"""How links come about: the edges that the scenarios leave out."""

from __future__ import annotations

from itertools import count

import pytest

from p2pcdn.core.ports import (
    AddCandidate,
    CandidateFound,
    CloseLink,
    Described,
    Entered,
    Event,
    LinkClosed,
    LinkOpened,
    MakeAnswer,
    MakeOffer,
    TakeAnswer,
    TellTracker,
    TrackerDown,
    TrackerSays,
)
from p2pcdn.core.signaling import (
    CONNECT_TIMEOUT,
    MOST_CANDIDATES,
    MOST_LIARS,
    MOST_OVER,
    OFFER_PATIENCE,
    SPARE_LASTS,
    TOGETHER,
    Signaling,
    State,
)
from p2pcdn.wire.fields import Message
from p2pcdn.wire.tracker import (
    Answered,
    Candidated,
    CandidatedTogether,
    FromTracker,
    Invite,
    Join,
    Joined,
    Leave,
    Limits,
    Linked,
    Move,
    Offered,
    PairingCandidates,
    Position,
    Prepared,
    SendAnswer,
    SendCandidates,
    SendOffer,
    Taken,
    Unlinked,
    Unpaired,
    Welcome,
)
from tests.p2pcdn.core.media import IDENTITY

WELCOME = Welcome(1, "0" * 32, Limits(65_536, 20, 16), 10)
ME, THEM, PAIRING = "0" * 16, "a" * 16, "b" * 16
NOW = 0.0


def hear(signaling: Signaling, *messages: FromTracker, now: float = NOW) -> None:
    for message in messages:
        signaling.receive(TrackerSays(message), now)


def told(signaling: Signaling) -> list[Message]:
    return [out.message for out in signaling.take_messages() if isinstance(out, TellTracker)]


def signaling_that_is_in() -> Signaling:
    """In the swarm, with link 1 as its prepared offer."""
    signaling = Signaling(IDENTITY, count(1))
    hear(signaling, WELCOME)
    signaling.receive(Described(1, "spare"), NOW)
    hear(signaling, Joined(ME, 3))
    signaling.take_messages()
    signaling.take_events()
    return signaling


def found(pairing: str, *candidates: str) -> SendCandidates:
    """What is told of candidates that were found for a pairing."""
    return SendCandidates((PairingCandidates(pairing, candidates or ("candidate",)),))


def link_that_connects(signaling: Signaling) -> int:
    """A link that was offered and answered."""
    hear(signaling, Offered(PAIRING, THEM, "offer"))
    (event,) = signaling.take_events()
    assert isinstance(event, MakeAnswer)
    signaling.receive(Described(event.link, "answer"), NOW)
    assert told(signaling) == [SendAnswer(PAIRING, "answer")]
    return event.link


def test_the_way_in() -> None:
    signaling = Signaling(IDENTITY, count(1))
    assert (signaling.state, signaling.timer_at()) == (State.OUT, None)
    hear(signaling, WELCOME)
    assert signaling.welcome is WELCOME
    assert (signaling.state, signaling.timer_at()) == (State.WELCOMED, NOW + OFFER_PATIENCE)
    assert signaling.take_events() == [MakeOffer(1)]
    signaling.upload = False
    signaling.position = Position("v", 1, 2, 3)
    signaling.uplink = 250_000
    signaling.receive(Described(1, "offer"), NOW)
    (join,) = told(signaling)
    assert isinstance(join, Join)
    assert [(offer.offer, offer.sdp) for offer in join.offers] == [(1, "offer")]
    assert (join.upload, join.position) == (False, Position("v", 1, 2, 3))
    assert join.uplink == 250_000
    hear(signaling, Joined(ME, 0))
    assert signaling.take_events() == [Entered(ME)]
    assert (signaling.state, signaling.peer) == (State.IN, ME)


@pytest.mark.parametrize(
    "news", [Invite(PAIRING, THEM), Offered(PAIRING, THEM, "offer"), Taken(PAIRING, THEM, 1)]
)
def test_who_joined_first_is_alone_until_somebody_comes(news: FromTracker) -> None:
    signaling = Signaling(IDENTITY, count(1))
    assert not signaling.alone, "nobody has said so"
    hear(signaling, WELCOME)
    signaling.receive(Described(1, "offer"), NOW)
    hear(signaling, Joined(ME, 0))
    assert (signaling.alone, signaling.connecting()) == (True, False)
    hear(signaling, news)
    assert (signaling.alone, signaling.connecting()) == (False, True)


def test_who_finds_others_is_not_alone() -> None:
    assert not signaling_that_is_in().alone


def test_the_join_waits_for_the_offer_but_not_for_long() -> None:
    signaling = Signaling(IDENTITY, count(1))
    hear(signaling, WELCOME)
    signaling.on_timer(NOW + OFFER_PATIENCE - 0.01)
    assert told(signaling) == []
    signaling.on_timer(NOW + OFFER_PATIENCE)
    (join,) = told(signaling)
    assert isinstance(join, Join)
    assert join.offers == ()
    signaling.receive(Described(1, "offer"), NOW + 1)
    assert told(signaling) == [Prepared(1, "offer")]


def test_nothing_is_told_before_we_are_in() -> None:
    signaling = Signaling(IDENTITY, count(1))
    signaling.tell(Move(upload=True))
    hear(signaling, WELCOME)
    signaling.tell(Move(upload=True))
    assert told(signaling) == []


def test_how_long_a_link_took_is_told_in_milliseconds() -> None:
    signaling = signaling_that_is_in()
    link = link_that_connects(signaling)
    signaling.receive(LinkOpened(link), NOW + 0.25)
    assert told(signaling) == [Linked(PAIRING, 250.0)]
    assert signaling.pairing_of(link) == PAIRING
    signaling.on_timer(NOW + CONNECT_TIMEOUT)
    assert signaling.take_events() == [], "it is open, and has all the time of the world"


def test_whether_a_link_may_come_up() -> None:
    signaling = signaling_that_is_in()
    assert not signaling.connecting(), "a prepared offer is for nobody yet"
    link = link_that_connects(signaling)
    assert signaling.connecting()
    signaling.receive(LinkOpened(link), NOW)
    assert not signaling.connecting()


def test_a_prepared_offer_can_not_open() -> None:
    signaling = signaling_that_is_in()
    signaling.receive(LinkOpened(1), NOW)
    assert told(signaling) == []
    assert signaling.timer_at() == NOW + SPARE_LASTS


@pytest.mark.parametrize(
    "message",
    [Invite(PAIRING, THEM), Offered(PAIRING, THEM, "offer"), Taken(PAIRING, THEM, 1)],
    ids=lambda message: type(message).__name__,
)
def test_no_pairing_is_waited_for_longer_than_this(message: FromTracker) -> None:
    signaling = signaling_that_is_in()
    hear(signaling, message)
    signaling.take_events()
    signaling.on_timer(NOW + CONNECT_TIMEOUT - 0.01)
    assert signaling.take_events() == []
    signaling.on_timer(NOW + CONNECT_TIMEOUT)
    assert [type(event) for event in signaling.take_events()] == [CloseLink]
    assert told(signaling) == [Unlinked(PAIRING, "timeout")]
    assert not signaling.connecting()


def test_the_time_of_a_taken_offer_begins_when_it_is_taken() -> None:
    signaling = signaling_that_is_in()
    late = NOW + SPARE_LASTS - 1
    hear(signaling, Taken(PAIRING, THEM, 1), now=late)
    signaling.take_events()
    signaling.on_timer(late + CONNECT_TIMEOUT - 0.01)
    assert signaling.take_events() == []


def test_a_prepared_offer_is_given_away_once() -> None:
    signaling = signaling_that_is_in()
    hear(signaling, Taken(PAIRING, THEM, 1))
    assert signaling.take_events() == [MakeOffer(2)]
    hear(signaling, Taken("c" * 16, THEM, 1))
    assert signaling.take_events() == []
    assert told(signaling) == [Unlinked("c" * 16, "failed")]
    hear(signaling, Taken("d" * 16, THEM, 2))
    assert told(signaling) == [Unlinked("d" * 16, "failed")], "it has not been described yet"


def test_what_concerns_one_pairing_reaches_one_link() -> None:
    signaling = signaling_that_is_in()
    first = link_that_connects(signaling)
    hear(signaling, Invite("c" * 16, THEM))
    (offer,) = signaling.take_events()
    assert isinstance(offer, MakeOffer)
    hear(
        signaling,
        Answered("c" * 16, "answer"),
        Candidated(PAIRING, "candidate", "0"),
        Candidated("d" * 16, "candidate", "0"),
        CandidatedTogether(PAIRING, ("another", "and another")),
        CandidatedTogether("d" * 16, ("another",)),
        Answered("d" * 16, "answer"),
    )
    assert signaling.take_events() == [
        TakeAnswer(offer.link, "answer"),
        AddCandidate(first, "candidate", "0"),
        AddCandidate(first, "another", "0"),
        AddCandidate(first, "and another", "0"),
    ]


def test_an_offer_for_a_pairing_is_sent_once_and_candidates_after_it() -> None:
    signaling = signaling_that_is_in()
    hear(signaling, Invite(PAIRING, THEM))
    (offer,) = signaling.take_events()
    assert isinstance(offer, MakeOffer)
    for _ in range(2):
        signaling.receive(Described(offer.link, "offer"), NOW)
    signaling.receive(CandidateFound(offer.link, "candidate", "0"), NOW)
    signaling.on_timer(NOW + TOGETHER)
    assert told(signaling) == [SendOffer(PAIRING, "offer"), found(PAIRING)]


def test_candidates_beyond_what_one_message_takes_are_dropped() -> None:
    signaling = signaling_that_is_in()
    link = link_that_connects(signaling)
    for number in range(MOST_CANDIDATES + 1):
        signaling.receive(CandidateFound(link, f"{number}", "0"), NOW)
    signaling.on_timer(NOW + TOGETHER)
    assert told(signaling) == [found(PAIRING, *map(str, range(MOST_CANDIDATES)))]
    signaling.receive(CandidateFound(link, "candidate", "0"), NOW + 1)
    signaling.on_timer(NOW + 1 + TOGETHER)
    assert told(signaling) == [found(PAIRING)]


@pytest.mark.parametrize(
    "candidate", ["candidate:1 1 tcp 1 192.0.2.1 9", "candidate:1 1 TCP 1 192.0.2.1 9"]
)
def test_candidates_that_no_tracker_passes_on_are_not_sent(candidate: str) -> None:
    signaling = signaling_that_is_in()
    link = link_that_connects(signaling)
    signaling.receive(CandidateFound(link, candidate, "0"), NOW)
    signaling.on_timer(NOW + TOGETHER)
    assert told(signaling) == []


def test_candidates_that_wait_are_void_when_the_socket_is_lost() -> None:
    signaling = signaling_that_is_in()
    signaling.receive(CandidateFound(link_that_connects(signaling), "candidate", "0"), NOW)
    signaling.receive(TrackerDown(), NOW)
    assert signaling.timer_at() is None
    assert told(signaling) == []


def test_candidates_of_links_that_are_over_go_nowhere() -> None:
    signaling = signaling_that_is_in()
    link = link_that_connects(signaling)
    signaling.receive(CandidateFound(link, "candidate", "0"), NOW)
    signaling.on_timer(NOW + TOGETHER)
    assert told(signaling) == [found(PAIRING)]
    signaling.receive(CandidateFound(link, "candidate", "0"), NOW)
    signaling.receive(LinkClosed(link, "failed"), NOW)
    assert told(signaling) == [Unlinked(PAIRING, "failed")]
    signaling.receive(CandidateFound(link, "candidate", "0"), NOW)
    signaling.receive(Described(link, "sdp"), NOW)
    signaling.receive(LinkOpened(link), NOW)
    signaling.receive(LinkClosed(link, "failed"), NOW)
    assert told(signaling) == []
    assert signaling.pairing_of(link) is None


@pytest.mark.parametrize("opened", [False, True])
def test_the_other_end_of_a_pairing_is_gone(opened: bool) -> None:
    signaling = signaling_that_is_in()
    link = link_that_connects(signaling)
    if opened:
        signaling.receive(LinkOpened(link), NOW)
    signaling.take_messages()
    hear(signaling, Unpaired(PAIRING))
    closed: list[Event] = [] if opened else [CloseLink(link)]
    assert signaling.take_events() == closed
    assert told(signaling) == []


def test_leaving_closes_what_was_coming_about() -> None:
    signaling = signaling_that_is_in()
    link = link_that_connects(signaling)
    signaling.leave()
    assert told(signaling) == [Leave()]
    assert signaling.take_events() == [CloseLink(1), CloseLink(link)]
    assert (signaling.state, signaling.timer_at()) == (State.OUT, None)


def test_a_socket_that_closes_before_the_join() -> None:
    signaling = Signaling(IDENTITY, count(1))
    hear(signaling, WELCOME)
    signaling.receive(TrackerDown(), NOW)
    signaling.on_timer(NOW + OFFER_PATIENCE)
    assert told(signaling) == []
    assert signaling.take_events() == [MakeOffer(1), CloseLink(1)]
    hear(signaling, WELCOME)
    assert signaling.take_events() == [MakeOffer(2)]


def test_open_links_outlive_the_socket_without_their_pairing() -> None:
    signaling = signaling_that_is_in()
    link = link_that_connects(signaling)
    signaling.receive(LinkOpened(link), NOW)
    signaling.receive(TrackerDown(), NOW)
    assert signaling.take_events() == [CloseLink(1)]
    signaling.tell(Move(upload=True))
    assert told(signaling) == [Linked(PAIRING, 0.0)], "nobody hears the rest"
    hear(signaling, WELCOME, Joined("1" * 16, 0))
    signaling.take_messages()
    signaling.over(link, "closed")
    assert told(signaling) == []


def test_a_lie_is_reported_however_the_link_stands() -> None:
    signaling = signaling_that_is_in()
    number = link_that_connects(signaling)
    signaling.receive(LinkOpened(number), NOW)
    told(signaling)
    signaling.lied(number)
    signaling.over(number, "closed")
    signaling.lied(number)
    assert told(signaling) == [Unlinked(PAIRING, "integrity")]


def test_a_lie_found_out_after_the_socket_is_remembered_but_not_told() -> None:
    signaling = signaling_that_is_in()
    number = link_that_connects(signaling)
    signaling.receive(LinkOpened(number), NOW)
    signaling.over(number, "closed")
    signaling.receive(TrackerDown(), NOW)
    hear(signaling, WELCOME, Joined(ME, 3))
    told(signaling)
    signaling.lied(number)
    assert told(signaling) == []
    hear(signaling, Invite("c" * 16, THEM))
    assert told(signaling) == [Unlinked("c" * 16, "integrity")]


def test_what_is_remembered_of_links_and_liars_is_bounded() -> None:
    signaling = signaling_that_is_in()
    first = 0
    for at in range(MOST_LIARS + MOST_OVER + 1):
        hear(signaling, Offered(f"{at:016x}", f"{at:016x}", "offer"))
        [*_, made] = signaling.take_events()
        assert isinstance(made, MakeAnswer)
        signaling.receive(Described(made.link, "answer"), NOW)
        signaling.receive(LinkOpened(made.link), NOW)
        signaling.over(made.link, "integrity" if at < MOST_LIARS + 1 else "closed")
        first = first or made.link
    for lie in (False, True):
        told(signaling)
        hear(signaling, Invite("c" * 16, f"{int(lie):016x}"))
        assert bool(told(signaling)) is lie
    signaling.lied(first)
    assert told(signaling) == []
