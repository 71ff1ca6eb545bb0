"""The build hook: takes a bundle that is there, builds one that is not, and says why it cannot.

The last tests build the real packages and look at what is inside.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import p2pcdn
from hatch_build import BUNDLE, BundleMissing, ensure_bundle, problem_with

ROOT = Path(__file__).parents[1]
VERSION = "1.2.3"


def bundle(root: Path, version: str = VERSION, *, without: str = "", age: float = 0) -> None:
    """Put a bundle into a tree, so many seconds older than its sources."""
    for name in BUNDLE:
        if name != without:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"version": version}))
            os.utime(path, (1e9 - age, 1e9 - age))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with sources and no bundle."""
    browser = tmp_path / "checkout" / "peer" / "browser"
    for name in ("src/core/node.ts", "dashboard/main.tsx", "build.mjs", "package-lock.json"):
        path = browser / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        os.utime(path, (1e9, 1e9))
    (tmp_path / "checkout" / ".git").mkdir()
    return tmp_path / "checkout"


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one program on the PATH: an npm that notes its arguments and does what ``does`` says."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "npm"
    program.write_text('#!/bin/sh\necho "$@" >> "${0%/*}/calls"\n. "${0%/*}/does"\n')
    program.chmod(0o755)
    (tools / "does").write_text("")
    monkeypatch.setenv("PATH", f"{tools}:{os.defpath}")
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    return tools


@pytest.fixture
def no_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)


def calls(npm: Path) -> list[str]:
    path = npm / "calls"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.usefixtures("no_npm")
def test_a_bundle_that_is_there_is_taken(root: Path) -> None:
    bundle(root)
    ensure_bundle(root, VERSION)


@pytest.mark.usefixtures("no_npm")
@pytest.mark.parametrize("name", BUNDLE)
def test_without_npm_a_missing_file_is_a_sentence(root: Path, name: str) -> None:
    bundle(root, without=name)
    with pytest.raises(BundleMissing) as caught:
        ensure_bundle(root, VERSION)
    assert str(caught.value) == (
        f"p2pcdn: the browser bundle is not there (there is no {name}), and building it "
        "needs npm: install Node.js 20.19 or later (https://nodejs.org), or install from an sdist "
        "or wheel, which carry the bundle."
    )


def test_a_bundle_of_another_version_is_none(root: Path) -> None:
    bundle(root, "1.2.2")
    assert problem_with(root, VERSION) == "the browser bundle is of version 1.2.2, not 1.2.3"


def test_in_a_checkout_a_bundle_older_than_its_sources_is_none(root: Path) -> None:
    bundle(root, age=1)
    assert problem_with(root, VERSION) == "the browser bundle is older than its sources"
    (root / ".git").rmdir()
    assert problem_with(root, VERSION) is None  # an sdist: unpacked files may have any time


def test_it_is_built_with_npm(root: Path, npm: Path) -> None:
    bundle(root)
    built = root / "origin" / "static" / "p2pcdn.js"
    built.unlink()
    (npm / "does").write_text(f'[ "$1" = run ] && : > {built} || true\n')
    ensure_bundle(root, VERSION)
    assert calls(npm) == ["ci", "run build"]


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("exit 1", "`npm ci` in"),
        ('[ "$1" = ci ]', "`npm run build` in"),
        ("true", "npm ran, but the browser bundle is not there"),
    ],
)
def test_a_build_that_fails_says_where(root: Path, npm: Path, does: str, said: str) -> None:
    (npm / "does").write_text(f"{does}\n")
    with pytest.raises(BundleMissing, match=said):
        ensure_bundle(root, VERSION)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The real wheel and sdist."""
    if problem_with(ROOT, p2pcdn.__version__):
        pytest.skip("no fresh browser bundle: run `make bundle`")
    directory = tmp_path_factory.mktemp("dist")
    build(ROOT, directory)
    (wheel,), (sdist,) = directory.glob("*.whl"), directory.glob("*.tar.gz")
    return wheel, sdist


def build(source: Path, directory: Path, *words: str, path: str | None = None) -> None:
    environment = os.environ if path is None else {**os.environ, "PATH": path}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(directory), *words],
        cwd=source,
        env=environment,
        check=True,
        capture_output=True,
    )


def in_wheel(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_has_four_packages_and_the_bundle_but_no_sources_of_it(
    packages: tuple[Path, Path],
) -> None:
    names = in_wheel(packages[0])
    assert {name.split("/")[0] for name in names} == {"p2pcdn", "tracker", "peer", "origin"}
    assert set(BUNDLE) <= names
    assert "p2pcdn/py.typed" in names
    assert not {name for name in names if name.startswith("peer/browser/")}
    assert not {name for name in names if name.endswith((".ts", ".tsx")) and ".d." not in name}


def test_the_sdist_has_the_sources_and_the_bundle(packages: tuple[Path, Path]) -> None:
    with tarfile.open(packages[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(BUNDLE) <= names
    assert {"peer/browser/src/index.ts", "peer/browser/package-lock.json", "LICENSE"} <= names
    assert {"README.md", "Makefile", "hatch_build.py", "tests/conftest.py"} <= names
    assert not {name for name in names if "node_modules" in name or "__pycache__" in name}


def test_a_wheel_from_the_sdist_is_the_same_and_needs_no_node(
    packages: tuple[Path, Path], tmp_path: Path
) -> None:
    wheel, sdist = packages
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    build(source, tmp_path / "dist", "-t", "wheel", path=str(tmp_path / "empty"))
    (again,) = (tmp_path / "dist").iterdir()
    assert in_wheel(again) == in_wheel(wheel)
