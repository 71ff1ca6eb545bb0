"""``python -m origin.synth``: make a presentation, or keep a live one going until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import click

from origin.synth import DEMO, TINY, LiveFeed, Rendition, SynthesisError, synthesise

directory_argument = click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
seconds_option = click.option("--seconds", default=60.0, show_default=True, help="Its length.")
tiny_option = click.option("--tiny", is_flag=True, help="A small picture, made in no time.")


@click.group(help=__doc__)
def main() -> None:
    """The two kinds are commands."""


@main.command()
@directory_argument
@seconds_option
@tiny_option
def vod(directory: Path, seconds: float, tiny: bool) -> None:
    """Make a presentation in DIRECTORY."""
    click.echo(_make(directory, seconds, tiny))


@main.command()
@directory_argument
@seconds_option
@tiny_option
def live(directory: Path, seconds: float, tiny: bool) -> None:
    """Keep a live presentation going in DIRECTORY."""
    source = _make(directory.with_name(f".{directory.name}.source"), seconds, tiny)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_feed(source, directory))


def _make(directory: Path, seconds: float, tiny: bool) -> Path:
    renditions: tuple[Rendition, ...] = TINY if tiny else DEMO
    try:
        return synthesise(directory, seconds=seconds, renditions=renditions)
    except SynthesisError as error:
        raise click.ClickException(str(error)) from None


async def _feed(source: Path, directory: Path) -> None:
    async with LiveFeed(source, directory) as feed:
        click.echo(feed.playlist)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
