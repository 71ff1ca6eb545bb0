"""Who is banned, and that nobody is whom only liars accuse."""

from __future__ import annotations

from random import Random

import pytest

from p2pcdn.core import blame
from p2pcdn.core.blame import (
    DELIBERATION,
    ENOUGH,
    FEW,
    MEMORY,
    MOST_NETWORKS,
    Jury,
    Place,
    Verdict,
)
from p2pcdn.core.swarm_ports import Banned, PairingLinked
from p2pcdn.wire.tracker import Unlinked
from tests.p2pcdn.core.swarming import World


def place(number: int, host: int = 1) -> Place:
    """Somewhere in a network of this number."""
    network = number.to_bytes(3, "big")
    return Place(network, network + bytes([host]))


BAD = place(1000)


def linked(jury: Jury, accused: Place, networks: range, now: float = 0.0) -> None:
    for number in networks:
        jury.linked(place(number), accused, now)


def accuse(jury: Jury, accused: Place, networks: range, now: float = 1.0) -> None:
    for number in networks:
        jury.accuse(place(number), accused, "bad", now)


def tried(jury: Jury, now: float = 1.0) -> list[bytes]:
    """The homes that are banned in the end."""
    return [verdict.home for verdict in jury.verdicts(now + DELIBERATION)]


def test_enough_who_accuse_are_a_verdict() -> None:
    jury = Jury()
    linked(jury, BAD, range(ENOUGH))
    accuse(jury, BAD, range(ENOUGH - 1))
    assert jury.timer_at() is None
    accuse(jury, BAD, range(ENOUGH), 2.0)
    assert jury.timer_at() == 2.0 + DELIBERATION
    assert jury.verdicts(1.9 + DELIBERATION) == []
    assert not jury.is_banned(BAD.home, 6.9)
    assert jury.verdicts(2.0 + DELIBERATION) == [Verdict(BAD.home, frozenset({"bad"}))]
    assert jury.is_banned(BAD.home, 7.0)
    assert jury.timer_at() is None


def test_a_ban_is_over_after_a_while() -> None:
    jury = Jury(ban=60.0)
    linked(jury, BAD, range(ENOUGH))
    accuse(jury, BAD, range(ENOUGH))
    tried(jury)
    assert jury.is_banned(BAD.home, 65.9)
    assert not jury.is_banned(BAD.home, 66.0)
    assert not jury.is_banned(place(1000, 2).home, 7.0), "a neighbour has done nothing"


def test_one_network_has_one_voice() -> None:
    jury = Jury()
    for host in range(100):
        jury.linked(place(1, host), BAD, 0.0)
        jury.accuse(place(1, host), BAD, "bad", 1.0)
    linked(jury, BAD, range(2, ENOUGH))
    accuse(jury, BAD, range(2, ENOUGH))
    assert jury.timer_at() is None
    linked(jury, BAD, range(ENOUGH, ENOUGH + 1))
    accuse(jury, BAD, range(ENOUGH, ENOUGH + 1))
    assert jury.timer_at() is not None


def test_one_home_answers_for_all_its_sockets() -> None:
    jury = Jury()
    linked(jury, BAD, range(ENOUGH))
    for number in range(ENOUGH):
        jury.accuse(place(number), BAD, f"socket {number}", 1.0)
    [verdict] = jury.verdicts(1.0 + DELIBERATION)
    assert len(verdict.peers) == ENOUGH


def test_who_had_no_link_is_not_heard() -> None:
    jury = Jury()
    accuse(jury, BAD, range(100))
    linked(jury, BAD, range(1))
    accuse(jury, BAD, range(100))
    assert jury.timer_at() is None


def test_a_quarter_of_the_witnesses_may_have_seen_nothing() -> None:
    for more in (2, 3):
        jury = Jury()
        linked(jury, BAD, range(ENOUGH + more))
        accuse(jury, BAD, range(ENOUGH))
        assert tried(jury) == ([BAD.home] if more == 2 else []), more


def test_witnesses_who_come_during_the_deliberation_count() -> None:
    jury = Jury()
    linked(jury, BAD, range(ENOUGH))
    accuse(jury, BAD, range(ENOUGH))
    linked(jury, BAD, range(100, 104), 2.0)
    assert tried(jury) == []
    assert not jury.is_banned(BAD.home, 7.0)
    accuse(jury, BAD, range(100, 104), 8.0)
    assert tried(jury, 8.0) == [BAD.home]


def test_who_accuses_many_is_not_believed() -> None:
    jury = Jury()
    liars = range(ENOUGH)
    for victim in range(FEW):
        linked(jury, place(2000 + victim), liars)
        accuse(jury, place(2000 + victim), liars)
    linked(jury, BAD, liars)
    accuse(jury, BAD, liars)
    assert tried(jury) == []


def test_anybody_may_accuse_a_few() -> None:
    jury = Jury()
    for bad in range(FEW):
        linked(jury, place(2000 + bad), range(ENOUGH))
        accuse(jury, place(2000 + bad), range(ENOUGH))
    assert len(tried(jury)) == FEW


def test_who_accused_many_is_believed_again_after_a_while() -> None:
    jury = Jury()
    for other in range(FEW + 1):
        linked(jury, place(2000 + other), range(ENOUGH))
        accuse(jury, place(2000 + other), range(ENOUGH))
    linked(jury, BAD, range(ENOUGH), MEMORY)
    accuse(jury, BAD, range(ENOUGH), MEMORY)
    assert tried(jury, MEMORY) == []
    accuse(jury, BAD, range(ENOUGH), MEMORY + 1.0)
    assert tried(jury, MEMORY + 1.0) == [BAD.home]


