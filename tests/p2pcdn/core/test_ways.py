"""Ways: who brings a stripe into which network, over which links, and who shares the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from ipaddress import ip_address

import pytest

from p2pcdn.core.member import Member, Swarm
from p2pcdn.core.pairing import Pairing, Phase
from p2pcdn.core.ways import HOP, Links, Step, Ways
from p2pcdn.wire.candidate import Vantage

USUAL = 500_000
SWARM = Swarm(("s", "c", ""))


def member(number: int, operator: str, uplink: int = USUAL) -> Member:
    vantage = Vantage(ip_address("198.51.100.7"), operator=operator)
    return Member(number, f"{number:016x}", SWARM, vantage, True, None, uplink=uplink)


def linked(a: Member, *others: Member, phase: Phase = Phase.LINKED) -> None:
    for b in others:
        pairing = Pairing(f"{a.id}-{b.id}", a, b, phase, 0.0)
        a.meet(b, pairing, 0.0)
        b.meet(a, pairing, 0.0)


def lacking(*members: Member) -> dict[str, Collection[Member]]:
    found: dict[str, list[Member]] = {}
    for one in members:
        found.setdefault(one.vantage.operator, []).append(one)
    return dict(found)


def test_each_network_is_entered_once_and_after_who_has_the_stripe_before() -> None:
    first, a, b, other, c = (member(n, name) for n, name in enumerate(("H", "A", "B", "B", "C")))
    linked(first, a)
    linked(a, b, other)
    linked(b, c)
    steps = list(Ways(Links(USUAL)).spread([first], lacking(a, b, other, c)))
    assert [(step.member, step.enters) for step in steps] == [(a, True), (b, True), (c, True)]


def test_who_has_a_link_where_the_holder_has_none_passes_it_on() -> None:
    first, beside, far = member(0, "H"), member(1, "H"), member(2, "A")
    linked(first, beside)
    linked(beside, far)
    steps = list(Ways(Links(USUAL)).spread([first], lacking(far)))
    assert [(step.member, step.enters) for step in steps] == [(beside, False), (far, True)]


def test_each_asks_when_those_before_have_been_sent_it() -> None:
    first = member(0, "H")
    others = [member(n, f"A{n}") for n in range(1, 4)]
    linked(first, *others)
    links = Links(USUAL)
    once = links.takes(first)
    steps = list(Ways(links).spread([first], lacking(*others)))
    assert [step.at for step in steps] == pytest.approx([0.0, once, 2 * once])
    beside, far = member(5, "H"), member(6, "B")
    linked(others[0], beside)
    linked(first, beside)
    linked(beside, far)
    relay, behind = Ways(Links(USUAL)).spread([first], lacking(far))
    assert relay.at == 0.0
    assert behind.at == pytest.approx(once + HOP)


def test_those_in_mode_relay_are_nobodys_neighbours_at_home() -> None:
    first, beside, far = member(0, "H"), member(1, "H"), member(2, "A")
    linked(first, beside)
    linked(beside, far)
    for hidden in (first, beside):
        hidden.mode = "relay"
        assert not list(Ways(Links(USUAL)).spread([first], lacking(far)))
        hidden.mode = "any"


def test_where_there_is_no_way_nobody_is_named() -> None:
    first, asked, alone = member(0, "H"), member(1, "A"), member(3, "C")
    slow = member(2, "B", USUAL // 4)
    silent = member(4, "D")
    silent.upload = False
    linked(first, asked, phase=Phase.OFFERED)
    linked(first, slow, silent)
    assert not list(Ways(Links(USUAL)).spread([first], lacking(asked, slow, alone, silent)))


def test_an_uplink_is_shared_by_all_that_goes_over_it() -> None:
    first = member(0, "H")
    others = [member(n, f"A{n}") for n in range(1, 17)]
    linked(first, *others)
    for one in others:
        linked(one, *(other for other in others if other.socket > one.socket))
    ways = Ways(Links(USUAL))
    assert len(list(ways.spread([first], lacking(*others)))) == 16
    assert 2 <= ways._copies[first] < 12, "others pass it on meanwhile"


def test_the_stripes_of_a_segment_come_in_by_several_and_boasting_gains_no_more_than_one() -> None:
    first = member(0, "H")
    those = [member(n, "A", 100 * USUAL if n == 1 else USUAL) for n in range(1, 7)]
    linked(first, *those)
    ways = Ways(Links(USUAL))
    named = [step.member.socket for _ in range(6) for step in ways.spread([first], lacking(*those))]
    counts = Counter(named)
    assert len(named) == 6
    assert counts[1] <= 2
    assert len(counts) >= 4


def test_what_was_decided_before_counts() -> None:
    first, busy, free = member(0, "H"), member(1, "A"), member(2, "A")
    linked(first, busy, free)
    ways = Ways(Links(USUAL))
    ways.note([busy])
    assert list(ways.spread([first], lacking(busy, free))) == [Step(free, True)]
