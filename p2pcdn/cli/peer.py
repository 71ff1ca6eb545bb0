"""`p2pcdn peer`: a native peer that joins, keeps and seeds contents."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from p2pcdn.cli.options import with_settings
from p2pcdn.config import Config
from p2pcdn.settings import Settings

if TYPE_CHECKING:
    from peer.native.runner import NativePeer

REDRAWN_EVERY = 0.5
"""Seconds between two looks at the figures, for a person who watches."""
TOLD_EVERY = 2.0
"""The same where lines are printed, and only if something has changed."""

Show = Callable[["NativePeer"], Awaitable[None]]
"""Shows how far a peer has got, until it is cancelled or the peer fails."""


@click.command()
@click.argument("urls", metavar="URL...", nargs=-1, required=True)
@click.option("--tracker", metavar="URL", help="The tracker, if it is not beside the origin.")
@click.option("--no-upload", is_flag=True, help="Only receive.")
@click.option(
    "--advertise",
    metavar="ADDRESS",
    multiple=True,
    help="An address by which other peers reach this one, where the tracker sees another.",
)
@click.option("--token", metavar="TOKEN", help="A join token, where the site wants one.")
@click.option(
    "--token-url", metavar="URL", help="A back end that answers a join token, asked by POST."
)
@click.option(
    "--key",
    "keys",
    metavar="THUMBPRINT",
    multiple=True,
    help="A key that has to sign the manifests, as `p2pcdn keys` prints it; any of several.",
)
@with_settings()
def command(
    settings: Settings,
    urls: tuple[str, ...],
    tracker: str | None,
    no_upload: bool,
    advertise: tuple[str, ...],
    token: str | None,
    token_url: str | None,
    keys: tuple[str, ...],
) -> int:
    """Join the swarm of the content at each URL, keep all of it, and seed it.

    A URL is that of a playlist or a file, such as https://HOST/media/show/master.m3u8. What peers
    hold is taken from them, the rest from the origin. Ends with Ctrl-C.
    """
    from p2pcdn.service import run
    from peer.native.runner import PeerError

    config = _configured(settings.config, no_upload, advertise, token, token_url, keys)
    try:
        return run(_hold(urls, config, tracker))
    except PeerError as error:
        raise click.ClickException(str(error)) from error


def _configured(
    config: Config,
    no_upload: bool,
    advertise: Sequence[str],
    token: str | None,
    token_url: str | None,
    keys: Sequence[str],
) -> Config:
    peer = config.peer
    if token is not None:
        peer = msgspec.structs.replace(peer, token=token)
    if token_url is not None:
        peer = msgspec.structs.replace(peer, token_url=token_url)
    if no_upload:
        peer = msgspec.structs.replace(peer, upload=False)
    if advertise:
        peer = msgspec.structs.replace(peer, advertise=tuple(advertise))
    if keys:
        peer = msgspec.structs.replace(peer, keys=tuple(keys))
    return msgspec.structs.replace(config, peer=peer)


async def _hold(urls: Sequence[str], config: Config, tracker: str | None) -> None:
    """Hold every content until cancelled, or until one of them can't be held."""
    from peer.native.runner import NativePeer

    async def hold(url: str, show: Show) -> None:
        async with NativePeer(url, config=config, tracker=tracker) as peer:
            await show(peer)

    try:
        async with (
            _bars() if sys.stdout.isatty() else _lines() as show,
            asyncio.TaskGroup() as all_,
        ):
            for url in dict.fromkeys(urls):
                all_.create_task(hold(url, show))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


@contextlib.asynccontextmanager
async def _bars() -> AsyncIterator[Show]:
    from rich.progress import BarColumn, Progress, TextColumn

    logger = logging.getLogger("p2pcdn.peer")
    logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))  # the bars say the rest
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns) as progress:

        async def show(peer: NativePeer) -> None:
            bar = progress.add_task(peer.address.path, figures="", total=None)
            while True:
                got = peer.progress
                progress.update(
                    bar, completed=got.kept, total=got.wanted or None, figures=figures(peer)
                )
                await _changed(peer, REDRAWN_EVERY)

        yield show


@contextlib.asynccontextmanager
async def _lines() -> AsyncIterator[Show]:
    async def show(peer: NativePeer) -> None:
        told = ""
        while True:
            line = f"{peer.address.path}: {figures(peer)}"
            if line != told:
                told = line
                click.echo(line)
            await _changed(peer, TOLD_EVERY)

    yield show


async def _changed(peer: NativePeer, most: float) -> None:
    """Wait for some seconds, or less if the peer becomes complete; raises what ends the peer."""
    complete = peer.is_complete()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(peer.until(lambda: peer.is_complete() and not complete), most)


def figures(peer: NativePeer) -> str:
    """How far a peer has got, in a line."""
    got, stats = peer.progress, peer.stats
    links = f"{stats.links} link" + ("" if stats.links == 1 else "s")
    return (
        f"{'complete' if peer.is_complete() else f'{got.kept} of {got.wanted}'}: "
        f"{_size(stats.origin_bytes)} by the origin, {_size(stats.peer_bytes)} by peers; "
        f"{_size(stats.uploaded_bytes)} shared, {links}"
    )


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
