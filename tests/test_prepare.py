"""What the tests need beside Python: found, installed where that is allowed, or named."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import fast_python, prepare
from tests.prepare import Need


def lacking(
    monkeypatch: pytest.MonkeyPatch, *, required: bool, install: bool, works: bool = True
) -> list[list[str]]:
    """A machine that lacks one thing; what is asked of apt-get."""
    there: list[bool] = []
    asked: list[list[str]] = []

    def run(words: list[str], **options: object) -> None:
        asked.append(words)
        if words[1] == "install" and works:
            there.append(True)

    need = Need("hat", "magic", lambda: bool(there), required=required)
    monkeypatch.setattr(prepare, "NEEDS", (need,))
    monkeypatch.setattr(prepare, "_may_install", lambda: install)
    monkeypatch.setattr(fast_python, "make", lambda: True)
    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_what_is_required_and_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = lacking(monkeypatch, required=True, install=False)
    assert prepare.main() == 1
    assert asked == []
    assert "`sudo apt-get install hat`" in capsys.readouterr().err


def test_what_is_good_to_have_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking(monkeypatch, required=False, install=False)
    assert prepare.main() == 0
    assert "hat is not installed; it is not needed, but good" in capsys.readouterr().err


def test_no_newer_python_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prepare, "NEEDS", ())
    monkeypatch.setattr(fast_python, "make", lambda: False)
    assert prepare.main() == 0
    assert "Python 3.12 with aiolibdatachannel is not there" in capsys.readouterr().err


def test_a_ci_machine_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = lacking(monkeypatch, required=True, install=True)
    assert prepare.main() == 0
    assert [words[:2] for words in asked] == [["apt-get", "update"], ["apt-get", "install"]]
    assert asked[1][-1] == "hat"


@pytest.mark.parametrize("need", prepare.NEEDS, ids=lambda need: need.package)
def test_each_need_looks_afresh(monkeypatch: pytest.MonkeyPatch, need: Need) -> None:
    def found(where: str | None) -> bool:
        monkeypatch.setattr(shutil, "which", lambda name, **options: where)
        monkeypatch.setattr(prepare, "find_library", lambda name: where)
        return need.found()

    monkeypatch.delenv("CHROME_PATH", raising=False)
    monkeypatch.setattr(Path, "exists", lambda path: False)  # where a Mac has its browsers
    assert [found(None), found("/somewhere")] == [False, True]


def test_an_installation_that_fails_is_no_excuse(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(monkeypatch, required=True, install=True, works=False)
    assert prepare.main() == 1


@pytest.mark.parametrize(
    ("ci", "user", "apt", "may"),
    [
        ("true", 0, "/usr/bin/apt-get", True),
        ("", 0, "/usr/bin/apt-get", False),
        ("true", 1000, "/usr/bin/apt-get", False),
        ("true", 0, None, False),
    ],
)
def test_only_root_of_a_ci_machine_with_apt_may_install(
    monkeypatch: pytest.MonkeyPatch, ci: str, user: int, apt: str | None, may: bool
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(shutil, "which", lambda name: apt)
    assert prepare._may_install() is may
