"""A Python that has aiolibdatachannel: this one, or one of its own in `.venv-fast`.

That library needs Python 3.12. Where the tests run on an older one, `python -m tests.prepare` makes
an environment for it from a newer Python that is installed beside it, if there is one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from peer.native.transport import libdatachannel

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".venv-fast"
WHY_NOT = "no Python 3.12 with aiolibdatachannel: `python -m tests.prepare` makes one if it can"

_PYTEST = ("hypothesis", "pytest", "pytest-asyncio", "pytest-timeout")
_NAMES = ("python3.12", "python3.13", "python3.14")


def find() -> str | None:
    """The interpreter, if there is one."""
    if libdatachannel.is_there():
        return sys.executable
    made = PLACE / "bin" / "python"
    return str(made) if (PLACE / ".made").is_file() else None


def make() -> bool:
    """Make `.venv-fast` if it is needed and can be made; whether there is an interpreter now."""
    wanted = _wanted()
    if libdatachannel.is_there():
        return True
    if find() is not None and (PLACE / ".made").read_text() == "\n".join(wanted):
        return True
    newer = newer_python()
    if newer is None:
        return False
    shutil.rmtree(PLACE, ignore_errors=True)
    pip = [str(PLACE / "bin" / "python"), *["-m", "pip", "install", "--quiet", "--prefer-binary"]]
    pip.append("--disable-pip-version-check")
    for words in ([newer, "-m", "venv", str(PLACE)], [*pip, *wanted]):
        if subprocess.run(words, check=False).returncode:
            return False
    (PLACE / ".made").write_text("\n".join(wanted))
    return True


def newer_python() -> str | None:
    """A Python of 3.12 or later: on the PATH, or of pyenv, whose shims find only the chosen one."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [shutil.which(name) for name in _NAMES]
    candidates += [str(path) for name in _NAMES for path in sorted(pyenv.glob(f"*/bin/{name}"))]
    for candidate in candidates:
        if (
            candidate
            and not subprocess.run(
                [candidate, "-c", "import venv"], check=False, capture_output=True
            ).returncode
        ):
            return candidate
    return None


def _wanted() -> list[str]:
    """What p2pcdn needs, without p2pcdn, which is taken from the checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    fast = project["optional-dependencies"]["fast"]
    return [*project["dependencies"], *fast, *_PYTEST]
