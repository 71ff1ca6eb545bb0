"""Runs: the same twice, in pairs with the plain player, and told of as they go."""

from __future__ import annotations

import io

import pytest

from p2pcdn.sim.run import run
from p2pcdn.sim.scene import built_in, load
from tests.p2pcdn.sim.small import LIVE, VOD


@pytest.mark.parametrize(("name", "changes"), [("live-steady", LIVE), ("flash-crowd", VOD)])
def test_the_same_scene_and_seed_give_the_same_trace_to_the_byte(
    name: str, changes: dict[str, str]
) -> None:
    scene = load(name, changes)
    traces = [io.StringIO(), io.StringIO()]
    first, second = (run(scene, name, 7, trace=trace) for trace in traces)
    assert traces[0].getvalue() == traces[1].getvalue()
    assert first.results.summary == second.results.summary
    assert run(scene, name, 8).results.summary.digest != first.results.summary.digest


def test_a_pair_is_the_same_viewers_without_peers() -> None:
    outcome = run(load("flash-crowd", VOD), "flash-crowd", 1)
    assert outcome.plain is not None
    assert outcome.comparison is not None
    assert [v.arrived for v in outcome.plain.viewers] == [
        v.arrived for v in outcome.results.viewers
    ]
    assert outcome.plain.summary.offload == pytest.approx(0.0, abs=1e-9)
    assert outcome.results.summary.offload > 0.3


def test_progress_is_told_up_to_the_end() -> None:
    shares: list[float] = []
    run(load("flash-crowd", VOD), "flash-crowd", 1, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("name", built_in())
def test_each_scene_that_comes_with_us_runs(name: str) -> None:
    small = {"viewers": "4", "seconds": "20", "warmup": "4", "tail": "4", "media.bitrate": "1"}
    if name == "wave-of-leaving":
        small["wave.at"] = "10"
    outcome = run(load(name, small), name, 1)
    assert all(row.startup is not None for row in outcome.results.viewers if row.stayed > 5)
