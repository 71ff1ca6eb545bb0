"""The people of a scene: dealt out as it says, whatever the seed."""

from __future__ import annotations

from collections import Counter
from math import inf
from statistics import fmean, median

import pytest

from p2pcdn.sim.audience import Conduct, audience
from p2pcdn.sim.network import Nat
from p2pcdn.sim.scene import load


@pytest.mark.parametrize("seed", [1, 2])
def test_the_mean_uplink_is_what_the_scene_says(seed: int) -> None:
    scene = load("live-steady", {"viewers": "10", "lines.uplink": "1.06"})
    viewers = audience(scene, seed)
    assert fmean(viewer.up for viewer in viewers) == pytest.approx(1.06 * 500_000)
    ups = sorted(viewer.up for viewer in viewers)
    assert ups[1] / ups[0] == pytest.approx(5.0)
    assert ups[-1] / ups[0] == pytest.approx(25.0)


def test_uplinks_stay_as_they_are_if_nothing_is_said_of_them() -> None:
    viewers = audience(
        load("live-steady", {"viewers": "4", "lines.uplink": "0", "lines.mix": "tight"}), 1
    )
    assert sorted(viewer.up for viewer in viewers) == [125_000, 500_000, 500_000, 1_000_000]


def test_shares_are_dealt_out() -> None:
    scene = load("nat-mix", {"viewers": "20", "conduct.free": "0.2", "conduct.liars": "0.1"})
    viewers = audience(scene, 5)
    assert Counter(viewer.nat for viewer in viewers) == {
        Nat.BLOCKED: 1, Nat.CONE: 8, Nat.SYMMETRIC: 4, Nat.OPEN: 7
    }  # fmt: skip
    conducts = Counter(viewer.conduct for viewer in viewers)
    assert (conducts[Conduct.FREE], conducts[Conduct.LIAR]) == (4, 2)


def test_the_seed_alone_decides() -> None:
    scene = load("hostile")
    assert audience(scene, 3) == audience(scene, 3)
    assert audience(scene, 3) != audience(scene, 4)


def test_a_viewer_is_the_same_however_many_there_are() -> None:
    few, many = (audience(load("live-steady", {"viewers": n}), 1) for n in ("10", "20"))
    assert [v.place for v in few] == [v.place for v in many[:10]]


@pytest.mark.parametrize(("kind", "last"), [("start", 0.0), ("flash", 8.0), ("ramp", 8.0)])
def test_arrivals(kind: str, last: float) -> None:
    scene = load("live-steady", {"arrivals.kind": kind, "arrivals.over": "8"})
    times = [viewer.arrives for viewer in audience(scene, 1)]
    assert times == sorted(times)
    assert len(times) == scene.viewers
    assert times[-1] <= last
    assert times[-1] >= 0.9 * last


def test_poisson_arrivals_keep_as_many_watching_as_the_scene_says() -> None:
    scene = load("vod-poisson", {"seconds": "30000", "viewers": "5"})
    times = [viewer.arrives for viewer in audience(scene, 1)]
    assert len(times) * scene.media.length / scene.seconds == pytest.approx(5.0, rel=0.15)


def test_sessions_are_spread_around_their_median() -> None:
    changes = {"viewers": "2000", "sessions.kind": "lognormal", "sessions.median": "100"}
    viewers = audience(load("live-steady", changes), 1)
    assert median(v.leaves - v.arrives for v in viewers) == pytest.approx(100, rel=0.1)
    assert {v.leaves for v in audience(load("live-steady"), 1)} == {inf}


def test_a_wave_takes_its_share_without_a_word() -> None:
    scene = load("wave-of-leaving", {"viewers": "40"})
    gone = [viewer for viewer in audience(scene, 1) if viewer.leaves < inf]
    assert len(gone) == 20
    assert all(viewer.abruptly and 60 <= viewer.leaves <= 61 for viewer in gone)
