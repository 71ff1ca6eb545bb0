"""`p2pcdn remove`: it asks, and takes out what was added."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from origin.sources import added
from p2pcdn.config import MountConfig
from tests.p2pcdn.cli.calling import Called, call


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with added.changed(tmp_path / "data") as mounts:
        mounts.append(MountConfig(path="shows", content=tmp_path))
    return tmp_path / "data"


def remove(capsys: pytest.CaptureFixture[str], data: Path, *words: str) -> Called:
    return call(capsys, "remove", *words, "--data", str(data))


def test_without_a_question(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    called = remove(capsys, data, "shows", "--yes")
    assert (called.code, called.out) == (
        0,
        f"shows is not served any more; {data.parent} stays as it is.\n",
    )
    assert added.read(data) == ()


def test_nobody_is_there_to_be_asked(
    capsys: pytest.CaptureFixture[str], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    called = remove(capsys, data, "shows")
    assert called.code == 2
    assert "--yes" in called.err
    assert len(added.read(data)) == 1


@pytest.mark.parametrize("answer", [True, False])
def test_somebody_is_asked(
    capsys: pytest.CaptureFixture[str],
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: bool,
) -> None:
    asked: list[str] = []

    def confirm(question: str) -> bool:
        asked.append(question)
        return answer

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(click, "confirm", confirm)
    assert remove(capsys, data, "shows").code == (0 if answer else 1)
    assert asked == [f"Serve {data.parent} no more?"]
    assert len(added.read(data)) == (0 if answer else 1)


def test_what_is_not_there(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    called = remove(capsys, data, "show", "--yes")
    assert called.code == 1
    assert called.err == "p2pcdn: There is nothing called show; the nearest is shows.\n"
