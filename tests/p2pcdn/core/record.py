"""Writes what the node does now into scenarios, as a draft to be read line by line.

``python -m tests.p2pcdn.core.record NAME...`` (or ``--all``). A recording proves nothing: what it
wrote is right only once somebody has held every line of it against the story.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.p2pcdn.core.scenario import SCENARIOS, Json, Player, load, names, start

WIDTH = 100


def record(name: str) -> None:
    """Play a scenario and write down what came out, and the figures that its steps name."""
    scenario = load(name)
    player = start(scenario)
    for step in scenario["steps"]:
        _note(player, step)
    text = written(scenario)
    (SCENARIOS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _note(player: Player, step: Json) -> None:
    outcome = player.step(step)
    figures = step.pop("state", {})
    for part, found in (("sends", outcome.sends), ("events", outcome.events)):
        step.pop(part, None)
        if found:
            step[part] = without_nothing(found)
    if figures:
        now = player.state()
        step["state"] = {name: now[name] for name in figures}


def without_nothing(value: Any) -> Any:
    """Leaves null out, which a scenario need not mention."""
    if isinstance(value, list):
        return [without_nothing(item) for item in value]
    if isinstance(value, dict):
        return {name: without_nothing(item) for name, item in value.items() if item is not None}
    return value


def written(value: Any, indent: int = 0) -> str:
    """JSON with whatever fits on a line on one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= WIDTH or not isinstance(value, dict | list):
        return line
    inner = " " * (indent + 2)
    if isinstance(value, list):
        items = [inner + written(item, indent + 2) for item in value]
        return "[\n" + ",\n".join(items) + "\n" + " " * indent + "]"
    items = [f"{inner}{json.dumps(n)}: {written(item, indent + 2)}" for n, item in value.items()]
    return "{\n" + ",\n".join(items) + "\n" + " " * indent + "}"


if __name__ == "__main__":
    for chosen in names() if sys.argv[1:] == ["--all"] else sys.argv[1:]:
        record(chosen)
