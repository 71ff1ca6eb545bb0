"""Facts about the repository: who may import whom, and that nothing is without its counterpart.

The layers are those of docs/architecture.md. Each module's own imports are checked, also those
inside functions; so the arrows hold for chains of imports as well.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import pytest
from msgspec import Struct
from msgspec.inspect import StructType, type_info

from p2pcdn.cli import COMMANDS, reference
from p2pcdn.errors import ErrorCode, SourceReason
from p2pcdn.settings import SETTINGS, SITE_SETTINGS
from p2pcdn.wire import schema
from p2pcdn.wire.link import LinkMessage
from p2pcdn.wire.manifest import Manifest, PresentationManifest, RenditionManifest
from p2pcdn.wire.tracker import Beacon, FromTracker, ToTracker

ROOT = Path(__file__).parents[1]
PACKAGES = ("p2pcdn", "tracker", "peer", "origin")


IGNORED = {"node_modules", "static", "__pycache__", "dist", "build", "site", "mutants"}


def files(*suffixes: str) -> list[Path]:
    """What is in the repository, without what git ignores."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in IGNORED and name[0] != "."]
        found += [Path(folder, name).relative_to(ROOT) for name in names]
    return sorted(path for path in found if path.suffix in suffixes)


MODULES = [path for path in files(".py") if path.parts[0] in PACKAGES]
SCRIPTS = [path for path in files(".ts") if path.parts[:3] == ("peer", "browser", "src")]


