"""`p2pcdn sim`: what it prints, and how it complains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from p2pcdn.sim import pictures
from tests.p2pcdn.cli.calling import call

SMALL = [
    *("--set", "seconds=12", "--set", "warmup=2"),
    *("--set", "tail=2", "--set", "media.length=8", "--viewers", "2"),
]


def test_without_a_scene_it_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--list"]):
        called = call(capsys, "sim", *words)
        assert called.code == 0
        assert "live-steady" in called.out
        assert "one-viewer" in called.out


def test_a_run_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "sim", "flash-crowd", *SMALL)
    assert called.code == 0
    assert called.out.startswith("flash-crowd, seed 1\n")
    assert "limit" in called.out
    assert called.err == ""


def test_programs_get_a_line_of_json_a_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    words = ["--json", "--sweep", "peers.buffer=8,30", "--trace", str(trace), "--seed", "3"]
    called = call(capsys, "sim", "one-viewer", *SMALL, *words)
    assert called.code == 2
    assert "Either --viewers or --sweep" in called.err
    called = call(capsys, "sim", "one-viewer", *SMALL[:-2], *words)
    runs = [json.loads(line) for line in called.out.splitlines()]
    assert [run["seed"] for run in runs] == [3, 3]
    assert "comparison" in runs[0]
    assert "\tarrive\t" in trace.read_text()


def test_files_are_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    called = call(capsys, "sim", "flash-crowd", *SMALL, "--pair", "--out", str(tmp_path / "out"))
    assert called.code == 0
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"runs.csv", "viewers.csv", "segments.csv", "completion.png"} <= names


def test_without_matplotlib_it_says_so_before_it_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "available", lambda: False)
    called = call(capsys, "sim", "flash-crowd", "--out", str(tmp_path / "out"))
    assert called.code == 1
    assert "pip install '.[sim]'" in called.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["live-stedy"], "the nearest is live-steady"),
        (["live-steady", "--set", "viewrs=3"], "the nearest is viewers"),
        (["live-steady", "--set", "viewers"], "--set takes KEY=VALUE"),
        (["live-steady", "--sweep", "viewers"], "--sweep takes KEY=A,B,C"),
        (["live-steady", "--viewers", "many"], "it takes a whole number"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    called = call(capsys, "sim", *words)
    assert called.code == 2
    assert complaint in called.err
