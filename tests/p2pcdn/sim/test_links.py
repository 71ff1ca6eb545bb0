"""Links: how they come about between shells, and how they end."""

from __future__ import annotations

import io
import ipaddress

import pytest

from p2pcdn.sim.links import describe, described
from p2pcdn.wire.candidate import Sieve, Vantage
from p2pcdn.wire.sdp import clean_description
from tests.p2pcdn.sim.small import lines, live


def test_a_description_still_says_whose_it_is_when_the_tracker_has_cleaned_it() -> None:
    sieve = Sieve(Vantage(ipaddress.ip_address("46.0.0.9")), 10)
    clean = clean_description(describe(9, 123, "46.0.0.9", "active"), sieve, 8192)
    assert described(clean) == (9, 123)
    assert sieve.passed == 2
    with pytest.raises(ValueError, match="none of ours"):
        described("v=0")


def test_links_come_up_within_a_second_or_so() -> None:
    trace = io.StringIO()
    world = live(trace)
    world.clock.run(2.5)
    assert lines(trace, "link")
    assert all(shell.links.open() for shell in world.shells.values())


def test_who_cannot_be_reached_has_no_links() -> None:
    world = live(nat__blocked="0.5")
    world.clock.run(10.0)
    linked = {number for number, shell in world.shells.items() if shell.links.open()}
    open_ones = {viewer.number for viewer in world.viewers if viewer.nat.value == "open"}
    assert linked == open_ones


def test_the_other_end_sees_that_a_link_is_over() -> None:
    world = live(viewers="2")
    world.clock.run(10.0)
    one, other = world.shells.values()
    assert len(one.links.open()) == len(other.links.open()) == 1
    one.stop()
    world.clock.run(10.5)
    assert one.links.ends == {}
    assert other.links.open() == []


def test_the_other_end_of_who_leaves_without_a_word_sees_it_late() -> None:
    world = live(viewers="2", wave__noticed="5")
    world.clock.run(10.0)
    one, other = world.shells.values()
    one.viewer.abruptly = True
    one.stop()
    world.clock.run(10.5)
    assert len(other.links.open()) == 1
    world.clock.run(16.0)
    assert other.links.open() == []


def test_what_was_sent_stays_counted_when_a_link_is_over() -> None:
    world = live()
    world.clock.run(20.0)
    sent = {number: shell.links.sent() for number, shell in world.shells.items()}
    assert sum(sent.values()) > 0
    for shell in world.shells.values():
        shell.links.close_all(0.0)
        assert shell.links.sent() == sent[shell.viewer.number]