def name_of(path: Path) -> str:
    """A module's dotted name."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Import(NamedTuple):
    """An import as it stands in a module."""

    name: str
    line: int
    lazy: bool
    """It is inside a function, so that it happens when that is called."""


@functools.cache
def imports(path: Path) -> list[Import]:
    """All imports of a file; ``from a import b`` counts as one of ``a.b``."""
    return list(_imports(ast.parse((ROOT / path).read_text(encoding="utf-8")), lazy=False))


def _imports(node: ast.AST, *, lazy: bool) -> Iterator[Import]:
    match node:
        case ast.Import(names=names, lineno=line):
            yield from (Import(alias.name, line, lazy) for alias in names)
        case ast.ImportFrom(module=module, names=names, lineno=line):
            yield from (Import(f"{module}.{alias.name}", line, lazy) for alias in names)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            lazy = True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            lazy = True
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, lazy=lazy)


def within(name: str, prefixes: Iterable[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


# Layers

VALUES = ("p2pcdn.model", "p2pcdn.errors", "p2pcdn.__version__")
SERVICE = (
    "p2pcdn.config", "p2pcdn.settings", "p2pcdn.logs", "p2pcdn.failures", "p2pcdn.service",
)  # fmt: skip
SHELLS = ("origin", "tracker", "peer")

PURE = (
    "__future__", "abc", "base64", "bisect", "collections", "contextlib", "dataclasses", "enum",
    "functools", "hashlib", "heapq", "ipaddress", "itertools", "json", "math", "msgspec",
    "operator", "random.Random", "re", "statistics", "string", "struct", "typing", "urllib.parse",
)  # fmt: skip
"""Libraries that know no time, no chance, no files and no network."""


class Layer(NamedTuple):
    """Modules that may import the same things."""

    ours: tuple[str, ...]
    """Which of our own modules they may import."""
    libraries: tuple[str, ...] | None = None
    """Which others; all if not said."""


PROGRAMS = ("p2pcdn.wire.schema", "p2pcdn.wire.typescript")
"""They write files when they are run; no other module imports them."""

LAYERS: dict[str, Layer] = {
    "p2pcdn.wire.schema": Layer((*VALUES, "p2pcdn.wire")),
    "p2pcdn.wire.typescript": Layer((*VALUES, "p2pcdn.wire")),
    "p2pcdn.model": Layer(VALUES, PURE),
    "p2pcdn.errors": Layer(VALUES, PURE),
    "p2pcdn.wire": Layer((*VALUES, "p2pcdn.wire"), PURE),
    "p2pcdn.presentations": Layer((*VALUES, "p2pcdn.presentations"), (*PURE, "xml.parsers.expat")),
    "p2pcdn.core": Layer((*VALUES, "p2pcdn.wire", "p2pcdn.core"), PURE),
    "p2pcdn.sim": Layer((*VALUES, "p2pcdn.wire", "p2pcdn.core", "p2pcdn.sim")),
    "p2pcdn.config": Layer(VALUES),
    "p2pcdn.settings": Layer((*VALUES, *SERVICE)),
    "p2pcdn.es256": Layer(()),
    "p2pcdn.logs": Layer(VALUES),
    "p2pcdn.failures": Layer(()),
    "p2pcdn.service": Layer((*VALUES, *SERVICE)),
    "p2pcdn.doctor": Layer(
        (*VALUES, "p2pcdn.config", "p2pcdn.failures", "p2pcdn.wire", "p2pcdn.doctor")
    ),
    "p2pcdn.cli": Layer((*PACKAGES,)),
    "p2pcdn.__main__": Layer(("p2pcdn.cli",)),
    "p2pcdn": Layer((), ()),
    **{
        shell: Layer(
            (
                *VALUES,
                *SERVICE,
                "p2pcdn.es256",
                "p2pcdn.presentations",
                "p2pcdn.wire",
                "p2pcdn.core",
                shell,
            )
        )
        for shell in SHELLS
    },
}
"""The first that fits counts."""

EXEMPT = {
    ("p2pcdn.service.server", "p2pcdn"): "the version, for a header",
}


AIOHTTP = ("p2pcdn.failures", "p2pcdn.service", "p2pcdn.doctor", *SHELLS)


def layer_of(name: str) -> Layer:
    return next(layer for prefix, layer in LAYERS.items() if within(name, [prefix]))


def faults_of(path: Path) -> Iterator[str]:
    """What a module imports although its layer may not."""
    name = name_of(path)
    layer = layer_of(name)
    for imported in imports(path):
        where = f"{path}:{imported.line} imports {imported.name}"
        if imported.name.split(".")[0] in PACKAGES:
            if not within(imported.name, layer.ours) and (name, imported.name) not in EXEMPT:
                yield f"{where}; of ours it may import {', '.join(layer.ours) or 'nothing'}"
            if within(imported.name, PROGRAMS) and not within(name, PROGRAMS):
                yield f"{where}; it is a program"
        elif layer.libraries is not None and not within(imported.name, layer.libraries):
            yield f"{where}; it has to stay pure"
        elif within(imported.name, ["aiohttp"]) and not within(name, AIOHTTP):
            yield f"{where}; only services and shells know aiohttp"


def test_modules_import_only_what_their_layer_may() -> None:
    assert [fault for path in MODULES for fault in faults_of(path)] == []


def test_no_exception_is_for_an_import_that_is_gone() -> None:
    found = {(name_of(path), imported.name) for path in MODULES for imported in imports(path)}
    assert set(EXEMPT) <= found


def test_the_command_line_loads_shells_and_core_only_when_it_needs_them() -> None:
    heavy = (*SHELLS, "p2pcdn.core", "p2pcdn.wire", "aiohttp", "aiortc", "av", "rich", "aioice")
    eager = [
        f"{path}:{imported.line} imports {imported.name}"
        for path in MODULES
        if within(name_of(path), ["p2pcdn.cli"])
        for imported in imports(path)
        if not imported.lazy and within(imported.name, heavy)
    ]
    assert eager == []


SPECIFIER = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")
BROWSER = Path("peer/browser/src")
BROWSER_LAYERS = {"core": ("core", "wire"), "wire": ("wire",)}


def browser_faults_of(path: Path) -> Iterator[str]:
    """What a script of the browser's core or wire imports although it may not."""
    allowed = BROWSER_LAYERS.get(path.relative_to(BROWSER).parts[0])
    for specifier in SPECIFIER.findall((ROOT / path).read_text(encoding="utf-8")):
        if allowed is None:
            continue
        target = Path(os.path.normpath(path.parent / specifier))
        ours = specifier.startswith(".") and target.is_relative_to(BROWSER)
        if not ours or (
            target.relative_to(BROWSER).parts[0] not in allowed
            and target.stem not in ("model", "errors")
        ):
            yield f"{path} imports {specifier}"


def test_the_browsers_core_knows_only_itself_and_the_wire() -> None:
    assert [fault for path in SCRIPTS for fault in browser_faults_of(path)] == []


# Counterparts

UNTESTED = {
    "p2pcdn/core/ports.py": "declarations only",
    "p2pcdn/core/swarm_ports.py": "declarations only",
    "p2pcdn/core/ledger_ports.py": "declarations only",
    "p2pcdn/core/torrent_ports.py": "declarations only",
    "p2pcdn/core/stats.py": "declarations only",
    "p2pcdn/errors.py": "declarations only",
    "p2pcdn/wire/fields.py": "declarations, tested by the vectors of all messages",
    "p2pcdn/wire/link.py": "declarations, tested by the vectors of all messages",
    "p2pcdn/wire/tracker.py": "declarations, tested by the vectors of all messages",
}
"""Modules without a test file of their own, each with the reason."""


