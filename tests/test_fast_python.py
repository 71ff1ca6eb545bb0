"""Where a Python with aiolibdatachannel is looked for, and made."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from peer.native.transport import libdatachannel
from tests import fast_python

Run = Callable[..., SimpleNamespace]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An older Python, and nothing made yet."""
    monkeypatch.setattr(libdatachannel, "is_there", lambda: False)
    monkeypatch.setattr(fast_python, "PLACE", tmp_path / "made")
    monkeypatch.setattr(fast_python, "newer_python", lambda: "python3.12")
    return tmp_path / "made"


def pretend(monkeypatch: pytest.MonkeyPatch, place: Path, *, works: bool) -> list[list[str]]:
    """What is run, none of it really."""
    ran: list[list[str]] = []

    def run(words: list[str], **options: object) -> SimpleNamespace:
        ran.append(words)
        place.mkdir(exist_ok=True)
        return SimpleNamespace(returncode=0 if works else 1)

    monkeypatch.setattr(subprocess, "run", run)
    return ran


def test_this_python_is_taken_if_it_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libdatachannel, "is_there", lambda: True)
    assert fast_python.make()
    assert fast_python.find() == sys.executable


def test_it_is_made_once(monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> None:
    ran = pretend(monkeypatch, elsewhere, works=True)
    assert fast_python.find() is None
    assert fast_python.make()
    assert ran[0] == ["python3.12", "-m", "venv", str(elsewhere)]
    assert any(word.startswith("aiolibdatachannel") for word in ran[1])
    assert any(word.startswith("aiortc") for word in ran[1])
    assert fast_python.find() == str(elsewhere / "bin" / "python")
    ran.clear()
    assert fast_python.make()
    assert ran == []


def test_what_could_not_be_made_is_not_there(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    pretend(monkeypatch, elsewhere, works=False)
    assert not fast_python.make()
    assert fast_python.find() is None


def test_without_a_newer_python_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_python, "newer_python", lambda: None)
    assert not fast_python.make()
