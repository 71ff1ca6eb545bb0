"""What networks import, by figures that can be checked by hand."""

from __future__ import annotations

import pytest

from p2pcdn.sim import traffic
from p2pcdn.sim.metrics import gain, measure
from p2pcdn.sim.networks import NOBODYS
from p2pcdn.sim.run import run
from p2pcdn.sim.scene import load
from p2pcdn.sim.world import World
from tests.p2pcdn.sim.small import LIVE, live

TWO = {"networks.kind": "one", "networks.count": "3", "networks.share": "0.5"}
"""Of eight viewers, four are in one network and two each in two others."""


def world(**more: str) -> World:
    """A world after its run, in which nothing has happened."""
    made = live(None, TWO | {"viewers": "8"} | more)
    made.stayed = {viewer.number: made.scene.seconds for viewer in made.viewers}
    return made


def test_imports_are_what_comes_from_elsewhere_and_from_the_origin() -> None:
    found = world()
    found.tally.routes.update({(0, 0): 300, (1, 0): 60, (2, 0): 20, (NOBODYS, 0): 20, (0, 1): 50})
    big, small, other = traffic.rows(found, 100.0)
    assert (big.intra_bytes, big.imported_bytes, big.origin_bytes) == (300, 80, 20)
    assert (big.imports, big.imports_origin, big.imports_limit) == (1.0, 0.2, 1.0)
    assert big.intra == pytest.approx(300 / 380)
    assert big.attainable == pytest.approx(0.75)
    assert (small.imports, small.intra, small.attainable) == (0.5, 0.0, 0.5)
    assert (other.imports, other.intra) == (0.0, None)
    local = traffic.locality([big, small, other])
    assert local is not None
    assert local.intra == pytest.approx(300 / 430)
    assert local.attainable == pytest.approx((4 * 0.75 + 4 * 0.5) / 8)
    assert local.reached == pytest.approx(local.intra / local.attainable)
    assert local.imports == pytest.approx(0.5)
    assert local.imports_most == 1.0
    assert local.imports_origin == pytest.approx(0.2 / 3)


def test_where_uplinks_do_not_suffice_more_has_to_come_in() -> None:
    poor = world(**{"lines.mix": "equal", "lines.uplink": "0.5"})
    big, small, _ = traffic.rows(poor, 100.0)
    assert [row.imports_limit for row in (big, small)] == pytest.approx([2.0, 1.0])
    assert [row.attainable for row in (big, small)] == pytest.approx([0.5, 0.5])


def test_without_networks_there_is_nothing_to_say() -> None:
    assert traffic.rows(live(), 100.0) == []
    assert traffic.locality([]) is None


def test_who_is_alone_can_have_nothing_from_within() -> None:
    lonely = live(None, {"networks.kind": "each"}, warmup="8", seconds="24")
    lonely.run()
    summary = measure(lonely, "lonely").summary
    assert (summary.intra, summary.intra_limit) == (0.0, 0.0)
    local = traffic.locality(traffic.rows(lonely, 100.0))
    assert local is not None
    assert local.reached == 1.0
    assert summary.imports == pytest.approx(1.0, abs=0.05)
    assert summary.imports_most is not None
    assert summary.imports_most < 1.5


def test_completion_is_when_viewers_have_what_came_out() -> None:
    found = live()
    found.run()
    measured = range(9, 11)
    times = traffic.completion(found, measured)
    assert len(times) == 2 * len(found.players)
    assert times == sorted(times)
    first = found.players[0].came[9] - found.media.published(9)
    assert first in times


def test_blind_matching_is_run_with_the_same_viewers() -> None:
    outcome = run(load("live-steady", LIVE | TWO | {"networks.pair": "true"}), "x", 1)
    assert outcome.blind is not None
    assert outcome.gain is not None
    assert outcome.plain is None
    assert [row.uplink for row in outcome.blind.viewers] == [
        row.uplink for row in outcome.results.viewers
    ]
    slow = outcome.blind.summary.completion_p99
    assert outcome.gain.completion == outcome.results.summary.completion_p99 / slow
    assert gain(outcome.results, run(load("live-steady", LIVE), "x", 1).results) is None


def test_what_comes_out_stays_within_networks_and_comes_into_each_but_once_or_twice() -> None:
    changes = {"viewers": "60", "networks.count": "5", "networks.pair": "false"}
    times = {"seconds": "28", "warmup": "12", "tail": "4"}
    scene = load("one-big-network", changes | times)
    found = traffic.locality(run(scene, "x", 1).results.networks)
    assert found is not None
    assert found.reached > 0.9  # by blind matching it is about 0.5
    assert found.imports < 3.0  # and 6
