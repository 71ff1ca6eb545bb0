"""Every scenario, step by step: the same that the browser's core has to pass."""

from __future__ import annotations

import pytest

from tests.p2pcdn.core.scenario import difference, load, names, start


@pytest.mark.parametrize("name", names())
def test_scenario(name: str) -> None:
    scenario = load(name)
    player = start(scenario)
    for number, step in enumerate(scenario["steps"]):
        outcome = player.step(step)
        where = f"step {number} ({step.get('note', step['at'])})"
        found = {"sends": outcome.sends, "events": outcome.events, "state": player.state()}
        expected = {"sends": [], "events": [], **step}
        wrong = difference({part: expected[part] for part in found if part in expected}, found)
        assert wrong is None, f"{where}{wrong}"


@pytest.mark.parametrize("name", names())
def test_a_scenario_tells_its_rule(name: str) -> None:
    assert load(name)["story"].endswith(".")
