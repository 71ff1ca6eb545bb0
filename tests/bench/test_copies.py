"""The copy of a module does what the module does, with an `__init__` that can be read."""

from __future__ import annotations

import dataclasses
import sys
from types import ModuleType

import pytest

from bench import compiled
from bench.copies import copied

SOURCE = '''
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Said:
    """Something said."""

    link: int
    words: str = "hello"


@dataclass(slots=True)
class Heard:
    said: Said
    at: list[float] = field(default_factory=list)
    times: int = 0

    def __post_init__(self) -> None:
        self.times = self.said.link + 1


@dataclass(slots=True)
class Odd:
    there: int
    made: int = field(init=False)


class Plain:
    pass
'''


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """The module, and its copy."""
    return made(monkeypatch, "source", SOURCE), made(monkeypatch, "copy", copied(SOURCE))


def made(monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(source, name, "exec"), module.__dict__)
    return module


def test_the_same_is_made_of_the_same(modules: tuple[ModuleType, ModuleType]) -> None:
    source, copy = modules
    for module in modules:
        said = module.Said(3)
        assert repr(said) == "Said(link=3, words='hello')"
        assert said == module.Said(3, words="hello") != module.Said(4)
        assert dataclasses.replace(said, link=4) == module.Said(4)
        assert repr(module.Heard(said)).endswith("at=[], times=4)")
    assert hash(source.Said(3)) == hash(copy.Said(3))


def test_nothing_made_shares_what_another_has(modules: tuple[ModuleType, ModuleType]) -> None:
    _, copy = modules
    one, other = copy.Heard(copy.Said(1)), copy.Heard(copy.Said(1))
    one.at.append(2.0)
    assert other.at == []


def test_an_init_is_spelled_out_but_for_what_is_out_of_the_ordinary() -> None:
    copy = copied(SOURCE)
    assert copy.count("def __init__(") == copy.count("acyclic=True") == 2
    assert "def __init__(self, said: Said, at: list[float] | None = None, times: int = 0)" in copy
    assert "@dataclass(slots=True, unsafe_hash=True, init=False)\nclass Said" in copy
    assert "@dataclass(slots=True)\nclass Odd" in copy


def test_whoever_is_inherited_from_says_so() -> None:
    assert "allow_interpreted_subclasses" not in copied(SOURCE)
    copy = copied(SOURCE, inherited=True)
    assert copy.count("\n@mypyc_attr(allow_interpreted_subclasses=True)\n") == 4
    assert copy.index("import mypyc_attr") < copy.index("@mypyc_attr")


def test_a_copy_of_all_that_is_compiled_can_be_read() -> None:
    for name in compiled.modules():
        source = (compiled.ROOT / name).read_text(encoding="utf-8")
        compile(copied(source, inherited=name in compiled.INHERITED), name, "exec")
