"""Writes what docs/reference has of the code: ``python -m p2pcdn.cli.reference``, or ``--check``.

The pages say what `p2pcdn.config` and `p2pcdn.errors` say, so that no setting and no error code is
without documentation.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from p2pcdn import errors, settings
from p2pcdn.config import SiteConfig
from p2pcdn.errors import ErrorCode, SourceReason
from p2pcdn.settings import Setting

DIRECTORY = Path(__file__).parents[2] / "docs" / "reference"

SETTINGS_HEAD = """\
# Settings

<!-- Written by `python -m p2pcdn.cli.reference`; the texts are in p2pcdn/config.py. -->

Each can be set in four ways, of which the first that is used counts:

1. a flag: `--set tracker.links=8`; `--listen`, `--content`, `--data` and `--site` have their own;
2. a variable of the environment: `P2PCDN_TRACKER_LINKS=8`; lists are separated by commas;
3. a TOML file, named by `--config FILE` or by the variable `P2PCDN_CONFIG`: `links = 8` in the
   table `[tracker]`;
4. the default.

What is said of a site, such as `sites.pk_demo.enabled`, can be set by flag and by file, in the
table `[sites.pk_demo]`.

`p2pcdn config --default` prints a TOML file with all of them, and `p2pcdn config --show` what is in
force, and from where: stars for what is a secret itself (`tracker.admin_token`, `peer.token`) or
may carry one (`ledger.clickhouse`, `tracker.store`), the name for a file with one.
Times are seconds and sizes bytes.
"""

ERRORS_HEAD = """\
# Errors

<!-- Written by `python -m p2pcdn.cli.reference`; the texts are in p2pcdn/errors.py. -->

They have the same name on the wire, in metrics and in logs.
"""


class Code(NamedTuple):
    """A code of an enum, and what it says of itself."""

    name: str
    meaning: str


def pages() -> dict[Path, str]:
    """Every page, as Markdown."""
    return {DIRECTORY / "settings.md": settings_page(), DIRECTORY / "errors.md": errors_page()}


def stale() -> list[Path]:
    """The pages that are missing or no longer say what the code says."""
    return [
        path
        for path, text in pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def settings_page() -> str:
    """Every setting, by section."""
    sections: dict[str, list[Setting]] = {}
    for setting in settings.SETTINGS.values():
        sections.setdefault(setting.key.rpartition(".")[0], []).append(setting)
    parts = [SETTINGS_HEAD]
    for table, members in sections.items():
        parts.append(f"## {table or 'The process'}\n")
        if table:
            parts.append(f"{inspect.getdoc(settings.section_of(table))}\n")
        parts += ["| setting | default | |", "|---|---|---|", *map(_row, members), ""]
    parts += ["## sites.NAME\n", f"{inspect.getdoc(SiteConfig)} NAME is the site's id.\n"]
    site = settings.SITE_SETTINGS.values()
    parts += ["| setting | default | |", "|---|---|---|", *map(_row, site), ""]
    return "\n".join(parts)


def _row(setting: Setting) -> str:
    default = "" if setting.default is None else f"`{settings.toml_value(setting.default)}`"
    return f"| `{setting.key}` | {default} | {setting.description} |"


def errors_page() -> str:
    """Every code, by enum."""
    parts = [ERRORS_HEAD]
    for enum in (ErrorCode, SourceReason):
        parts += [f"## {enum.__name__}\n", f"{inspect.getdoc(enum)}\n", "| code | |", "|---|---|"]
        parts += [f"| `{code.name}` | {code.meaning} |" for code in codes(enum.__name__)]
        parts.append("")
    return "\n".join(parts)


def codes(enum: str) -> Iterator[Code]:
    """The codes of an enum of `p2pcdn.errors`, each with the text below it in the source."""
    tree = ast.parse(inspect.getsource(errors))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == enum)
    for member, text in itertools.pairwise(found.body):
        match member, text:
            case (
                ast.Assign(value=ast.Constant(value=str(name))),
                ast.Expr(value=ast.Constant(value=str(meaning))),
            ):
                yield Code(name, " ".join(meaning.split()))


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` say whether they are as they should be."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m p2pcdn.cli.reference [--check]", file=sys.stderr)
        return 2
    if arguments:
        for path in stale():
            print(f"stale: {path}: run python -m p2pcdn.cli.reference", file=sys.stderr)
        return 1 if stale() else 0
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
