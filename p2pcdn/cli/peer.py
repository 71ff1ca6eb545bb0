"""`p2pcdn peer`: a native peer that joins, keeps and seeds contents."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from p2pcdn.cli.options import joins_swarms, size, with_settings
from p2pcdn.cli.showing import counted
from p2pcdn.config import Config
from p2pcdn.errors import ConfigError
from p2pcdn.settings import Settings

if TYPE_CHECKING:
    from peer.native.disk.disk import Disk
    from peer.native.edge import Part
    from peer.native.runner import NativePeer

REDRAWN_EVERY = 0.5
"""Seconds between two looks at the figures, for a person who watches."""
TOLD_EVERY = 2.0
"""The same where lines are printed, and only if something has changed."""

ENDS_WITHIN = 5.0
"""Seconds that a process has to say goodbye to its peers."""

Show = Callable[["NativePeer"], Awaitable[None]]
"""Shows how far a peer has got, until it is cancelled or the peer fails."""


@click.command()
@click.argument("urls", metavar="URL...", nargs=-1)
@click.option(
    "--follow",
    metavar="SITE",
    multiple=True,
    help="Hold all contents of a site, as they come and go: an origin that lists them "
    "(origin.list_contents), or the URL of a list.",
)
@click.option("--tracker", metavar="URL", help="The tracker, if it is not beside the origin.")
@click.option(
    "--store",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep what comes on disk, for the next time, too.",
)
@click.option(
    "--max-size", metavar="SIZE", type=size, help="Most that the store takes, such as 20GB."
)
@click.option(
    "--gateway",
    metavar="HOST:PORT",
    help="Let players and paired pages on this machine read through this peer; 127.0.0.1:0 takes a "
    "port that is free.",
)
@click.option(
    "--upload-rate", metavar="SIZE", type=size, help="Most that is sent a second, such as 5MB."
)
@click.option(
    "--daily-budget", metavar="SIZE", type=size, help="Most that is sent a day, such as 200GB."
)
@click.option(
    "--hours", metavar="FROM-TO", multiple=True, help="When something is sent, as 22:00-6:30."
)
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(1, 256),
    help="Share the contents out to N processes, and store, rate and budgets as well.",
)
@click.option(
    "--part",
    metavar="I/N",
    help="Hold only this part of the contents, as several machines may share them out. Sizes, "
    "rates and budgets are this machine's own.",
)
@click.option("--process", metavar="I/N", hidden=True, help="Be one of the --processes.")
@click.option(
    "--advertise",
    metavar="ADDRESS",
    multiple=True,
    help="An address by which other peers reach this one, where the tracker sees another.",
)
@joins_swarms
@with_settings()
def command(
    settings: Settings,
    urls: tuple[str, ...],
    tracker: str | None,
    part: str | None,
    process: str | None,
    **given: Any,
) -> int:
    """Join the swarm of the content at each URL, keep all of it, and seed it.

    A URL is that of a playlist or a file, such as https://HOST/media/show/master.m3u8. What peers
    hold is taken from them, the rest from the origin. With a gateway there need be no URL. Ends
    with Ctrl-C.
    """
    from p2pcdn.service import run
    from peer.native.disk.disk import StoreError
    from peer.native.runner import PeerError

    ours = _part(process or part or "1/1")
    config = configured(settings.config, **given)
    if not (urls or config.peer.follow or config.peer.gateway):
        raise click.UsageError(
            "Say what to keep: a URL, or several; or --follow a site; or --gateway 127.0.0.1:0."
        )
    if config.peer.follow and config.peer.store is None:
        raise click.UsageError("A site is kept on disk: --follow needs --store DIR.")
    if config.peer.gateway and (part or config.peer.follow or config.peer.processes > 1):
        raise click.UsageError("A gateway is one process, and follows no site.")
    if config.peer.gateway and (config.peer.hours or config.peer.daily_budget is not None):
        raise click.UsageError(
            "With a gateway, hours and a daily budget do not count; peer.upload_rate and "
            "peer.upload_budget do."
        )
    if part is not None and config.peer.processes > 1:
        raise click.UsageError(
            "Contents are shared out to machines (--part) or to processes (--processes), not to "
            "both: give --part with --processes 1."
        )
    if process is None and config.peer.processes > 1:
        return run(_in_processes(config.peer.processes), "asyncio")
    if process is not None:
        config = ours.of(config)
    try:
        return run(_hold(urls, config, tracker, ours, bars=process is None))
    except (PeerError, StoreError) as error:
        raise click.ClickException(str(error)) from error


def configured(config: Config, *, no_upload: bool = False, **given: Any) -> Config:
    """The configuration with the flags of a peer that were given, by the names of its settings."""
    changes = {name: value for name, value in given.items() if value not in (None, ())}
    if no_upload:
        changes["upload"] = False
    peer = msgspec.structs.replace(config.peer, **changes)
    return msgspec.structs.replace(config, peer=peer)


async def _hold(
    urls: Sequence[str], config: Config, tracker: str | None, part: Part, *, bars: bool
) -> None:
    """Hold every content until cancelled, or until one of them can't be held."""
    from peer.native.edge import Edge

    if config.peer.gateway is not None:
        await _serve(urls, config, tracker)
        return
    async with _bars() if bars and sys.stdout.isatty() else _lines() as show:
        await Edge(urls, config=config, tracker=tracker, show=show, part=part).run()


