"""What the pages for people have to be: whole, and fit for a strict content security policy."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

TYPESCRIPT = Path(__file__).parents[1] / "peer/browser/node_modules/typescript/bin/tsc"

STRICT = [
    *("--allowJs", "--checkJs", "--noEmit", "--strict", "--noUncheckedIndexedAccess"),
    *("--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"),
    *("--lib", "es2023,dom,dom.iterable"),
]

_IMPORT = re.compile(r'^(?:import|export)\b[^"]*"\./([^"]+)"', re.MULTILINE)


class _Reader(HTMLParser):
    """Collects what a page loads, and whatever a strict policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: set[str] = set()
        self.refused: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"] or "")
        if tag == "script" and "src" not in given:
            self.refused.append("an inline script")
        if tag == "style":
            self.refused.append("an inline style sheet")
        self.refused += [f"{tag} {name}" for name in given if name == "style" or name[:2] == "on"]
        source = given.get("src") or (given.get("href") if tag == "link" else None)
        if source:
            self.loads.add(source)


def read(page: Path) -> _Reader:
    """What is in a page."""
    reader = _Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader


def modules(folder: Path) -> dict[str, set[str]]:
    """The scripts of a folder, and what each imports."""
    return {
        path.name: set(_IMPORT.findall(path.read_text(encoding="utf-8")))
        for path in folder.glob("*.js")
    }


def ids_in_scripts(folder: Path) -> set[str]:
    """The ids by which the scripts of a folder look for elements of the page."""
    found: set[str] = set()
    for path in folder.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'\b(?:byId|show|button|turn)\(\s*"([^"]+)"', text))
    return found


def assert_sound(page: Path) -> None:
    """The page loads only what is there, its scripts find what they look for, nothing is inline."""
    reader, folder = read(page), page.parent
    local = {name for name in reader.loads if not name.startswith("/")}
    assert not reader.refused
    assert len(set(reader.ids)) == len(reader.ids)
    assert ids_in_scripts(folder) <= set(reader.ids)
    scripts = modules(folder)
    assert set().union(*scripts.values()) <= scripts.keys()
    assert {name for name in local if name != "hls.min.js"} <= {p.name for p in folder.iterdir()}
    # Every file is used by somebody.
    used = local | set().union(*scripts.values()) | {page.name}
    assert {p.name for p in folder.iterdir() if p.is_file() and p.suffix != ".py"} <= used


def assert_typed(folder: Path) -> None:
    """The scripts are what their comments say, to the strict compiler."""
    if not TYPESCRIPT.exists():
        pytest.skip("the browser's development packages are not installed")
    scripts = sorted(map(str, folder.glob("*.js")))
    result = subprocess.run(
        ["node", TYPESCRIPT, *STRICT, *scripts], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
