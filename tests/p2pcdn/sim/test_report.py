"""What people and programs see of runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from rich.console import Console

from p2pcdn.sim import report
from p2pcdn.sim.run import Outcome, run
from p2pcdn.sim.scene import load
from tests.p2pcdn.sim.small import VOD


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return run(load("flash-crowd", VOD), "flash-crowd", 1)


def test_plain_lines_say_what_counts_and_what_it_is_to_be_compared_with(outcome: Outcome) -> None:
    text = report.text(outcome)
    summary = outcome.results.summary
    assert text.startswith("flash-crowd, seed 1\n")
    copies = next(line.split() for line in text.splitlines() if line.startswith("copies "))
    assert copies[1:4] == [f"{summary.copies:.2f}", "limit", f"{summary.limit:.2f},"]
    assert "stalled more than plain" in text
    assert "stalled less than plain" in text
    assert summary.digest in text


def test_a_terminal_gets_the_same_as_a_table(outcome: Outcome) -> None:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(report.table(outcome))
    shown = console.export_text()
    assert all(line.label in shown for line in report.lines(outcome))


def test_programs_get_every_figure(outcome: Outcome) -> None:
    found = json.loads(json.dumps(report.as_dict(outcome)))
    assert found["copies"] == outcome.results.summary.copies
    assert set(found["bytes"]) >= {"media", "hashes", "signalling"}
    assert found["comparison"]["stalled_plain"] == 0.0


def test_files_have_a_row_for_each(outcome: Outcome, tmp_path: Path) -> None:
    report.write([outcome, outcome], tmp_path / "deep" / "out")
    rows = {
        name: list(csv.DictReader((tmp_path / "deep" / "out" / f"{name}.csv").open()))
        for name in ("runs", "viewers", "segments", "networks")
    }
    assert [row["run"] for row in rows["runs"]] == ["0", "1"]
    assert len(rows["viewers"]) == 2 * 4
    assert len(rows["segments"]) == 2 * 10
    assert not rows["networks"]
    assert rows["runs"][0]["imports"] == ""
    assert float(rows["runs"][0]["copies"]) == outcome.results.summary.copies


def test_networks_are_said_beside_their_limits_and_blind_matching(tmp_path: Path) -> None:
    changes = VOD | {"networks.kind": "zipf", "networks.count": "2", "networks.pair": "true"}
    outcome = run(load("flash-crowd", changes), "flash-crowd", 1)
    summary, gain = outcome.results.summary, outcome.gain
    assert gain is not None
    lines = {line.label: line for line in report.lines(outcome)}
    assert lines["within networks"].value == f"{summary.intra:.2%}"
    assert f"blind {gain.reached_blind:.2f}" in lines["within networks"].beside
    assert f"limit {summary.imports_limit:.2f}" in lines["imports in copies"].beside
    assert lines["completion, p99"].beside == f"{gain.completion:.3f} of blind"
    assert report.as_dict(outcome)["gain"]["completion"] == gain.completion
    report.write([outcome], tmp_path)
    rows = list(csv.DictReader((tmp_path / "networks.csv").open()))
    assert [row["network"] for row in rows] == ["AS64512", "AS64513"]
