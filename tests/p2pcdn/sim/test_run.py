"""Whole scenes, small ones: that they run to their end, and twice the same."""

from __future__ import annotations

import io

import pytest

from p2pcdn.sim.run import run
from p2pcdn.sim.scene import load

LIVE = {"viewers": "8", "seconds": "40", "warmup": "16", "tail": "8"}
VOD = {"viewers": "6", "seconds": "60", "warmup": "0", "media.length": "24", "pair": "true"}


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
