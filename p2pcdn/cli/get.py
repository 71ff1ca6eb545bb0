"""`p2pcdn get`: a file or a whole film, from peers and the origin together."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click

from p2pcdn import logs
from p2pcdn.cli.options import joins_swarms, with_settings
from p2pcdn.cli.peer import configured, size_text
from p2pcdn.cli.showing import counted
from p2pcdn.config import Config
from p2pcdn.settings import Settings

if TYPE_CHECKING:
    from peer.native.download import Download

REDRAWN_EVERY = 0.25
"""Seconds between two looks at the figures, for a person who watches."""
TOLD_EVERY = 2.0
"""The same where lines are printed."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


@click.command()
@click.argument("url")
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Where to save it: a file, or for a playlist a folder; in a folder that is there, by the "
    "URL's name. Unless given, by that name here.",
)
@click.option("--json", "as_json", is_flag=True, help="Say how it goes as lines of JSON.")
@click.option("--tracker", metavar="URL", help="The tracker, if it is not beside the origin.")
@joins_swarms
@with_settings()
def command(
    settings: Settings,
    url: str,
    output: Path | None,
    as_json: bool,
    tracker: str | None,
    **given: Any,
) -> int:
    """Save the content at URL: a file as a file, a playlist with all it names as a folder.

    What peers hold is taken from them, the rest from the origin, and all of it is verified. It is
    shared meanwhile. What has come is kept beside the output until all is there: after Ctrl-C,
    or whatever else, the same command goes on where it was.

    \b
    Exit codes: 0    it is saved
                1    it cannot be
                2    the command is wrong
                130  Ctrl-C
    """
    from p2pcdn.service import run
    from peer.native.disk.disk import StoreError
    from peer.native.download import DownloadError
    from peer.native.runner import PeerError

    context = click.get_current_context()
    if context.get_parameter_source("log_level") is click.core.ParameterSource.DEFAULT:
        logs.configure("error")
    config = configured(settings.config, **given)
    target = output or Path(name_of(url))
    if output is not None and output.is_dir():
        target = output / name_of(url)
    try:
        return run(_get(url, target, config, tracker, as_json))
    except (PeerError, StoreError, DownloadError) as error:
        raise click.ClickException(str(error)) from error


def name_of(url: str) -> str:
    """What a content is called where nobody says: the file's name, or of a playlist the folder's,
    since most playlists are called the same."""
    try:
        path = urlsplit(url).path
    except ValueError:
        path = ""  # what is no URL has no name
    parts = [unquote(part) for part in path.split("/") if part]
    name = parts[-1] if parts else ""
    if name.endswith((".m3u8", ".m3u")):
        name = parts[-2] if len(parts) > 2 else name.rpartition(".")[0]
    name = re.sub(r"[/\\:\0]", "_", name)
    return "content" if name in ("", ".", "..") else name


async def _get(url: str, target: Path, config: Config, tracker: str | None, as_json: bool) -> int:
    from peer.native.download import Download

    began = time.monotonic()
    download = Download(url, target, config=config, tracker=tracker)
    try:
        async with download:
            async with _shown(download, as_json):
                await download.fetch()
            size = await download.save()
            told = {
                **figures(download),
                "event": "saved",
                "path": str(target),
                "bytes": size,
                "seconds": round(time.monotonic() - began, 3),
            }
    except asyncio.CancelledError:
        click.echo(
            f"p2pcdn: stopped. What has come is in {download.parts}: the same command goes on.",
            err=True,
        )
        return INTERRUPTED
    click.echo(json.dumps(told) if as_json else f"{target}: {size_text(size)}, {_sources(told)}")
    return 0


def figures(download: Download) -> dict[str, Any]:
    """How far it has got."""
    stats = download.peer.stats
    moved = stats.origin_bytes + stats.peer_bytes
    return {
        "event": "progress",
        "share": round(download.share, 4),
        "origin_bytes": stats.origin_bytes,
        "peer_bytes": stats.peer_bytes,
        "kept_bytes": download.kept,
        "uploaded_bytes": stats.uploaded_bytes,
        "links": stats.links,
        "saved": round(stats.peer_bytes / moved, 4) if moved else 0.0,
    }


def _sources(told: dict[str, Any]) -> str:
    """Where it came from, in words."""
    kept = told["kept_bytes"]
    return (
        f"{size_text(told['origin_bytes'])} by the origin, {size_text(told['peer_bytes'])} by peers"
        f" ({told['saved']:.0%} saved)" + (f", {size_text(kept)} from before" if kept else "")
    )


@contextlib.asynccontextmanager
async def _shown(download: Download, as_json: bool) -> AsyncIterator[None]:
    """Shows how it goes: a bar to a person, lines elsewhere."""
    if as_json:
        async with _regularly(lambda: click.echo(json.dumps(figures(download))), TOLD_EVERY):
            yield
    elif not sys.stdout.isatty():

        def tell() -> None:
            told = figures(download)
            click.echo(f"{told['share']:.0%}: {_sources(told)}, {counted(told['links'], 'link')}")

        async with _regularly(tell, TOLD_EVERY):
            yield
    else:
        async with _bar(download):
            yield


@contextlib.asynccontextmanager
async def _bar(download: Download) -> AsyncIterator[None]:
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        BarColumn(bar_width=24),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[sources]}"),
    )
    with Progress(*columns) as progress:
        bar = progress.add_task("", total=None, sources="")

        def draw() -> None:
            told = figures(download)
            progress.update(
                bar,
                completed=download.peer.store.size,
                total=download.peer.expected_size or None,
                sources=f"{_sources(told)}, {counted(told['links'], 'link')}",
            )

        async with _regularly(draw, REDRAWN_EVERY):
            yield
        draw()


@contextlib.asynccontextmanager
async def _regularly(tell: Callable[[], None], pause: float) -> AsyncIterator[None]:
    async def go_on() -> None:
        while True:
            await asyncio.sleep(pause)
            tell()

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
