"""`make demo` on machines that lack something: one sentence, no traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("sh", "make", "find", "mkdir", "rm", "touch")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout without anything built, and a PATH with the barest tools."""
    browser = tmp_path / "peer" / "browser"
    (browser / "src").mkdir(parents=True)
    for name in ("build.mjs", "tsconfig.json", "package.json", "package-lock.json"):
        (browser / name).touch()
    for name in ("pyproject.toml", "hatch_build.py", "p2pcdn/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(ROOT / "Makefile", tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def program(machine: Path, name: str, script: str) -> None:
    """Install a program."""
    path = machine / "tools" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def make(machine: Path, *words: str) -> str:
    """What make says; it has to fail."""
    environment = {"PATH": str(machine / "tools"), "HOME": os.devnull}
    ran = subprocess.run(
        ["make", *words], cwd=machine, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode != 0
    assert "Traceback" not in ran.stderr
    return ran.stderr


def with_node(machine: Path, version: str = "22.1.0") -> None:
    """Node.js and npm, of which only the version is real."""
    major, minor, _ = version.split(".")
    verdict = int(not (int(major) > 20 or (int(major) == 20 and int(minor) >= 19)))
    program(machine, "node", f'[ "$1" = --version ] && echo v{version} || exit {verdict}')
    program(
        machine,
        "npm",
        "mkdir -p node_modules ../../origin/static; touch ../../origin/static/manifest.json",
    )


def test_without_node(machine: Path) -> None:
    said = make(machine, "demo", f"PYTHON={sys.executable}")
    assert "needs Node.js 20.19 or later with npm (https://nodejs.org); there is none." in said


def test_with_an_old_node(machine: Path) -> None:
    with_node(machine, "18.20.1")
    said = make(machine, "demo", f"PYTHON={sys.executable}")
    assert "Node.js 20.19 or later with npm (https://nodejs.org); there is v18.20.1." in said


def test_without_python(machine: Path) -> None:
    with_node(machine)
    assert "needs Python 3.11 or later, and there is none on the PATH" in make(machine, "demo")


def test_with_an_old_python(machine: Path) -> None:
    with_node(machine)
    program(machine, "python3", '[ "$1" = --version ] && echo Python 3.9.2 || exit 1')
    assert "there is none on the PATH" in make(machine, "demo")
    said = make(machine, "demo", "PYTHON=python3")
    assert "p2pcdn needs Python 3.11 or later; python3 is Python 3.9.2." in said


def test_with_a_python_that_makes_no_environments(machine: Path) -> None:
    with_node(machine)
    half = "mkdir -p .venv/bin; touch .venv/bin/python; exit 1"  # as without ensurepip
    program(machine, "python3", f'[ "$1" = -c ] || {{ {half}; }}')
    assert "apt-get install python3-venv" in make(machine, "demo")
    assert not (machine / ".venv").exists()
