"""The tracker's mind: who is let in, who is sent away, and what holds whatever peers do."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from p2pcdn.core.access import Site, Sites
from p2pcdn.core.blame import DELIBERATION, ENOUGH
from p2pcdn.core.desk import HOLDERS
from p2pcdn.core.matching import Crowd
from p2pcdn.core.swarm import STUN_PATIENCE
from p2pcdn.core.swarm_ports import (
    SILENT,
    Arrived,
    Banned,
    Convicted,
    Dismissed,
    Left,
    NatSeen,
    Paired,
    PairingFailed,
    Reported,
    Rules,
)
from p2pcdn.errors import ErrorCode
from p2pcdn.model import PROTOCOL, Mode
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import (
    Answered,
    Candidated,
    CandidatedTogether,
    Fetching,
    FromTracker,
    Invite,
    Join,
    Joined,
    Leases,
    Leave,
    Linked,
    Move,
    OfferCandidates,
    Offered,
    PairingCandidates,
    Position,
    Prepared,
    PreparedCandidate,
    PreparedOffer,
    Refused,
    Report,
    SendAnswer,
    SendCandidate,
    SendCandidates,
    SendOffer,
    Taken,
    Unlinked,
    Unpaired,
)
from tests.p2pcdn.core.swarming import CONTENT, World, at, live, mdns, published, sdp, vod


def join(**changes: Any) -> Join:
    fields: dict[str, Any] = {
        "protocol": PROTOCOL,
        "site": "pk_demo",
        "content": CONTENT,
        "client": "browser",
        "upload": True,
    }
    return Join(**(fields | changes))


def test_a_join_is_answered_with_an_id_and_how_many_others_there_are() -> None:
    world = World()
    first, second = world.join(), world.join()
    assert world.all(first, Joined) == [Joined(world.ids[first], 0)]
    assert world.all(second, Joined)[0].peers == 1
    assert len(world.ids[first]) == 16
    assert world.ids[first] != world.ids[second]


def test_the_owner_hears_of_everybody_who_comes_and_goes() -> None:
    world = World()
    viewer = world.join()
    native = world.connect()
    world.say(native, join(client="native"))
    world.close(viewer)
    assert world.events == [
        Arrived(world.ids[viewer], CONTENT, True, viewer),
        Arrived(world.ids[native], CONTENT, False, native),
        *world.happened(Paired),
        *world.happened(PairingFailed),
        Left(world.ids[viewer]),
    ]


def candidates_of(message: Candidated | CandidatedTogether) -> tuple[str, ...]:
    return message.candidates if isinstance(message, CandidatedTogether) else (message.candidate,)


def mapped(port: int) -> str:
    """What a STUN server says of the sockets that `World` opens."""
    return f"candidate:2 1 udp 1677729535 198.51.100.7 {port} typ srflx raddr 0.0.0.0 rport 0"


def test_what_candidates_tell_of_a_nat_is_said_once() -> None:
    world = World()
    one, other = world.connect(), world.connect()
    offer = PreparedOffer(0, sdp("actpass", mdns(port=5000), mapped(5000)))
    world.say(one, join(offers=(offer,)))
    world.say(other, join(offers=(PreparedOffer(0, sdp("actpass", mdns(port=5000))),)))
    assert world.happened(NatSeen) == [NatSeen(world.ids[one], "ports kept")]
    for _ in range(2):
        world.say(other, PreparedCandidate(0, mapped(6000)), Report(1))
    assert world.happened(NatSeen)[1:] == [NatSeen(world.ids[other], "ports changed")]


def test_where_no_stun_server_answers_that_is_said_before_anything_comes_of_it() -> None:
    world = World(Rules(stun=True))
    viewer, hidden = world.connect(), world.connect()
    offers = (PreparedOffer(0, sdp("actpass", mdns(port=5000))),)
    world.say(viewer, join(offers=offers))
    world.say(hidden, join(offers=offers, mode="lan"))
    world.wait(STUN_PATIENCE - 0.1)
    world.say(viewer, Report(1))
    assert world.happened(NatSeen) == []
    world.wait(0.1)
    for socket in (viewer, hidden):
        world.say(socket, Report(2))
    assert world.happened(NatSeen) == [NatSeen(world.ids[viewer], SILENT)]
    order = [type(event) for event in world.events]
    assert order[order.index(NatSeen) + 1] is Reported
    world.say(viewer, Prepared(0, sdp("actpass", mdns(port=5000), mapped(5000))))
    assert world.happened(NatSeen)[1:] == [NatSeen(world.ids[viewer], "ports kept")]


def test_who_has_told_of_no_address_at_all_is_not_said_to_get_no_answer() -> None:
    world = World(Rules(stun=True))
    viewer = world.connect()
    world.say(viewer, join(offers=(PreparedOffer(0, sdp("actpass")),)))
    world.wait(STUN_PATIENCE + 1)
    world.say(viewer, Report(1))
    assert world.happened(NatSeen) == []
    world.say(viewer, PreparedCandidate(0, mdns(port=5000)))
    assert world.happened(NatSeen) == []
    world.wait(STUN_PATIENCE)
    world.say(viewer, Report(2))
    assert world.happened(NatSeen) == [NatSeen(world.ids[viewer], SILENT)]


def test_of_a_tracker_without_stun_nobody_is_said_to_get_no_answer() -> None:
    world = World()
    viewer = world.join()
    world.wait(60.0)
    world.say(viewer, Report(1))
    assert world.happened(NatSeen) == []


def test_reports_are_handed_on_under_the_name_of_the_socket() -> None:
    world = World()
    viewer = world.join()
    report = Report(1, 2, 3, 4)
    world.say(viewer, report)
    assert world.happened(Reported) == [Reported(world.ids[viewer], report)]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        pytest.param(join(protocol=PROTOCOL + 1), "unsupported_protocol", id="newer"),
        pytest.param(join(protocol=0), "unsupported_protocol", id="older"),
        pytest.param(join(site="pk_other"), "unknown_site", id="site"),
        pytest.param(Report(1), "unexpected", id="no join"),
        pytest.param(Leave(), "unexpected", id="leaves before it came"),
    ],
)
def test_who_is_not_let_in(wrong: Any, code: str) -> None:
    world = World(Rules(sites=Sites({"pk_demo": Site()})))
    other = world.join()
    heard = len(world.heard[other])
    socket = world.connect()
    world.say(socket, wrong)
    assert world.refusals(socket) == [(code, True)]
    assert world.happened(Dismissed) == [Dismissed(socket, ErrorCode(code))]
    assert len(world.heard[other]) == heard


def test_with_a_bad_offer_in_its_join_nobody_hears_of_the_peer() -> None:
    world = World()
    other = world.join()
    heard = len(world.heard[other])
    socket = world.connect()
    world.say(socket, join(offers=(PreparedOffer(1, "rubbish"),)))
    assert world.refusals(socket) == [("bad_sdp", True)]
    assert len(world.heard[other]) == heard
    assert len(world.happened(Arrived)) == 1


@pytest.mark.parametrize(
    ("site", "viewer"),
    [("off", "any"), ("any", "off"), ("lan", "relay"), ("relay", "network"), ("any", "relay")],
)
def test_who_may_meet_nobody_is_told_so(site: Mode, viewer: Mode) -> None:
    world = World(Rules(mode=site))
    socket = world.join(mode=viewer)
    assert world.refusals(socket) == [("no_peers", True)]
    assert world.happened(Arrived) == []


def test_peers_are_told_what_the_sites_choice_and_theirs_leave() -> None:
    world = World(Rules(mode="network"))
    told = [world.all(world.join(mode=mode), Joined)[0].mode for mode in ("any", "network", "lan")]
    assert told == ["network", "network", "lan"]


def test_each_site_has_a_mode_of_its_own_within_the_trackers() -> None:
    sites = Sites({"pk_a": Site(mode="lan"), "pk_b": Site(), "pk_c": Site(mode="network")})
    world = World(Rules(sites=sites, mode="network"))
    told = [world.all(world.join(site=f"pk_{name}"), Joined)[0].mode for name in "abc"]
    assert told == ["lan", "network", "network"]


def test_when_a_site_becomes_stricter_whoever_is_too_free_has_to_join_anew() -> None:
    world = World(Rules(sites=Sites({"pk_demo": Site()})))
    free, kept = world.join(), world.join(mode="lan")
    world.change({"pk_demo": Site(mode="network")})
    assert world.refusals(free) == [("site_off", True)]
    assert world.all(free, Refused)[0].retry_after is not None
    assert world.refusals(kept) == []
    world.change({"pk_demo": Site(mode="any")})
    assert world.refusals(kept) == []


def test_who_is_kept_to_a_network_meets_only_those_there() -> None:
    world = World()
    first = world.join(1, mode="lan")
    world.join(mode="any")
    assert not world.all(first, Taken)
    assert world.all(world.join(mode="lan", source="198.51.100.8"), Joined)[0].peers == 0
    assert not world.all(first, Taken)
    assert world.all(world.join(mode="lan"), Joined)[0].peers == 1
    assert world.all(first, Taken)


def test_records_reach_those_who_fetch_for_a_network() -> None:
    """Each network has leases of its own: nobody there waits for somebody out of reach."""
    world = World(Rules(mode="lan"))
    pairs = [
        [world.join(position=live(20), source=source) for _ in range(2)]
        for source in ("198.51.100.7", "198.51.100.8")
    ]
    world.settle()
    world.wait(2)
    for pair in pairs:
        leased = {
            (lease.sequence, lease.stripe)
            for socket in pair
            for leases in world.all(socket, Leases)
            for lease in leases.leases
            if lease.delay == 0
        }
        assert leased
    world.publish(published(CONTENT, 21))
    for pair in pairs:
        assert any(world.all(socket, Records) for socket in pair)


def test_behind_a_relay_an_offer_made_without_one_is_left() -> None:
    world = World(Rules(mode="relay", relays=True))
    first = world.join(1, mode="any")
    world.join(mode="any")
    assert not world.all(first, Taken)
    ready = world.join(1, mode="relay")
    assert world.all(ready, Taken)
    assert all(paired.relayed for paired in world.happened(Paired))


def test_a_socket_joins_once() -> None:
    world = World()
    first, second = world.join(), world.join()
    world.say(second, join(content="e" * 32))
    assert world.refusals(second) == [("unexpected", True)]
    assert world.all(first, Unpaired)


def test_whoever_leaves_is_gone_and_the_socket_is_to_be_closed() -> None:
    world = World()
    viewer = world.join()
    world.say(viewer, Leave())
    assert world.happened(Left) == [Left(world.ids[viewer])]
    assert world.happened(Dismissed) == [Dismissed(viewer, None)]
    assert world.all(world.join(), Joined)[0].peers == 0


def test_what_a_dismissed_socket_still_says_is_not_heard() -> None:
    world = World()
    viewer = world.join()
    world.say(viewer, Leave(), join(), Move(True), Report(1), Leave())
    assert len(world.happened(Dismissed)) == 1
    assert not world.happened(Reported)
    world.close(viewer)
    assert len(world.happened(Left)) == 1


def test_nothing_is_kept_of_those_who_left() -> None:
    world = World()
    for _ in range(50):
        world.join(1, 2)
    for socket in list(world.open):
        world.close(socket)
    assert not world.swarms._members
    assert not world.swarms._swarms
    assert not world.swarms._vantages
    assert world.swarms.timer_at() is None


def test_the_same_seed_gives_the_same_answers() -> None:
    def run(seed: int) -> dict[int, list[FromTracker]]:
        world = World(seed=seed)
        for number in range(30):
            world.join(number, position=at(number))
        return world.heard

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_search_in_a_large_swarm_looks_at_few(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for _ in range(1000):
        world.join()
    looked: list[int] = []
    sample, draw = Crowd.sample, Crowd.draw

    def sampling(crowd: Crowd[Any], most: int, rng: Random) -> list[Any]:
        found = sample(crowd, most, rng)
        looked.append(len(found))
        return found

    def drawing(crowd: Crowd[Any], most: int, rng: Random) -> Iterator[Any]:
        for member in draw(crowd, most, rng):
            looked.append(1)
            yield member

    monkeypatch.setattr(Crowd, "sample", sampling)
    monkeypatch.setattr(Crowd, "draw", drawing)
    world.join()
    assert 0 < sum(looked) <= 4 * 64


_SEQUENCES = st.integers(100, 104)


class AnythingGoes(RuleBasedStateMachine):
    """Peers that do what they like; whatever they do, the tracker keeps to its rules."""

    sockets: Bundle[Any] = Bundle("sockets")
    RULES = Rules(neighbours=3, links=4, pending_offers=2, peers_per_hour=6, candidates=3)

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.RULES)
        self.issued: dict[str, set[int]] = {}
        self.checked: dict[int, int] = {}

    @rule(
        target=sockets,
        offers=st.integers(0, 2),
        upload=st.booleans(),
        position=st.none() | st.builds(at, st.integers(0, 200)) | st.builds(live, _SEQUENCES),
        content=st.sampled_from("ab"),
    )
    def joins(self, offers: int, upload: bool, position: Position | None, content: str) -> int:
        return self.world.join(
            *range(offers), upload=upload, position=position, content=content * 32
        )

    @rule(target=sockets)
    def connects(self) -> int:
        return self.world.connect()

    @rule(socket=consumes(sockets))
    def closes(self, socket: int) -> None:
        self.world.close(socket)

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 15.0, 60.0, 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(
        socket=sockets,
        what=st.sampled_from(
            [
                "offer",
                "answer",
                "candidate",
                "candidates",
                "linked",
                "failed",
                "integrity",
                "closed",
            ]
        ),
        data=st.data(),
    )
    def speaks_on_a_pairing(self, socket: int, what: str, data: st.DataObject) -> None:
        """On its own pairings, or on somebody else's."""
        if not self.issued:
            return
        mine = [pairing for pairing, ends in self.issued.items() if socket in ends]
        strange = data.draw(st.integers(0, 4)) == 0
        pool = list(self.issued) if strange or not mine else mine
        pairing = data.draw(st.sampled_from(pool))
        messages: dict[str, Any] = {
            "offer": SendOffer(pairing, sdp()),
            "answer": SendAnswer(pairing, sdp("active")),
            "candidate": SendCandidate(pairing, mdns(socket)),
            "candidates": SendCandidates(
                tuple(
                    PairingCandidates(each, (mdns(socket), mdns(9))) for each in (pairing, *mine)
                ),
                (OfferCandidates(1, (mdns(6), "rubbish")),),
            ),
            "linked": Linked(pairing, 50.0),
        }
        self.world.say(socket, messages.get(what) or Unlinked(pairing, what))  # type: ignore[arg-type]

    @rule(socket=sockets)
    def does_what_it_is_asked(self, socket: int) -> None:
        self.world.act(socket)

    @rule(
        socket=sockets,
        message=st.sampled_from(
            [
                Prepared(1, sdp()),
                Prepared(2, "rubbish"),
                PreparedCandidate(1, mdns(7)),
                PreparedCandidate(3, "rubbish"),
                Move(False),
                Move(True, at(100)),
                Move(True, live(102), 1_000_000),
                Move(False, live(102)),
                Move(True, live(102, of="w")),
                Move(True, vod(0)),
                Fetching("v", 103, 0),
                Fetching("v", 1, 1),
                Report(1, 1, 1, 1),
                Leave(),
                join(),
                join(protocol=9),
            ]
        ),
    )
    def speaks(self, socket: int, message: Any) -> None:
        self.world.say(socket, message)

    @invariant()
    def pairings_are_told_to_both_ends_and_used_by_them_only(self) -> None:
        world = self.world
        for paired in world.happened(Paired):
            if paired.pairing not in self.issued:
                ends = {world.socket_of(paired.a), world.socket_of(paired.b)}
                assert len(ends) == 2
                self.issued[paired.pairing] = ends
        named = Invite | Taken | Offered | Answered | Candidated | CandidatedTogether | Unpaired
        for socket, heard in world.heard.items():
            for message in heard[self.checked.get(socket, 0) :]:
                if isinstance(message, named):
                    assert socket in self.issued[message.pairing]
            self.checked[socket] = len(heard)

    @invariant()
    def limits_are_kept(self) -> None:
        for member in self.world.swarms._members.values():
            assert len(member.pairings) <= self.RULES.links
            assert len(member.pairings) == len(member.partners)
            owed = [pairing.is_owed_by(member) for pairing in member.pairings.values()]
            assert member.inbound == sum(owed) <= self.RULES.pending_offers
            assert len(member.offers) <= 2
            assert member.present
            for pairing in member.pairings.values():
                assert pairing.other(member).swarm is member.swarm
                assert pairing.other(member).present
        for swarms in self.world.swarms._swarms.values():
            for swarm in swarms.values():
                assert set(swarm.open) <= set(swarm.members)
                assert swarm.members

    @rule()
    def everybody_does(self) -> None:
        self.world.settle()

    @rule(content=st.sampled_from("ab"), sequence=_SEQUENCES)
    def something_comes_out(self, content: str, sequence: int) -> None:
        self.world.publish(published(content * 32, sequence))

    @invariant()
    def leases_are_held_by_those_who_can_act_on_them(self) -> None:
        for desk in self.world.swarms._lessor._desks.values():
            assert len(desk.audience.members) > 0
            held: dict[Any, set[int]] = {}
            for sequence, parts in desk.parts.items():
                for stripe in parts.stripes:
                    assert len(stripe.holders) == len(set(stripe.holders)) <= HOLDERS
                    assert stripe.fetching <= set(stripe.holders)
                    for member in stripe.holders:
                        held.setdefault(member, set()).add(sequence)
            assert desk.held == held
            for member in held:
                assert member.present
                assert member.upload
                assert member in desk.audience.members

    @invariant()
    def a_candidate_or_description_passes_so_often_and_no_more(self) -> None:
        for heard in self.world.heard.values():
            seen: dict[tuple[str, str], int] = {}
            for message in heard:
                if isinstance(message, Offered | Answered):
                    key, many = (type(message).__name__, message.pairing), 1
                elif isinstance(message, Candidated | CandidatedTogether):
                    key, many = ("", message.pairing), len(candidates_of(message))
                else:
                    continue
                seen[key] = seen.get(key, 0) + many
            for (kind, _), times in seen.items():
                assert times <= (1 if kind else self.RULES.candidates)

    @invariant()
    def an_error_that_ends_is_the_last_word(self) -> None:
        for heard in self.world.heard.values():
            fatal = [isinstance(message, Refused) and message.fatal for message in heard]
            assert not any(fatal[:-1])


