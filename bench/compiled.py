"""The simulator with its hot modules compiled: ``python -m bench.compiled p2pcdn sim SCENE``.

A copy of `p2pcdn/` in which the peer's side of the core and the hot modules of the simulator are
extension modules, by mypyc; a module that is run with this copy first on its path needs less than
half of the CPU time. A build is kept in `.p2pcdn/compiled` under the hash of all that it follows
from. Whoever uses it has it compared first: a short scene has to come out as it does interpreted,
to the byte, or nothing is run.

The tracker's side stays as it is: compiled, it cannot be imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from bench.copies import copied

ROOT = Path(__file__).parents[1]
KEPT = Path(".p2pcdn/compiled")

SIMULATOR = (
    "clock", "conduct", "http", "links", "media", "network", "origin", "player", "shell", "tally",
    "weather",
)  # fmt: skip
"""What is hot in `p2pcdn/sim`."""

INHERITED = frozenset({"p2pcdn/core/store.py", "p2pcdn/sim/conduct.py", "p2pcdn/sim/media.py"})
"""What trials (`p2pcdn.sim.hostile`), which are interpreted, build upon. Nothing interpreted may
inherit from a class of the others."""

VALUES = ("p2pcdn/model.py", "p2pcdn/wire/chunk.py")
"""What all of them are made of."""

SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup
modules = mypycify(["--config-file=", *sys.argv[1:]], opt_level="1", debug_level="0")
setup(name="compiled", packages=[], ext_modules=modules, script_args=["build_ext", "--inplace"])
"""
"""-O1: at -O3 the compiler takes several times as long, for hardly anything."""

SHORT = """
from p2pcdn.core import node
from p2pcdn.sim.run import run
from p2pcdn.sim.scene import load
changes = {"viewers": "10", "seconds": "24", "pair": "false", "http.bad": "4", "http.good": "20"}
digest = run(load("hostile", changes), "hostile", 1).results.summary.digest
print(node.__file__.endswith(".py"), digest)
"""
"""Liars, bad weather, links and HTTP: something of all that is compiled."""


# What follows from the sources alone


def modules(root: Path = ROOT) -> list[str]:
    """The files that are compiled; the peer's side of the core is what has a twin in TypeScript."""
    twins = root / "peer/browser/src/core"
    core = sorted(path.name for path in (root / "p2pcdn/core").glob("*.py"))
    peer = [f"p2pcdn/core/{name}" for name in core if (twins / name).with_suffix(".ts").is_file()]
    return [*VALUES, *peer, *(f"p2pcdn/sim/{name}.py" for name in SIMULATOR)]


def sources(root: Path = ROOT) -> Iterator[Path]:
    """All that a build has a copy of."""
    yield from sorted(p for p in (root / "p2pcdn").rglob("*") if p.suffix in (".py", ".toml"))


def fingerprint(root: Path = ROOT) -> str:
    """What a build follows from, as a hash: sources, what of them is compiled, how, and by what."""
    digest = hashlib.sha256()
    copies = Path(__file__).with_name("copies.py").read_text(encoding="utf-8")
    how = (SETUP, copies, sys.version, sysconfig.get_platform(), version("mypy"))
    for word in (*how, *modules(root)):
        digest.update(f"{word}\0".encode())
    for path in sources(root):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(root)}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()[:16]


def obstacle(
    which: Callable[[str], str | None] = shutil.which,
    find: Callable[[str], object | None] = importlib.util.find_spec,
) -> str:
    """Why nothing can be compiled here, and what to do about it; empty if it can."""
    command = os.environ.get("CC") or sysconfig.get_config_var("CC") or "gcc"
    compiler = shlex.split(command)[0]
    if which(compiler) is None:
        return (
            f"Compiling needs a C compiler, and there is no {compiler!r} here: install it (Debian: "
            "`apt install gcc`), name another one in CC, or run the simulator interpreted."
        )
    absent = [name for name in ("mypyc", "setuptools") if find(name) is None]
    if absent:
        return f"Compiling needs {' and '.join(absent)}: `pip install -e '.[dev]'` installs them."
    return ""


def environment(build: Path, root: Path = ROOT) -> dict[str, str]:
    """The environment of a Python (`-P`) that imports p2pcdn from a build, all else from here."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (build, root)))}


# Building


def ready() -> Path:
    """Where the compiled copy is: built if it was not, and always compared."""
    build = ROOT / KEPT / fingerprint()
    if not build.is_dir():
        if problem := obstacle():
            raise SystemExit(problem)
        _build(build)
    _compare(build)
    return build


def _build(build: Path) -> None:
    names = modules()
    print(f"Compiling {len(names)} modules, which takes a minute or two ...", file=sys.stderr)
    build.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build.parent) as temporary:
        place = Path(temporary, "build")
        for source in sources():
            name = str(source.relative_to(ROOT))
            copy = place / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8")
            if name in names:
                text = copied(text, inherited=name in INHERITED)
            copy.write_text(text, encoding="utf-8")
        words = [sys.executable, "-c", SETUP, *names]
        done = subprocess.run(words, cwd=place, capture_output=True, text=True)
        if done.returncode:
            last = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
            raise SystemExit(f"{last}\nThe simulator could not be compiled, see above.")
        for left in ("build", ".mypy_cache"):
            shutil.rmtree(place / left, ignore_errors=True)
        place.replace(build)


def _compare(build: Path) -> None:
    """Refuse to go on with a build that does anything else than its sources."""
    plain, digest = _short(environment(ROOT))
    compiled, compiled_digest = _short(environment(build))
    if (plain, compiled) != ("True", "False"):
        raise SystemExit(f"What should be compiled in {build} is not imported from there.")
    if digest != compiled_digest:
        raise SystemExit(
            f"The same short scene is {digest} interpreted and {compiled_digest} compiled "
            f"({build}): figures of this build would be worth nothing."
        )


def _short(env: dict[str, str]) -> list[str]:
    words = [sys.executable, "-P", "-c", SHORT]
    done = subprocess.run(words, env=env, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"A short scene does not run with {env['PYTHONPATH']}, see above.")
    return done.stdout.split()


def main() -> int:
    """Run a module of Python with the compiled copy first on its path."""
    words = sys.argv[1:]
    if not words or words[0].startswith("-"):
        raise SystemExit("usage: python -m bench.compiled MODULE [ARGUMENT ...]")
    words = [sys.executable, "-P", "-m", *words]
    return subprocess.run(words, env=environment(ready())).returncode


if __name__ == "__main__":
    raise SystemExit(main())
