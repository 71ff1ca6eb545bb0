"""Identity is the socket: whatever a peer says in the name of others has no effect on anybody else.

Each trial runs twice. In one run some peers speak on pairings, offers and leases of others, on
those of the past, and on ids that they guess; in the other they say nothing, and those whom the
tracker sent away for it go of themselves. All that the rest hear and are must be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from p2pcdn.core.ledger import Ledger
from p2pcdn.core.pairing import Phase
from p2pcdn.core.swarm_ports import Arrived, Dismissed, Left, Paired, Reported, SwarmEvent
from p2pcdn.wire.tracker import (
    Fetching,
    FromTracker,
    Joined,
    Lease,
    Leases,
    Linked,
    PairReport,
    Prepared,
    PreparedCandidate,
    Refused,
    Report,
    SendAnswer,
    SendCandidate,
    SendOffer,
    ToTracker,
    Unlinked,
)
from tests.p2pcdn.core.swarming import World, live, mdns, sdp

TRIALS = 12
INSIDERS = 4
"""Spoofers that are in the swarm of those in whose name they speak."""
OUTSIDERS = 12
"""Those that are each alone in a swarm of their own."""
STRANGERS = 3
"""Those that are in no swarm at all."""
ROUNDS = 12
"""How often each speaks, unless it is sent away before."""

CHUNKS = ((0, 0, 0, 0, 15),)
REASONS = ("failed", "timeout", "closed", "integrity", "protocol")


@dataclass
class Trial:
    """A world in which much is under way, and those who are going to speak for others."""

    seed: int
    world: World = field(init=False)
    honest: list[int] = field(default_factory=list)
    spoofers: list[int] = field(default_factory=list)
    past: list[str] = field(default_factory=list)
    """Pairings that are over."""

    def __post_init__(self) -> None:
        rng = Random(self.seed)
        self.world = world = World(seed=self.seed)
        for number in range(10):
            offers = range(rng.randrange(3))
            self.honest.append(world.join(*offers, position=live(100), source=home(number)))
        gone = world.join(1, source=home(50))
        world.act(*self.honest, gone)
        self.past = list(world.swarms._members[gone].pairings)
        world.close(gone)
        for number in range(INSIDERS):
            self.spoofers.append(world.join(9, position=live(100), source=home(100 + number)))
        for number in range(OUTSIDERS):
            content = f"{number:032x}"
            self.spoofers.append(world.join(9, content=content, source=home(200 + number)))
        world.act(*rng.sample(self.honest, 6))  # so pairings are in all phases
        world.wait(6.0)
        for _ in range(3):  # and some are links, so that there are leases
            world.act(*rng.sample(self.honest, 5))
        for socket in self.honest[:4]:
            world.say(socket, Prepared(7, sdp(ufrag=f"keep{socket}")))
        for socket in self.honest[4:]:
            self._answer_one(socket)
        self.spoofers += [world.connect(home(300 + number)) for number in range(STRANGERS)]

    def _answer_one(self, socket: int) -> None:
        member = self.world.swarms._members[socket]
        for pairing in member.pairings.values():
            if pairing.answerer is member and pairing.phase is Phase.OFFERED:
                self.world.answer(socket, pairing.id)
                return

    def others(self, spoofer: int) -> list[str]:
        """Pairings of which this one is no end."""
        members = self.world.swarms._members
        mine = set(members[spoofer].pairings) if spoofer in members else set()
        found = {id_ for socket in self.honest for id_ in members[socket].pairings}
        return sorted(found - mine)

    def everybody_else(self) -> dict[int, tuple[list[FromTracker], Any]]:
        """What the honest have heard, and what the tracker knows of them."""
        return {
            socket: (self.world.heard[socket], state(self.world, socket)) for socket in self.honest
        }


def stripe_of(lease: Lease) -> tuple[str, int, int]:
    return lease.rendition, lease.sequence, lease.stripe


def home(number: int) -> str:
    return f"198.51.{number // 200}.{number % 200 + 1}"


def state(world: World, socket: int) -> Any:
    member = world.swarms._members[socket]
    return (
        member.id,
        member.present,
        member.upload,
        member.position,
        member.links,
        member.inbound,
        [
            (p.id, p.phase, p.deadline, p.offer, p.offerer.id, p.answerer.id)
            for p in member.pairings.values()
        ],
        [(kept.number, kept.sdp) for kept in member.offers.values()],
        member in member.swarm.members,
        member in member.swarm.open,
    )


def words(trial: Trial, spoofer: int, rng: Random) -> Iterator[ToTracker]:
    """What it could say in the name of another: on all there is, and on what there might be."""
    others = trial.others(spoofer)
    guesses = [f"{rng.getrandbits(64):016x}" for _ in range(2)]
    near = [f"{int(rng.choice(others), 16) ^ 1 << rng.randrange(64):016x}"]
    peers = [trial.world.ids[rng.choice(trial.honest)]]
    for pairing in [rng.choice(others), *guesses, *near, *peers, *trial.past[:1]]:
        yield from (
            SendOffer(pairing, sdp(ufrag="evil")),
            SendAnswer(pairing, sdp("active", ufrag="evil")),
            SendCandidate(pairing, mdns(666)),
            Linked(pairing, 1.0),
            Unlinked(pairing, rng.choice(REASONS)),  # type: ignore[arg-type]
            Report(1, renditions=("v",), pairs=(PairReport(pairing, CHUNKS, CHUNKS),)),
        )
    for number in (0, 1, 2, 7):
        yield PreparedCandidate(number, mdns(666))
    own = {stripe_of(lease) for told in trial.world.all(spoofer, Leases) for lease in told.leases}
    for told in trial.world.all(rng.choice(trial.honest), Leases):
        stripe = stripe_of(rng.choice(told.leases))
        if stripe not in own:
            yield Fetching(*stripe)


def run(seed: int, dismissed: dict[int, set[int]] | None) -> tuple[Trial, dict[int, set[int]], int]:
    """One trial; with ``dismissed`` the spoofers are silent, and go when those went."""
    trial = Trial(seed)
    world, rng = trial.world, Random(f"words {seed}")
    went: dict[int, set[int]] = {}
    said = 0
    for turn in range(ROUNDS):
        for spoofer in trial.spoofers:
            message = rng.choice(list(words(trial, spoofer, rng)))
            if spoofer not in world.swarms._vantages:
                continue
            if dismissed is None:
                said += 1
                world.say(spoofer, message)
                if spoofer not in world.swarms._vantages:
                    went.setdefault(turn, set()).add(spoofer)
            elif spoofer in dismissed.get(turn, ()):
                world.swarms._dismiss(spoofer, None, world.now)
                world._drain()
        world.wait(0.5)
    world.act(*trial.honest[:4])  # the others have answered already
    world.wait(30.0)
    return trial, went, said


@pytest.fixture(scope="module")
def trials() -> list[tuple[Trial, Trial, int]]:
    """Each with and without what is said in others' names."""
    found = []
    for seed in range(TRIALS):
        spoofed, went, said = run(seed, None)
        silent, _, _ = run(seed, went)
        found.append((spoofed, silent, said))
    return found


