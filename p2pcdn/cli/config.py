"""`p2pcdn config`: what can be set, and what is."""

from __future__ import annotations

import click

from p2pcdn import settings
from p2pcdn.cli.options import with_settings
from p2pcdn.settings import Settings


@click.command()
@click.option("--default", is_flag=True, help="Print a commented TOML file.")
@click.option("--show", is_flag=True, help="Print what is in force, and from where.")
@with_settings("listen", "content", "data", "site")
def command(settings: Settings, default: bool, show: bool) -> None:
    """Print every setting: its default and meaning, or its value and where that comes from.

    Instead of secrets, such as tracker.admin_token, there are stars; of files with secrets there
    are the names.
    """
    if default == show:
        raise click.UsageError("Say either --default or --show.")
    click.echo(default_file() if default else in_force(settings), nl=False)


def default_file() -> str:
    """A TOML file with every setting at its default, each with its description."""
    return settings.default_file()


def in_force(found: Settings) -> str:
    """The values of all settings as TOML, each that is not a default with its source; stars instead
    of secrets."""
    lines: list[str] = []
    section = ""
    keys = [*settings.SETTINGS]
    for site in found.config.sites:
        keys += [f"sites.{site}.{name}" for name in settings.SITE_SETTINGS]
    for key in keys:
        table, _, name = key.rpartition(".")
        if table != section:
            site = table.removeprefix("sites.")
            lines += ["", f"[{table}]" if site == table else settings.table_of(site)]
            section = table
        value = settings.value_of(found.config, key)
        source = found.sources.get(key)
        text = settings.text_of(found.config, key)
        line = f"# {name} is not set" if value is None else f"{name} = {text}"
        lines.append(f"{line}  # {source}" if source else line)
    return "\n".join(lines) + "\n"
