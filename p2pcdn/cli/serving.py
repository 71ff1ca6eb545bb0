"""What the commands that serve have in common: check, start, say where, wait, close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import click

import p2pcdn
from p2pcdn.config import Config
from p2pcdn.errors import ConfigError
from p2pcdn.service import Server, Service, run, settle
from p2pcdn.service.admin import Admin


def serve(
    config: Config, services: Iterable[Service], describe: Callable[[Server], list[tuple[str, str]]]
) -> int:
    """Serve until a signal comes; ``describe`` gives the lines that a person wants to see."""
    return run(_serve(Server.of(config, services), describe))


async def _serve(server: Server, describe: Callable[[Server], list[tuple[str, str]]]) -> None:
    async with server:
        lines = [(f"p2pcdn {p2pcdn.__version__}", server.url), *describe(server)]
        width = max(len(label) for label, _ in lines)
        for label, text in lines:
            click.echo(f"{label:<{width}}  {text}")
        settle()
        await asyncio.get_running_loop().create_future()


def content_of(config: Config) -> Path:
    """The directory of the media, which has to be there."""
    if config.content is None:
        raise ConfigError("Say what to serve: --content DIR, the directory of the media.")
    if not config.content.is_dir():
        raise ConfigError(f"--content has to be a directory; {config.content} is none.")
    return config.content


def snippet(server: Server, config: Config) -> str:
    """The tag that a page includes."""
    return f'<script defer src="{server.url}/p2pcdn.js" data-site="{config.site}"></script>'


def dashboard(server: Server, config: Config) -> str:
    """The link to the dashboard, with the token where one is needed."""
    return Admin(config).link(server.url)
