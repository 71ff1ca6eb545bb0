"""What the commands that serve have in common: check, start, say where, wait, close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import msgspec

import p2pcdn
from p2pcdn.config import Config, is_url
from p2pcdn.errors import ConfigError
from p2pcdn.service import Server, Service, run, settle
from p2pcdn.service.admin import Admin
from p2pcdn.service.supervisor import Supervisor
from p2pcdn.service.worker import ALONE, Worker, this_worker

Describe = Callable[[Server], list[tuple[str, str]]]
"""Gives the lines that a person wants to see."""


def serve(config: Config, services: Iterable[Service], describe: Describe) -> int:
    """Serve until a signal comes."""
    return run(_serve(Server.of(config, services), describe))


def share(
    config: Config,
    services: Callable[[Worker], Iterable[Service]],
    describe: Describe,
) -> int:
    """The same in as many workers as the configuration says; ``services`` makes those of one."""
    worker = this_worker()
    if worker is not None:
        server = Server.of(config, services(worker), worker)
        return run(server.serve_forever(worker.ready), hasty=False)
    if config.workers == 1:
        return serve(config, services(ALONE), describe)
    supervisor = Supervisor(*config.address, config.workers)

    def tell() -> None:
        listen = f"{config.listen.rpartition(':')[0]}:{supervisor.port}"
        _tell(Server.of(msgspec.structs.replace(config, listen=listen), []), describe)

    return run(supervisor.run(tell), "asyncio")


async def _serve(server: Server, describe: Describe) -> None:
    async with server:
        _tell(server, describe)
        settle()
        await asyncio.get_running_loop().create_future()


def _tell(server: Server, describe: Describe) -> None:
    lines = [(f"p2pcdn {p2pcdn.__version__}", server.url), *describe(server)]
    width = max(len(label) for label, _ in lines)
    for label, text in lines:
        click.echo(f"{label:<{width}}  {text}")


def content_of(config: Config) -> str:
    """Where the media are, which has to be there."""
    from origin.sources import added

    content = config.content
    mounts = (*config.mount, *added.read(config.data))
    if content is None and not mounts and not config.elsewhere:
        raise ConfigError(
            "Say what to serve: --content DIR, the directory of the media, a zip archive or a URL."
        )
    if content is not None and not is_url(content) and not Path(content).exists():
        raise ConfigError(
            f"--content has to be a directory, a zip archive or a URL; there is none at {content}."
        )
    places = [] if content is None else [str(content)]
    places += [f"{mount.path}/: {mount.content}" for mount in mounts]
    return ", ".join([*places, *(f"{section.prefix} (manifests)" for section in config.elsewhere)])


def encoders(server: Server, config: Config) -> list[tuple[str, str]]:
    """Where encoders put live streams, if they may."""
    paths = ", ".join(f"{server.url}/ingest/{path}/" for path in config.ingest.paths)
    return [("Encoders", f"{paths} with a token: p2pcdn token ingest")] if paths else []


def snippet(server: Server, config: Config) -> str:
    """The tag that a page includes."""
    return f'<script defer src="{server.url}/p2pcdn.js" data-site="{config.site}"></script>'


def pinned(server: Server, config: Config) -> list[tuple[str, str]]:
    """The same for a page that takes this version of the snippet and no other: its address says
    which it is, and the browser holds it to its hash (Subresource Integrity)."""
    from origin.snippet import facts

    found = facts()
    if found is None:
        return []
    tag = (
        f'<script defer src="{server.url}/p2pcdn.{found.hash}.js" integrity="{found.sri}" '
        f'crossorigin data-site="{config.site}"></script>'
    )
    return [("Pinned", tag)]


def dashboard(server: Server, config: Config) -> str:
    """The link to the dashboard, with the token where one is needed."""
    return Admin(config).link(server.url)
