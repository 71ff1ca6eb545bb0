"""Pins what the images are made of: ``make lock`` writes the lists in deploy/locks.

::

    pyproject.toml --> uv, once for each architecture --> one list, with the hashes of the wheels

``serve`` is what a server needs: without aiortc, which carries the links of native peers, and
PyAV, which brings the codecs. ``full`` is all, and ``build`` what makes the wheel. Each list is
complete, and has the wheels for the images' Python and Linux alone: pip takes nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "deploy" / "locks"

PYTHON = "3.11"
ARCHITECTURES = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")
EXTRAS = ("bucket", "clickhouse", "valkey")
"""What a server can be told to use: an image cannot be added to when it runs."""

LEFT_OUT = ("aiortc", "av")
"""What a server that only serves has no use for, of what is installed with every p2pcdn: native
peers need the one, whoever encodes the other."""

Pins = dict[str, set[str]]
"""The hashes of the wheels of each ``name==version``."""


def main() -> None:
    """Write all lists."""
    LOCKS.mkdir(exist_ok=True)
    for name, requirements in lists().items():
        pins: Pins = {}
        for architecture in ARCHITECTURES:
            merge(pins, tomllib.loads(resolve(requirements, architecture)))
        (LOCKS / f"{name}.txt").write_text(text_of(pins), encoding="utf-8")


def lists() -> dict[str, list[str]]:
    """What each list has to satisfy."""
    given = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = given["project"]
    extras = [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    full = project["dependencies"] + extras
    return {
        "build": given["build-system"]["requires"],
        "serve": [line for line in full if not line.startswith(LEFT_OUT)],
        "full": full,
    }


def resolve(requirements: list[str], architecture: str) -> str:
    """What uv would install there, in the format of PEP 751."""
    with tempfile.TemporaryDirectory() as folder:
        given, lock = Path(folder, "requirements.txt"), Path(folder, "pylock.toml")
        given.write_text("\n".join(requirements), encoding="utf-8")
        subprocess.run(
            [
                *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", str(given)),
                *("--python-version", PYTHON, "--python-platform", architecture),
                *("--only-binary", ":all:"),
                *("--format", "pylock.toml", "--output-file", str(lock)),
            ],
            check=True,
        )
        return lock.read_text(encoding="utf-8")


def merge(pins: Pins, lock: dict[str, Any]) -> None:
    """Add what a lock has to the pins."""
    for package in lock["packages"]:
        hashes = pins.setdefault(f"{package['name']}=={package['version']}", set())
        hashes |= {wheel["hashes"]["sha256"] for wheel in package["wheels"]}


def text_of(pins: Pins) -> str:
    """The pins as pip reads them."""
    lines = ["# Made by `make lock` from pyproject.toml."]
    for pin, hashes in sorted(pins.items()):
        lines.append(" \\\n".join([pin, *(f"    --hash=sha256:{one}" for one in sorted(hashes))]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