AnythingGoes.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnythingGoes = AnythingGoes.TestCase


def poisoned(world: World, others: int) -> tuple[int, dict[int, str]]:
    """A poisoner, and the pairings of those who are linked with it."""
    poisoner = world.join(source="203.0.113.66")
    for number in range(others):
        world.join(source=f"198.51.{number}.1")
    world.settle()
    member = world.swarms._members[poisoner]
    links = {p.other(member).socket: p.id for p in member.pairings.values()}
    return poisoner, links


def test_whoever_sends_wrong_bytes_to_enough_others_is_banned() -> None:
    world = World(Rules(ban_time=600.0))
    poisoner, links = poisoned(world, ENOUGH)
    peer = world.ids[poisoner]
    same_line = world.join(source="203.0.113.66", content="d" * 32)
    assert len(links) == ENOUGH
    for socket, pairing in links.items():
        world.say(socket, Unlinked(pairing, "integrity"))
    world.wait(DELIBERATION)
    assert world.refusals(poisoner) == [("banned", True)]
    assert world.happened(Banned) == [Banned((peer,), bytes([203, 0, 113, 66]))]
    assert Dismissed(poisoner, ErrorCode.BANNED) in world.events
    assert world.refusals(same_line) == []
    again, neighbour = world.join(source="203.0.113.66"), world.join(source="203.0.113.67")
    assert world.refusals(again) == [("banned", True)]
    assert world.refusals(neighbour) == []
    world.wait(600.0)
    assert world.refusals(world.join(source="203.0.113.66")) == []


