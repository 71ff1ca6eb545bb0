"""`p2pcdn doctor`: why do peers not connect?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

import click

from p2pcdn.cli.options import with_settings
from p2pcdn.cli.showing import counted
from p2pcdn.config import Config
from p2pcdn.settings import Settings

if TYPE_CHECKING:
    from p2pcdn.doctor import Finding

PATIENCE = 10.0
"""Seconds for an answer."""
_MARKS = {"good": ("ok", "green"), "doubt": ("note", "yellow"), "wrong": ("wrong", "red")}


@click.command()
@click.argument("url", required=False)
@click.option("--page", metavar="URL", help="A page that embeds the snippet, to look at as well.")
@click.option(
    "--json", "as_json", is_flag=True, help="A JSON object for each finding, a line each."
)
@with_settings("listen", "site")
def command(settings: Settings, url: str | None, page: str | None, as_json: bool) -> int:
    """Look at the site whose end point is at URL as a viewer's browser would, and say what keeps
    peers from connecting; without a URL, at the server of this machine at --listen.

    From a viewer's place it says most: networks and proxies in between are seen, too. The exit
    code is 1 if something is wrong.
    """
    from p2pcdn.doctor.site import parse

    config = settings.config
    site = parse(url or config.address.url(tls=config.tls.cert is not None))
    findings = asyncio.run(_examine(config, site, parse(page) if page else None, as_json))
    if not as_json:
        click.echo(_summary(findings))
    return int(any(finding.verdict.value == "wrong" for finding in findings))


async def _examine(
    config: Config, site: SplitResult, page: SplitResult | None, as_json: bool
) -> list[Finding]:
    from p2pcdn.doctor.examination import examine

    findings = []
    async for finding in examine(config, site, page, PATIENCE):
        findings.append(finding)
        click.echo(_line(finding) if as_json else _paragraph(finding))
    return findings


def _line(finding: Finding) -> str:
    return json.dumps(finding._asdict() | {"verdict": finding.verdict.value})


def _paragraph(finding: Finding) -> str:
    mark, colour = _MARKS[finding.verdict.value]
    text = f"{click.style(f'{mark:>5}', fg=colour)}  {finding.sentence}"
    return f"{text}\n       {finding.advice}" if finding.advice else text


def _summary(findings: Iterable[Finding]) -> str:
    count = sum(finding.verdict.value == "wrong" for finding in findings)
    if not count:
        return "Nothing here keeps peers from connecting."
    return f"{counted(count, 'thing')} to mend, the first one first."
