"""Writes docs/reference/settings.md: ``python -m p2pcdn.cli.reference``, or ``--check`` it.

The page says what `p2pcdn.config` says, so that no setting is without documentation.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import get_type_hints

from p2pcdn import settings
from p2pcdn.config import Config
from p2pcdn.settings import Setting

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"

HEAD = """\
# Settings

<!-- Written by `python -m p2pcdn.cli.reference`; the texts are in p2pcdn/config.py. -->

Each can be set in four ways, of which the first that is used counts:

1. a flag: `--set tracker.links=8`; `--listen`, `--content`, `--data` and `--site` have their own;
2. a variable of the environment: `P2PCDN_TRACKER_LINKS=8`; lists are separated by commas;
3. a TOML file, named by `--config FILE` or by the variable `P2PCDN_CONFIG`: `links = 8` in the
   table `[tracker]`;
4. the default.

`p2pcdn config --default` prints a TOML file with all of them, and `p2pcdn config --show` what is in
force, and from where.
Times are seconds and sizes bytes.
"""


def page() -> str:
    """The whole page, as Markdown."""
    sections: dict[str, list[Setting]] = {}
    for setting in settings.SETTINGS.values():
        sections.setdefault(setting.key.rpartition(".")[0], []).append(setting)
    hints = get_type_hints(Config)
    parts = [HEAD]
    for table, members in sections.items():
        parts.append(f"## {table or 'The process'}\n")
        if table:
            parts.append(f"{inspect.getdoc(hints[table])}\n")
        parts += ["| setting | default | |", "|---|---|---|", *map(_row, members), ""]
    return "\n".join(parts)


def _row(setting: Setting) -> str:
    default = "" if setting.default is None else f"`{settings.toml_value(setting.default)}`"
    return f"| `{setting.key}` | {default} | {setting.description} |"


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` say whether it is as it should be."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m p2pcdn.cli.reference [--check]", file=sys.stderr)
        return 2
    if not arguments:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page():
        print(f"stale: {PAGE}: run python -m p2pcdn.cli.reference", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
