"""The options that all servers share, and the configuration that comes of them."""

from __future__ import annotations

import functools
import math
import re
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
    "tracker.store": "URL",
    "tracker.url": "URL",
    "workers": "N",
}
"""Settings that have a flag of their own; `--set` reaches all others."""

NAMES = {"tracker.store": "store", "tracker.url": "public_url"}
"""What a flag is called that is not called as its setting."""


_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {f"{unit}i": 1024**power for power, unit in enumerate("KMGT", 1)}


def size(text: str) -> int:
    """Bytes, as `20GB`, `512MiB` or a plain number; the type of an option."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]i?)?B?", text, re.IGNORECASE)
    if match is None:
        raise click.BadParameter(f"A size is like 20GB, 512MiB or 1000000, not {text!r}.")
    return int(float(match[1]) * _UNITS[(match[2] or "").capitalize()])


class Number(click.FloatRange):
    """A number between two others; the type of an option."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            number = float(super().convert(value, param, ctx))
        except click.BadParameter:
            number = math.nan
        if math.isnan(number):
            self.fail(f"It takes a number from {self.min:g} to {self.max:g}, not {value!r}.")
        return number


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
            named = {flag: given.pop(NAMES.get(flag, flag)) for flag in flags}
            texts = settings.parse_assignments(assignments)
            texts |= {key: text for key, text in named.items() if text is not None}
            return function(settings=settings.load(flags=texts, file=config_file), **given)

        for option in reversed([*map(_flag, flags), *_common()]):
            call = option(call)
        return call

    return decorate


def joins_swarms(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags of what joins swarms: ``no_upload``, ``token``, ``token_url`` and
    ``keys``, for `cli.peer.configured`."""
    options = [
        click.option("--no-upload", is_flag=True, help="Only receive."),
        click.option("--token", metavar="TOKEN", help="A join token, where the site wants one."),
        click.option(
            "--token-url",
            metavar="URL",
            help="A back end that answers a join token, asked by POST.",
        ),
        click.option(
            "--key",
            "keys",
            metavar="THUMBPRINT",
            multiple=True,
            help="A key that has to sign the manifests, as `p2pcdn keys` prints it; any of "
            "several.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _flag(key: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    setting = settings.SETTINGS[key]
    name = NAMES.get(key, key)
    flag = f"--{name.replace('_', '-')}"
    return click.option(flag, name, metavar=FLAGS[key], help=setting.description)


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
