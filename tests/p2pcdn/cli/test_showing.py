"""How it is said."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from p2pcdn.cli.showing import Shown, counted, length_text, program


def work(shown: Shown) -> None:
    with shown.progress("Making it") as tell:
        for share in range(101):
            tell(share / 100)
            if share == 50:
                shown.note("Half of it.")
        tell(1.0)
    shown.say("Done.", {"event": "done"})


def test_a_file_gets_a_line_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    work(Shown(as_json=False))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Done."
    assert "Half of it." in lines
    told = [line for line in lines if line.startswith("Making it: ")]
    assert 9 <= len(told) <= 11
    assert told[-1] == "Making it: 100%"


def test_a_program_gets_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    work(Shown(as_json=True))
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1] == {"event": "done"}
    assert {"event": "note", "text": "Half of it."} in events
    shares = [event["share"] for event in events if event["event"] == "progress"]
    assert shares == sorted(set(shares))
    assert shares[-1] == 1


def test_a_terminal_gets_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    work(Shown(as_json=False))
    said = capsys.readouterr().out
    assert "Half of it." in said
    assert said.endswith("Done.\n")
    assert "Making it: " not in said


def test_lengths_for_people() -> None:
    assert [length_text(each) for each in (0, 59.6, 61, 3600, 36_061)] == [
        "0:00", "1:00", "1:01", "1:00:00", "10:01:01",
    ]  # fmt: skip


def test_counts_for_people() -> None:
    assert [counted(each, "file") for each in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


@pytest.mark.parametrize(
    ("called", "path", "said"),
    [
        (".venv/bin/p2pcdn", "/nowhere", ".venv/bin/p2pcdn"),
        ("{folder}/.venv/bin/p2pcdn", "/nowhere", ".venv/bin/p2pcdn"),
        ("{folder}/.venv/bin/p2pcdn", "{folder}/.venv/bin", "p2pcdn"),
        ("{folder}/.venv/bin/p2pcdn", "{folder}/other", "{folder}/.venv/bin/p2pcdn"),
        ("/opt/my tools/p2pcdn", "/nowhere", "'/opt/my tools/p2pcdn'"),
        ("/opt/p2pcdn/__main__.py", "/nowhere", "python -m p2pcdn"),
        ("/usr/bin/pytest", "/nowhere", "p2pcdn"),
    ],
)
def test_a_command_is_printed_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, called: str, path: str, said: str
) -> None:
    for folder in (".venv/bin", "other"):
        file = tmp_path / folder / "p2pcdn"
        file.parent.mkdir(parents=True)
        file.write_text(folder)
        file.chmod(0o755)
    monkeypatch.chdir(tmp_path / "other" if "other" in path else tmp_path)
    monkeypatch.setenv("PATH", path.format(folder=tmp_path))
    monkeypatch.setattr(sys, "argv", [called.format(folder=tmp_path)])
    monkeypatch.setattr(sys, "executable", "/usr/bin/python")
    assert program() == said.format(folder=tmp_path)