NAMED = [path for path in MODULES if not path.name.startswith("__")]


def test_each_module_has_its_test_file() -> None:
    tests = {path: Path("tests") / path.with_name(f"test_{path.name}") for path in NAMED}
    without = {str(path) for path, test in tests.items() if not (ROOT / test).is_file()}
    assert without == set(UNTESTED)


def test_each_file_opens_with_its_story() -> None:
    def story(path: Path) -> str | None:
        text = (ROOT / path).read_text(encoding="utf-8")
        if path.suffix == ".py":
            return ast.get_docstring(ast.parse(text))
        return text if text.startswith(("/*", "//")) else None

    paths = files(".py", ".ts", ".mjs", ".js")
    assert [str(path) for path in paths if not story(path)] == []


SERVERS_ONLY = {
    "access", "acquaintances", "amounts", "atlas", "audience", "audit", "blame", "books", "claims",
    "credits", "desk", "fading", "firsts", "homes", "importers", "introducer", "ladder", "ledger",
    "ledger_ports", "lessor", "locality", "lots", "matching", "member", "modes", "nearby",
    "pairing", "partners", "passes", "relay", "rollup", "runs", "swarm", "swarm_ports",
    "torrent", "torrent_ports", "torrents", "ways", "wheel",
}  # fmt: skip
"""Machines of the tracker; a browser has no use for them."""


def test_the_browsers_core_has_the_machines_of_a_peer() -> None:
    python = {path.stem for path in NAMED if path.parent == Path("p2pcdn/core")} - SERVERS_ONLY
    browser = {path.stem for path in SCRIPTS if path.parent == Path("peer/browser/src/core")}
    assert browser == python


# The wire and its documentation


def tags(union: object) -> set[str]:
    """The ``type`` of each message of a union."""
    members = get_args(union) or (union,)
    found = set()
    for member in members:
        assert issubclass(member, Struct)
        info = type_info(member)
        assert isinstance(info, StructType)
        found.add(str(info.tag))
    return found


UNIONS = {
    "to-tracker": ToTracker,
    "from-tracker": FromTracker,
    "beacon": Beacon,
    "link": LinkMessage,
    "manifest": PresentationManifest | RenditionManifest,
}


def test_the_manifests_are_all_there_is() -> None:
    assert set(Manifest.__subclasses__()) == {PresentationManifest, RenditionManifest}


@pytest.mark.parametrize("union", UNIONS)
@pytest.mark.parametrize("kind", ["valid", "invalid"])
def test_each_message_has_vectors(union: str, kind: str) -> None:
    text = (ROOT / f"tests/vectors/wire/{union}.json").read_text(encoding="utf-8")
    cases = json.dumps(json.loads(text)[kind])
    named = set(re.findall(r'\\?"type\\?"\s*:\s*\\?"(\w+)', cases))
    assert tags(UNIONS[union]) <= named


@pytest.mark.parametrize("union", UNIONS)
def test_each_message_is_documented(union: str) -> None:
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    assert {tag for tag in tags(UNIONS[union]) if f"`{tag}`" not in text} == set()


@pytest.mark.parametrize("codes", [ErrorCode, SourceReason])
def test_each_code_is_documented(codes: type[ErrorCode] | type[SourceReason]) -> None:
    text = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    assert {code.value for code in codes if f"`{code.value}`" not in text} == set()


def test_generated_files_are_fresh() -> None:
    assert schema.stale() == []
    assert reference.stale() == []


def test_each_setting_is_documented() -> None:
    text = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    keys = [*SETTINGS, *(setting.key for setting in SITE_SETTINGS.values())]
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_links_between_documents_lead_somewhere() -> None:
    for path in files(".md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / path).read_text()):
            assert (ROOT / path.parent / target).exists(), f"{path} links to {target}"


def test_files_that_documents_name_are_there() -> None:
    """A claim names the test that shows it: by its file, which may move."""
    for path in files(".md"):
        text = (ROOT / path).read_text(encoding="utf-8")
        for name in re.findall(
            r"`((?:tests|peer|bench|p2pcdn|origin|tracker)/[\w./-]+\.\w+)`", text
        ):
            assert (ROOT / name).exists(), f"{path} names {name}"


# Packages


@pytest.mark.parametrize("folder", ["peer/browser", "bench/browsers"])
def test_the_lock_file_names_no_registry(folder: str) -> None:
    lock = (ROOT / folder / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved": "http' not in lock


def test_each_command_names_a_module_that_is_there() -> None:
    for entry in COMMANDS.values():
        module, _, attribute = entry.target.partition(":")
        assert attribute == "command"
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()