async def _serve(urls: Sequence[str], config: Config, tracker: str | None) -> None:
    """Run a gateway, with these contents to begin with."""
    from peer.native.gateway import Gateway

    async with _disk(config) as disk, Gateway(config, tracker, disk) as gateway:
        # Plain lines: these are to be copied.
        click.echo(f"Gateway  {gateway.url}")
        try:
            code = f"{gateway.new_code()}, for a page to be paired in the next five minutes"
        except ConfigError as error:
            code = str(error)
        click.echo(f"Code     {code}")
        for url in dict.fromkeys(urls):
            entry = await gateway.contents.add(url, keep=True)
            if entry.failure is not None:
                click.echo(entry.failure, err=True)
            click.echo(f"Play     {gateway.media(entry)}")
        told: dict[str, str] = {}
        while True:
            for entry in gateway.contents.all:
                state = figures(entry.peer) if entry.peer else entry.failure
                line = f"{entry.address.path}: {state}"
                if told.get(entry.id) != line:
                    told[entry.id] = line
                    click.echo(line)
            await asyncio.sleep(TOLD_EVERY)


@contextlib.asynccontextmanager
async def _disk(config: Config) -> AsyncIterator[Disk | None]:
    """The store that all contents have together, if one is configured."""
    from peer.native.disk.disk import Disk

    if config.peer.store is None:
        yield None
        return
    disk = Disk(config.peer.store, config.peer.max_size)
    try:
        yield disk
    finally:
        disk.close()


async def _in_processes(count: int) -> int:
    """This same command in so many processes, until all have ended: when one does, all do, and its
    exit code is that of all."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "p2pcdn", *sys.argv[1:], "--process", f"{number}/{count}"
        )
        for number in range(1, count + 1)
    ]
    ends = {asyncio.create_task(process.wait()) for process in processes}
    try:
        first, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await asyncio.gather(*map(_end, processes))
    return max(abs(end.result()) for end in first)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask a process to end, and end it if it does not."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(ENDS_WITHIN):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _part(text: str) -> Part:
    """``2/4`` as one of the parts."""
    from peer.native.edge import Part

    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise click.BadParameter(f"A part is like 2/4, the second of four, not {text!r}.")
    return Part(int(index) - 1, int(count))


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
        async with asyncio.timeout(most):
            await peer.until(lambda: peer.is_complete() and not complete)


def figures(peer: NativePeer) -> str:
    """How far a peer has got, in a line."""
    got, stats = peer.progress, peer.stats
    far = f"{got.kept} of {got.wanted} segments" if got.wanted else "looking what there is"
    return (
        f"{'complete' if peer.is_complete() else far}: "
        f"{size_text(stats.origin_bytes)} by the origin, {size_text(stats.peer_bytes)} by peers; "
        f"{size_text(stats.uploaded_bytes)} shared, {counted(stats.links, 'link')}"
    )


def size_text(count: float) -> str:
    """Bytes for a person to read."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
