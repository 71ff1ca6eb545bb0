"""What the commands that serve have in common: check, start, say where, wait, close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import msgspec

import p2pcdn
from p2pcdn.cli.showing import program
from p2pcdn.config import EVERYWHERE, Config, Content, is_url
from p2pcdn.errors import ConfigError, UnavailableError
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


def require(content: Content | None) -> None:
    """`UnavailableError` if there is no such place on this machine."""
    if content is not None and not is_url(content) and not Path(content).exists():
        raise UnavailableError(
            f"--content has to be a directory, a zip archive or a URL; there is none at {content}."
        )


def content_of(config: Config) -> str:
    """Where the media are, which has to be there; empty if all of them are elsewhere."""
    from origin.sources import added

    content = config.content
    mounts = (*config.mount, *added.read(config.data))
    if content is None and not mounts and not config.elsewhere:
        raise ConfigError(
            "Say what to serve: --content DIR, the directory of the media, a zip archive or a URL."
        )
    require(content)
    places = [] if content is None else [str(content)]
    places += [f"{mount.path}/: {mount.content}" for mount in mounts]
    return ", ".join(places)


def media(server: Server, config: Config, content: str) -> list[tuple[str, str]]:
    """Where media are served, and manifests of media that are elsewhere."""
    lines = [("Media", f"{server.url}/media/ from {content}")] if content else []
    prefixes = ", ".join(section.prefix for section in config.elsewhere)
    if prefixes:
        lines.append(("Manifests", f"{server.url}/manifest/ of media at {prefixes}"))
    return lines


def encoders(server: Server, config: Config) -> list[tuple[str, str]]:
    """Where encoders put live streams, if they may."""
    paths = ", ".join(f"{server.url}/ingest/{path}/" for path in config.ingest.paths)
    return [("Encoders", f"{paths} with a token: {program()} token ingest")] if paths else []


def public_url(server: Server, config: Config) -> str:
    """Where viewers reach it: by the first of `origin.urls`, or as this machine does."""
    return config.origin.urls[0].rstrip("/") if config.origin.urls else server.url


def snippet(server: Server, config: Config) -> str:
    """The tag that a page includes."""
    url = public_url(server, config)
    return f'<script defer src="{url}/p2pcdn.js" data-site="{config.site}"></script>'


def tags(server: Server, config: Config) -> list[tuple[str, str]]:
    """What a page may include."""
    lines = [("Snippet", snippet(server, config)), *pinned(server, config)]
    if not config.origin.urls and config.address.host in EVERYWHERE:
        lines.append(
            ("", "From elsewhere, this machine's name in place of localhost (set origin.urls).")
        )
    return lines


def pinned(server: Server, config: Config) -> list[tuple[str, str]]:
    """The same for a page that takes this version of the snippet and no other: its address says
    which it is, and the browser holds it to its hash (Subresource Integrity)."""
    from origin.snippet import facts

    found, url = facts(), public_url(server, config)
    if found is None:
        return []
    tag = (
        f'<script defer src="{url}/p2pcdn.{found.hash}.js" integrity="{found.sri}" '
        f'crossorigin data-site="{config.site}"></script>'
    )
    return [("Pinned", tag)]


def dashboard(server: Server, config: Config) -> str:
    """The link to the dashboard, with the token where one is needed."""
    return Admin(config).link(server.url)
