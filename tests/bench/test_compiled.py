"""Which modules are compiled, what a build is kept under, and what is said where none can be made.

Nothing is compiled here; that it is the same to the byte is looked at by each run of a build.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from bench import compiled
from p2pcdn import sim

FILES = {
    "p2pcdn/core/link.py": "peer",
    "p2pcdn/core/swarm.py": "tracker",
    "p2pcdn/sim/scenes/live.toml": "scene",
    "peer/browser/src/core/link.ts": "twin",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_peers_side_of_the_core_is_compiled_and_the_trackers_is_not(root: Path) -> None:
    core = [name for name in compiled.modules(root) if name.startswith("p2pcdn/core/")]
    assert core == ["p2pcdn/core/link.py"]


def test_all_that_is_compiled_is_there() -> None:
    names = compiled.modules()
    assert "p2pcdn/core/node.py" in names
    assert "p2pcdn/core/swarm.py" not in names
    assert [name for name in names if not (compiled.ROOT / name).is_file()] == []
    assert {compiled.ROOT / name for name in names} <= set(compiled.sources())


def test_nothing_interpreted_inherits_but_from_what_allows_it() -> None:
    built, allow = _dotted(compiled.modules()), _dotted(compiled.INHERITED)
    heirs = {
        f"{heir.__module__}.{heir.__qualname__} of {parent.__qualname__}": parent.__module__
        for heir in _classes()
        if heir.__module__ not in built
        for parent in heir.__mro__[1:]
        if parent.__module__ in built and not getattr(parent, "_is_protocol", False)
    }
    assert [words for words, parent in heirs.items() if parent not in allow] == []
    assert set(heirs.values()) == allow


def _dotted(names: Iterable[str]) -> set[str]:
    return {name.removesuffix(".py").replace("/", ".") for name in names}


def _classes() -> Iterator[type]:
    """All classes of the simulator, those of trials included."""
    for module in pkgutil.iter_modules(sim.__path__, f"{sim.__name__}."):
        found = vars(importlib.import_module(module.name)).values()
        yield from (thing for thing in found if isinstance(thing, type))


def test_the_same_sources_have_the_same_build(root: Path) -> None:
    before = compiled.fingerprint(root)
    (root / "p2pcdn/core/notes.txt").write_text("no source", encoding="utf-8")
    assert compiled.fingerprint(root) == before


@pytest.mark.parametrize("name", ["p2pcdn/core/swarm.py", "p2pcdn/sim/scenes/live.toml"])
def test_other_sources_have_another_build(root: Path, name: str) -> None:
    before = compiled.fingerprint(root)
    (root / name).write_text("changed", encoding="utf-8")
    assert compiled.fingerprint(root) != before


def test_what_is_compiled_is_part_of_the_hash(root: Path) -> None:
    before = compiled.fingerprint(root)
    (root / "peer/browser/src/core/swarm.ts").write_text("twin", encoding="utf-8")
    assert compiled.fingerprint(root) != before


def test_without_a_compiler_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "gcc-99 -pthread")
    asked: list[str] = []
    said = compiled.obstacle(asked.append, lambda name: name)
    assert asked == ["gcc-99"]
    assert said == (
        "Compiling needs a C compiler, and there is no 'gcc-99' here: install it (Debian: "
        "`apt install gcc`), name another one in CC, or run the simulator interpreted."
    )


def test_without_mypyc_it_names_what_is_missing() -> None:
    said = compiled.obstacle(lambda name: name, lambda name: None)
    assert said.startswith("Compiling needs mypyc and setuptools: ")
    assert compiled.obstacle(lambda name: name, lambda name: name) == ""


def test_the_build_comes_before_the_sources(tmp_path: Path) -> None:
    path = compiled.environment(tmp_path)["PYTHONPATH"]
    assert path == f"{tmp_path}{os.pathsep}{compiled.ROOT}"
