"""`p2pcdn healthcheck`: is the server of this machine ready? For containers and scripts."""

from __future__ import annotations

import http.client
import ssl

import click

from p2pcdn.cli.options import with_settings
from p2pcdn.config import Config
from p2pcdn.settings import Settings

TIMEOUT = 3.0
"""Seconds: a server that needs longer to say that it is ready is not."""


@click.command()
@with_settings("listen")
def command(settings: Settings) -> int:
    """Ask the server at --listen whether it is ready: exit code 0, or 1 and why."""
    try:
        status, text = ask(settings.config)
    except (OSError, http.client.HTTPException) as error:
        from p2pcdn.failures import why  # it loads aiohttp, which who is well can do without

        click.echo(f"p2pcdn: nothing answers at {settings.config.listen}: {why(error)}.", err=True)
        return 1
    if status != 200:
        said = " ".join(text.split()) or (
            f"{settings.config.listen} answers {status}, and does not say why."
        )
        click.echo(f"p2pcdn: not ready: {said}", err=True)
        return 1
    click.echo("ready")
    return 0


def ask(config: Config) -> tuple[int, str]:
    """The status and the text of the server's `/readyz?verbose`; without a text if it has none of
    ours."""
    host, port = config.address.here, config.address.port
    connection: http.client.HTTPConnection
    if config.tls.cert is None:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    else:
        # The certificate names the public host, not this machine; and it is our own server.
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
    try:
        connection.request("GET", "/readyz?verbose")
        answer = connection.getresponse()
        ours = answer.getheader("Content-Type", "").startswith("text/plain")
        return answer.status, answer.read(65_536).decode(errors="replace") if ours else ""
    finally:
        connection.close()
