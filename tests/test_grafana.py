"""The Grafana board asks for metrics that are there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY

from origin.http import meter
from p2pcdn.service import probes
from tracker import metrics

BOARD = Path(__file__).parents[1] / "docs" / "grafana" / "p2pcdn.json"

_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def expressions(value: Any) -> Iterator[str]:
    """Every query in the board, wherever it stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("expr", "query") and isinstance(inner, str):
                yield inner
            else:
                yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def names() -> set[str]:
    """What ``/metrics`` has of ours."""
    # Metrics register themselves when their modules are imported, which ours are by name.
    made = (metrics.LEDGER, probes.REQUESTS, meter.SENT, REGISTRY)
    ours = [one.collect() for one in made]
    return {
        family.name + suffix
        for family in chain.from_iterable(ours)
        for suffix in _SUFFIXES.get(family.type, ())
        if family.name.startswith("p2pcdn_")
    }


def test_each_metric_of_the_board_is_there() -> None:
    asked = set(re.findall(r"p2pcdn_\w+", " ".join(expressions(json.loads(BOARD.read_text())))))
    assert len(asked) > 15
    assert asked <= names()


def test_each_counter_and_gauge_is_on_the_board() -> None:
    """What is worth counting is worth a look."""
    text = BOARD.read_text()
    unseen = {name for name in names() if name not in text}
    assert {name for name in unseen if not name.endswith(("_sum", "_count"))} == set()


def test_kinds_of_bytes_that_the_board_names_are_those_there_are() -> None:
    named = set(re.findall(r'kind=~?\\"([\w|]+)\\"', BOARD.read_text()))
    kinds = {sample.labels["kind"] for metric in metrics.LEDGER.collect()
             if metric.name == "p2pcdn_ledger_bytes" for sample in metric.samples}  # fmt: skip
    assert {kind for several in named for kind in several.split("|")} == kinds


def test_panels_do_not_overlap() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in json.loads(BOARD.read_text())["panels"]:
        grid = panel["gridPos"]
        own = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not own & cells, panel["title"]
        assert max(x for x, _ in own) < 24
        cells |= own
