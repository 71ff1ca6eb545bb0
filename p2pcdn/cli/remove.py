"""`p2pcdn remove`: takes out what `p2pcdn add` has put in."""

from __future__ import annotations

import sys

import click

from p2pcdn.cli.options import with_settings
from p2pcdn.settings import Settings


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_settings("content", "data")
def command(settings: Settings, name: str, yes: bool) -> int:
    """Take out the content or the mount that is called NAME in `p2pcdn list`.

    A film's files are deleted, those that were made and no others. What is mounted stays where it
    is, and is served no more.
    """
    from origin.preparing import holdings
    from origin.preparing.facts import MediaError

    config = settings.config
    found = [h for h in holdings.holdings(config) if h.name == name and h.removable]
    if found and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody is there to be asked; say --yes if you mean it.")
        what = found[0]
        gone = what.kind in ("film", "unfinished")
        question = f"Delete {what.where}?" if gone else f"Serve {what.where} no more?"
        if not click.confirm(question):
            return 1
    try:
        click.echo(holdings.remove(config, name))
    except MediaError as error:
        raise click.ClickException(str(error)) from error
    return 0