def test_who_was_convicted_elsewhere_is_not_let_in_either() -> None:
    world = World(Rules(ban_time=600.0))
    there = world.join(source="203.0.113.66")
    world.swarms.receive(Convicted(bytes([203, 0, 113, 66])), world.now)
    assert world.refusals(there) == []  # it was not he
    assert world.refusals(world.join(source="203.0.113.66")) == [("banned", True)]
    assert world.refusals(world.join(source="203.0.113.67")) == []
    world.wait(600.0)
    assert world.refusals(world.join(source="203.0.113.66")) == []


def test_whoever_closes_first_is_accused_all_the_same() -> None:
    world = World()
    poisoner, links = poisoned(world, ENOUGH)
    for socket, pairing in links.items():
        world.say(poisoner, Unlinked(pairing, "closed"))
        world.say(socket, Unlinked(pairing, "integrity"))
    world.wait(DELIBERATION)
    assert world.refusals(poisoner) == [("banned", True)]
    assert len(world.happened(Paired)) == len({p.pairing for p in world.happened(Paired)})


def test_whoever_leaves_first_is_not_let_in_again() -> None:
    world = World()
    poisoner, links = poisoned(world, ENOUGH)
    world.close(poisoner)
    for socket, pairing in links.items():
        world.say(socket, Unlinked(pairing, "integrity"))
    world.wait(DELIBERATION)
    assert world.refusals(world.join(source="203.0.113.66")) == [("banned", True)]


def test_a_pairing_that_never_linked_accuses_nobody() -> None:
    world = World()
    poisoner = world.join(source="203.0.113.66")
    for number in range(ENOUGH):
        world.join(source=f"198.51.{number}.1")
    member = world.swarms._members[poisoner]
    for pairing in list(member.pairings.values()):
        world.say(pairing.other(member).socket, Unlinked(pairing.id, "integrity"))
    world.wait(DELIBERATION)
    assert world.happened(Banned) == []


def test_whoever_sent_a_wrong_byte_does_not_come_back_under_another_name() -> None:
    world = World()
    victim = world.join(source="198.51.100.1")
    poisoner = world.join(source="203.0.113.66")
    world.settle()
    [paired] = world.happened(Paired)
    world.say(victim, Unlinked(paired.pairing, "integrity"))
    world.close(poisoner)
    world.join(source="203.0.113.66")
    assert world.happened(Paired) == [paired]
