"""`p2pcdn list`: what an origin has."""

from __future__ import annotations

import dataclasses
import json

import click

from p2pcdn.cli.options import with_settings
from p2pcdn.cli.peer import size_text
from p2pcdn.cli.serving import require
from p2pcdn.cli.showing import length_text
from p2pcdn.settings import Settings

_HEAD = ("NAME", "KIND", "SIZE", "LENGTH", "WHERE")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each.")
@with_settings("content", "data")
def command(settings: Settings, as_json: bool) -> None:
    """Print what there is to be had: contents, mounts, and what else is served.

    A film was made by `p2pcdn add`; what is unfinished goes on when it is added again.
    """
    from origin.preparing.holdings import holdings

    require(settings.config.content)
    found = list(holdings(settings.config))
    if as_json:
        for holding in found:
            click.echo(json.dumps(dataclasses.asdict(holding)))
        return
    if not found:
        click.echo("There is nothing yet: `p2pcdn add movie.mp4 --content DIR` makes a content.")
        return
    rows = [_HEAD] + [
        (
            holding.name or "(top)",
            holding.kind,
            "" if holding.size is None else size_text(holding.size),
            "" if holding.seconds is None else length_text(holding.seconds),
            holding.where,
        )
        for holding in found
    ]
    widths = [max(len(row[n]) for row in rows) for n in range(4)]
    for name, kind, size, length, where in rows:
        click.echo(
            f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {size:>{widths[2]}}  {length:>{widths[3]}}"
            f"  {where}"
        )
