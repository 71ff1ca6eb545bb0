"""Generates what others read of the wire: JSON Schema for strangers, TypeScript for our browser.

::

    wire/{tracker,link,manifest}.py --> docs/schema/*.json                  (for everybody)
                                    --> peer/browser/src/wire/schema.ts     (types, and the checks
                                                                             of what a page decodes)

``python -m p2pcdn.wire.schema`` writes the files, ``--check`` only says whether they are fresh.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from p2pcdn.wire.link import LinkMessage
from p2pcdn.wire.manifest import PresentationManifest, RenditionManifest
from p2pcdn.wire.tracker import Beacon, FromTracker, ToTracker
from p2pcdn.wire.typescript import Schema, typescript

REPOSITORY = Path(__file__).parents[2]

UNIONS: Mapping[str, Any] = {
    "ToTracker": ToTracker,
    "Beacon": Beacon,
    "FromTracker": FromTracker,
    "LinkMessage": LinkMessage,
    "Manifest": PresentationManifest | RenditionManifest,
}
"""Each closed union, under the name that it has in both languages."""

FILES: Mapping[str, str] = {
    "ToTracker": "to-tracker",
    "Beacon": "beacon",
    "FromTracker": "from-tracker",
    "LinkMessage": "link",
    "Manifest": "manifest",
}

SENT = ("ToTracker", "Beacon")
"""What a browser only sends."""

DECODED = ("FromTracker", "LinkMessage", "Manifest")
"""What a browser decodes."""


def components(*names: str) -> dict[str, Schema]:
    """The definitions that these unions need, each union itself among them."""
    roots, defs = msgspec.json.schema_components([UNIONS[name] for name in names])
    for definition in defs.values():
        if "description" in definition:  # some versions of Python and msgspec leave it indented
            definition["description"] = inspect.cleandoc(definition["description"])
    return {**dict(zip(names, roots, strict=True)), **defs}


def files() -> dict[Path, str]:
    """Every generated file, and what should stand in it."""
    schemas = {
        REPOSITORY / "docs" / "schema" / f"{FILES[name]}.json": _json_schema(name)
        for name in UNIONS
    }
    source = typescript(sent=components(*SENT), decoded=components(*DECODED))
    return {**schemas, REPOSITORY / "peer" / "browser" / "src" / "wire" / "schema.ts": source}


def stale() -> list[Path]:
    """The generated files that are missing or no longer say what the types say."""
    return [
        path
        for path, text in files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def write() -> None:
    """Bring all generated files up to date."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _json_schema(name: str) -> str:
    defs = components(name)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
        **defs.pop(name),
        "$defs": defs,
    }
    return json.dumps(schema, indent=2) + "\n"


def main(arguments: list[str]) -> int:
    """The command line: 0, or 1 if ``--check`` finds something stale."""
    if arguments == ["--check"]:
        paths = [str(path.relative_to(REPOSITORY)) for path in stale()]
        if paths:
            print(f"stale: {', '.join(paths)}: run python -m p2pcdn.wire.schema", file=sys.stderr)
        return 1 if paths else 0
    if arguments:
        print("usage: python -m p2pcdn.wire.schema [--check]", file=sys.stderr)
        return 2
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
