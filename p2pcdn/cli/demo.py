"""`p2pcdn demo`: everything at once, to look at.

::

    a video is made (once)  -->  origin, tracker, dashboard and demo page on one port
                                 a live channel cut from the video
                                 a native peer that holds and seeds the video
                                 (not with --no-peer: one runs elsewhere)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import click
import msgspec

import p2pcdn
from p2pcdn import logs
from p2pcdn.cli.options import with_settings
from p2pcdn.cli.showing import program
from p2pcdn.config import Config
from p2pcdn.errors import ConfigError, P2pcdnError
from p2pcdn.service import Server, Service
from p2pcdn.settings import Settings

SECONDS = 60
"""Length of the video: some 10 s of work for two cores, the first time."""

REPORT_EVERY = 2.0
"""Peers report more often than elsewhere, so that the figures follow at once."""

SITE = "pk_demo"
"""What the demo page's tag says."""


@click.command()
@click.option(
    "--seconds",
    type=click.IntRange(2, 3600),
    metavar="N",
    default=SECONDS,
    show_default=True,
    help="Length of the video.",
)
@click.option(
    "--peer/--no-peer",
    "with_peer",
    default=True,
    show_default=True,
    help="A native peer in this process seeds the video.",
)
@click.option("--keep", is_flag=True, help="Go on with the figures of last time.")
@with_settings("listen", "data")
def command(settings: Settings, seconds: int, with_peer: bool, keep: bool) -> int:
    """Show what p2pcdn does, with a video of its own.

    Open the demo page in two windows, and the dashboard beside them. Nothing is downloaded, and
    nothing leaves this machine. Ctrl-C ends it.
    """
    from p2pcdn.service import run

    _hush()
    config = _configured(settings)
    _require_bundle()
    _require_port(config)
    video = _make_video(config, seconds)
    return run(_run(config, video, with_peer=with_peer, keep=keep))


def _hush() -> None:
    """What is printed is enough for a person, unless they asked for the log; that whoever comes may
    join is printed, too."""
    context = click.get_current_context()
    source = context.get_parameter_source("log_level")
    if source is click.core.ParameterSource.DEFAULT:
        logs.configure("error")
    logging.captureWarnings(capture=True)


def _configured(settings: Settings) -> Config:
    config = settings.config
    tracker = config.tracker
    if "tracker.report_every" not in settings.sources:
        tracker = msgspec.structs.replace(tracker, report_every=REPORT_EVERY)
    content = config.data / "demo"
    return msgspec.structs.replace(config, content=content, site=SITE, tracker=tracker)


# What is missing is found out before the video is made, not after.


def _require_bundle() -> None:
    from origin import demo

    if not demo.is_built():
        raise click.ClickException(demo.NOT_BUILT)


def _require_port(config: Config) -> None:
    from p2pcdn.service.server import bind

    for listening in bind(*config.address):
        listening.close()


def _make_video(config: Config, seconds: int) -> Path:
    """The multivariant playlist of the video; it is made if it is not there."""
    from origin.synth import SynthesisError, synthesise

    directory = _content(config) / "demo"
    try:
        with _progress("Making the video (only this time)") as progress:
            return synthesise(directory, seconds=seconds, progress=progress)
    except SynthesisError as error:
        raise click.ClickException(str(error)) from error


def _content(config: Config) -> Path:
    if config.content is None:
        raise ConfigError("The demo has no directory for its media.")
    return Path(config.content)


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[float], None]]:
    """Shows a share that grows: a bar on a terminal, a line each quarter elsewhere."""
    if not sys.stdout.isatty():
        yield _quarters(what)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task(what, total=1.0, visible=False)
        yield lambda share: bar.update(task, completed=share, visible=True)


def _quarters(what: str) -> Callable[[float], None]:
    told = -1

    def tell(share: float) -> None:
        nonlocal told
        quarter = int(share * 4)
        if quarter > told:
            told = quarter
            click.echo(f"{what}: {quarter * 25} %")

    return tell


async def _run(config: Config, video: Path, *, with_peer: bool, keep: bool) -> None:
    from origin.synth import LiveFeed
    from p2pcdn.service.admin import Admin

    server = Server.of(config, _services(config, keep=keep))
    live = _content(config) / "live"
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(LiveFeed(video, live))
        await stack.enter_async_context(server)
        if with_peer:
            url = f"{server.url}/media/demo/{video.name}"
            await stack.enter_async_context(_seeding(url, config))
        dashboard = Admin(config).link(server.url)
        click.echo(_welcome(server.url, dashboard, _content(config), with_peer=with_peer))
        await asyncio.get_running_loop().create_future()


def _services(config: Config, *, keep: bool) -> list[Service]:
    from origin.app import Origin
    from origin.demo import Demo
    from p2pcdn.core.ledger import Ledger
    from tracker.app import Tracker
    from tracker.storage import storage_of

    ledger = Ledger()
    tracker = Tracker(config, ledger, storage=storage_of(config) if keep else None)
    origin = Origin(config, ledger, pass_on=tracker.publish)
    tracker.find_paths_by(origin.path_of)
    return [Demo(origin), origin, tracker]  # its page is at /, which else leads to the dashboard


@contextlib.asynccontextmanager
async def _seeding(url: str, config: Config) -> AsyncIterator[None]:
    """A native peer is at work meanwhile; should it fail, the demo goes on without it."""
    task = asyncio.create_task(_seed(url, config), name="native peer")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _seed(url: str, config: Config) -> None:
    from peer.native.runner import NativePeer

    try:
        async with NativePeer(url, config=config) as peer:
            await peer.complete()
            click.echo("The native peer holds all of the video now.")
            await peer.until(lambda: False)
    except P2pcdnError as error:
        click.echo(f"The native peer has stopped; windows still have each other. {error}", err=True)


def _welcome(url: str, dashboard: str, content: Path, *, with_peer: bool) -> str:
    seeder = "A native peer in this process seeds the video as well. " if with_peer else ""
    where = f"--content {shlex.quote(str(content))} --data {shlex.quote(str(content.parent))}"
    return f"""
p2pcdn {p2pcdn.__version__}

  Demo       {url}/demo/
  Dashboard  {dashboard}

What to try
  1. Open the demo in two windows: each says what it gets from the other.
  2. Look at the dashboard: its figures move within two seconds.
  3. Press "Cut the origin" on the demo page: windows that have links play on.
  4. Watch {url}/demo/?live, which never ends.
  5. Add a film: {program()} add movie.mp4 {where}
     and watch {url}/demo/?film=movie.

{seeder}The demo runs open: whoever reaches it may
watch and share. Ctrl-C ends it.
"""