def test_nobody_else_hears_or_is_anything_that_they_would_not_otherwise(
    trials: list[tuple[Trial, Trial, int]],
) -> None:
    for spoofed, silent, _ in trials:
        assert spoofed.everybody_else() == silent.everybody_else()
        assert events_of_others(spoofed) == events_of_others(silent)


def test_that_was_tried_a_thousand_times_and_while_much_was_under_way(
    trials: list[tuple[Trial, Trial, int]],
) -> None:
    assert sum(said for _, _, said in trials) >= 1000
    fresh = [Trial(seed) for seed in range(TRIALS)]
    phases = {
        pairing.phase
        for trial in fresh
        for socket in trial.honest
        for pairing in trial.world.swarms._members[socket].pairings.values()
    }
    assert len(phases) == 4
    assert all(trial.others(trial.spoofers[0]) and trial.past for trial in fresh)
    assert any(trial.world.all(socket, Leases) for trial in fresh for socket in trial.honest)


def test_the_ledger_counts_nothing_of_what_they_say_of_others_pairings(
    trials: list[tuple[Trial, Trial, int]],
) -> None:
    for spoofed, silent, _ in trials:
        summaries = [booked(trial) for trial in (spoofed, silent)]
        assert summaries[0].peer_bytes_confirmed == summaries[1].peer_bytes_confirmed == 0
        assert summaries[0].peer_bytes_claimed == summaries[1].peer_bytes_claimed == 0


def test_they_are_told_what_was_wrong_or_nothing(trials: list[tuple[Trial, Trial, int]]) -> None:
    codes = {
        refused.code.value
        for spoofed, _, _ in trials
        for spoofer in spoofed.spoofers
        for refused in spoofed.world.all(spoofer, Refused)
    }
    assert "unknown_pairing" in codes
    assert codes <= {"unknown_pairing", "unexpected"}


def events_of_others(trial: Trial) -> list[SwarmEvent]:
    ids = trial.world.ids
    spoofers = {ids[socket] for socket in trial.spoofers if socket in ids}

    def is_theirs(event: SwarmEvent) -> bool:
        match event:
            case Arrived(peer=peer) | Left(peer=peer) | Reported(peer=peer):
                return peer in spoofers
            case Dismissed(socket=socket):
                return socket in trial.spoofers
        return False

    return [event for event in trial.world.events if not is_theirs(event)]


def booked(trial: Trial) -> Any:
    """The figures that come of what happened."""
    ledger = Ledger()
    for event in trial.world.events:
        match event:
            case Arrived(peer=peer, content=content, viewer=viewer):
                ledger.joined(peer, content, 0.0, viewer=viewer)
            case Left(peer=peer):
                ledger.left(peer, 1.0)
            case Paired(pairing=pairing, a=a, b=b):
                ledger.paired(pairing, a, b)
            case Reported(peer=peer, report=report):
                ledger.report(peer, report, 1.0)
    return ledger.summary()


def test_a_name_in_a_message_is_nobody() -> None:
    """What a message says beyond its fields is ignored, so it cannot say who speaks."""
    world = World()
    victim, spoofer = world.join(), world.join(content="e" * 32)
    before = world.heard[victim][:]
    world.say(spoofer, Unlinked(world.ids[victim], "integrity"))
    assert world.heard[victim] == before
    assert [message.peer for message in world.all(victim, Joined)] == [world.ids[victim]]