def test_who_saw_much_may_accuse_more() -> None:
    jury = Jury()
    honest = range(ENOUGH)
    for other in range(3 * FEW):
        linked(jury, place(3000 + other), honest)
    for bad in range(2 * FEW):
        linked(jury, place(2000 + bad), honest)
        accuse(jury, place(2000 + bad), honest)
    assert len(tried(jury)) == 2 * FEW


def test_links_and_accusations_are_forgotten() -> None:
    jury = Jury()
    linked(jury, BAD, range(ENOUGH))
    accuse(jury, BAD, range(ENOUGH - 1), 0.0)
    linked(jury, BAD, range(ENOUGH - 1, ENOUGH), MEMORY)
    accuse(jury, BAD, range(ENOUGH - 1, ENOUGH), MEMORY)
    assert jury.timer_at() is None


def test_who_has_seen_nothing_for_long_need_not_accuse() -> None:
    jury = Jury()
    linked(jury, BAD, range(ENOUGH))
    linked(jury, BAD, range(100, 150), 1.0)
    linked(jury, BAD, range(ENOUGH), MEMORY)
    accuse(jury, BAD, range(ENOUGH), MEMORY + 1.0)
    assert tried(jury, MEMORY + 1.0) == [BAD.home]


def test_one_voice_may_be_enough() -> None:
    jury = Jury(enough=1)
    linked(jury, BAD, range(1))
    accuse(jury, BAD, range(1))
    assert tried(jury) == [BAD.home]


def test_nobody_is_banned_where_nobody_is_to_be() -> None:
    jury = Jury(enough=0)
    linked(jury, BAD, range(50))
    accuse(jury, BAD, range(50))
    assert jury.timer_at() is None


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blame, "MOST_HOMES", 300)
    jury = Jury()
    linked(jury, BAD, range(MOST_NETWORKS + 50))
    for number in range(MOST_NETWORKS + 50):
        for socket in "ab":
            jury.accuse(place(number), BAD, f"{number}{socket}", 1.0)
    [record] = [record for home, record in jury._records.items() if home == BAD.home]
    assert len(record.witnesses) == len(record.voices) == len(record.peers) == MOST_NETWORKS
    for number in range(310):
        jury.linked(place(number), place(number + 1), 2.0)
    assert len(jury._records) == 300
    assert len(jury._accusers) == 300
    tried(jury)  # what is forgotten is not banned, and no error


# In a swarm


class Swarm:
    """A swarm with enemies in it, each from a network of his own."""

    def __init__(self, honest: int, enemies: int, seed: int) -> None:
        self.world = World(seed=seed)
        self.dice = Random(seed)
        names = ["honest"] * honest + ["enemy"] * enemies
        self.dice.shuffle(names)
        self.sockets = {
            self.world.join(source=f"203.{number}.113.7"): name for number, name in enumerate(names)
        }
        self.met: dict[int, set[int]] = {socket: set() for socket in self.sockets}
        self.known = 0

    def enemies(self) -> set[int]:
        return {socket for socket, name in self.sockets.items() if name == "enemy"}

    def banned(self) -> set[int]:
        happened = self.world.happened(Banned)
        return {self.world.socket_of(peer) for banned in happened for peer in banned.peers}

    def links(self) -> list[tuple[str, int, int]]:
        """Those that have just come about: the pairing, and whom it links."""
        self.world.settle()
        events = self.world.happened(PairingLinked)[self.known :]
        self.known += len(events)
        found = []
        for event in events:
            for member in self.world.swarms._members.values():
                pairing = member.pairings.get(event.pairing)
                if pairing is not None and pairing.offerer is member:
                    found.append((event.pairing, member.socket, pairing.answerer.socket))
        return found

    def run(self, targets: set[int] | None, poison: bool) -> None:
        """Enemies accuse those of these whom they meet; or, if they poison, are accused by all who
        are no enemies."""
        enemies = self.enemies()
        for _ in range(20):
            for pairing, a, b in self.links():
                for one, other in ((a, b), (b, a)):
                    is_enemy = one in enemies
                    accuses = (
                        (not is_enemy and other in enemies)
                        if poison
                        else (is_enemy and other not in enemies)
                        and (targets is None or other in targets)
                    )
                    if accuses and one in self.world.open and self._is_in(one):
                        self.world.say(one, Unlinked(pairing, "integrity"))
            self.world.wait(1.0)

    def _is_in(self, socket: int) -> bool:
        return socket in self.world.swarms._members


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("focus", [None, 1, 3])
@pytest.mark.parametrize("size", [20, 40])
def test_half_a_swarm_of_liars_bans_nobody(size: int, focus: int | None, seed: int) -> None:
    swarm = Swarm(size // 2, size // 2, seed)
    honest = sorted(set(swarm.sockets) - swarm.enemies())
    swarm.run(None if focus is None else set(honest[:focus]), poison=False)
    assert swarm.banned() == set()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("honest", "enemies"), [(9, 1), (17, 3), (32, 8)])
def test_poisoners_among_the_honest_are_banned(honest: int, enemies: int, seed: int) -> None:
    swarm = Swarm(honest, enemies, seed)
    swarm.run(None, poison=True)
    assert swarm.banned() == swarm.enemies()
