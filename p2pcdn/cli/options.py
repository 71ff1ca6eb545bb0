"""The options that all servers share, and the configuration that comes of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from p2pcdn import logs, settings

FLAGS = {
    "listen": "HOST:PORT",
    "content": "DIR",
    "data": "DIR",
    "site": "ID",
}
"""Settings that have a flag of their own; `--set` reaches all others."""


def with_settings(*flags: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command ``--config``, ``--set``, ``--log-level`` and these flags of `FLAGS`.

    The function gets what comes of them as ``settings``.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(
            config_file: Path | None, assignments: tuple[str, ...], log_level: str, **given: Any
        ) -> Any:
            logs.configure(log_level)
            named = {flag: given.pop(flag) for flag in flags}
            texts = settings.parse_assignments(assignments)
            texts |= {key: text for key, text in named.items() if text is not None}
            return function(settings=settings.load(flags=texts, file=config_file), **given)

        for option in reversed([*map(_flag, flags), *_common()]):
            call = option(call)
        return call

    return decorate


def _flag(key: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    setting = settings.SETTINGS[key]
    return click.option(f"--{key}", metavar=FLAGS[key], help=setting.description)


def _common() -> list[Callable[[Callable[..., Any]], Callable[..., Any]]]:
    return [
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="KEY=VALUE",
            help="Any setting, as in `p2pcdn config --default`. Can be given several times.",
        ),
        click.option(
            "--config",
            "config_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help=f"TOML file with settings (or {settings.FILE_VARIABLE}).",
        ),
        click.option(
            "--log-level",
            type=click.Choice(logs.LEVELS),
            default="info",
            show_default=True,
            help="The least that is logged.",
        ),
    ]
