"""Writes what docs/reference has of the code: ``python -m p2pcdn.cli.reference``, or ``--check``.

The pages say what `p2pcdn.config`, `p2pcdn.errors`, the commands and the metrics say of themselves,
so that no setting, error code, option or metric is without documentation.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
from prometheus_client import REGISTRY

from p2pcdn import errors, settings
from p2pcdn.cli import COMMANDS, app
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


COMMANDS_HEAD = """\
# Commands

<!-- Written by `python -m p2pcdn.cli.reference`; the texts are in p2pcdn/cli. -->

`--help` prints the same. What goes wrong is said in a sentence on standard error; the exit code is
2 where the command or its configuration is wrong, which no other attempt mends, and 1 where it
could not do what it was asked to, as when a port is taken or a directory is not there yet.
"""

METRICS_HEAD = """\
# Metrics

<!-- Written by `python -m p2pcdn.cli.reference`; the texts are where the metrics are made. -->

What `/metrics` has for Prometheus, beside what its client says of the process. No label names a
peer, a content or an address. The [Grafana board](../how-to/grafana.md) shows all of them.
"""


class Code(NamedTuple):
    """A code of an enum, and what it says of itself."""

    name: str
    meaning: str


def pages() -> dict[Path, str]:
    """Every page, as Markdown."""
    made = {
        "settings": settings_page,
        "errors": errors_page,
        "commands": commands_page,
        "metrics": metrics_page,
    }
    return {DIRECTORY / f"{name}.md": page() for name, page in made.items()}


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


def commands_page() -> str:
    """Every command, those within groups included, with its arguments and options."""
    context = click.Context(app, info_name="p2pcdn")
    parts = [COMMANDS_HEAD]
    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None
        parts += _command(command, f"p2pcdn {name}")
    return "\n".join(parts)


def _command(command: click.Command, path: str) -> Iterator[str]:
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    words = [path, *map(_argument, arguments), *(["[OPTIONS]"] if options else [])]
    help_ = inspect.cleandoc(command.help or "").replace("\b\n", "")
    yield f"## {path}\n\n`{' '.join(words)}`\n\n{help_}\n"
    if options:
        yield "| option | |\n|---|---|"
        yield from map(_option, options)
        yield ""
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            yield from _command(inner, f"{path} {name}")


def _argument(argument: click.Argument) -> str:
    name = (argument.metavar or argument.name or "").upper()
    name += "..." if argument.nargs == -1 and not name.endswith("...") else ""
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if option.metavar is not None:
        names += f" `{option.metavar}`"
    elif isinstance(option.type, click.Choice):
        names += f" `{' or '.join(map(str, option.type.choices))}`"
    elif not option.is_flag:
        names += f" `{option.type.name.upper()}`"
    text = " ".join((option.help or "").split()).replace("|", "\\|")
    if option.show_default and option.default is not None and not option.is_flag:
        text += f" Default: `{option.default}`."
    return f"| {names} | {text} |"


def metrics_page() -> str:
    """Every metric, by name."""
    from origin.http import meter
    from p2pcdn.service import probes
    from tracker import metrics

    collected = itertools.chain(
        metrics.LEDGER.collect(),
        probes.REQUESTS.collect(),
        meter.SENT.collect(),
        REGISTRY.collect(),
    )
    families = {family.name: family for family in collected if family.name.startswith("p2pcdn_")}
    rows = [
        f"| `{name}{'_total' if family.type == 'counter' else ''}` | {family.type} "
        f"| {family.documentation} |"
        for name, family in sorted(families.items())
    ]
    return "\n".join([METRICS_HEAD, "| metric | type | |", "|---|---|---|", *rows, ""])


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
