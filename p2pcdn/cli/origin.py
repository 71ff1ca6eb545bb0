"""`p2pcdn origin`: the HTTP server for media, manifests and the snippet, on its own."""

from __future__ import annotations

import click

from p2pcdn.cli.options import with_settings
from p2pcdn.settings import Settings


@click.command()
@with_settings("listen", "content", "data", "site", "workers")
def command(settings: Settings) -> int:
    """Serve the media of a directory, a zip archive or a URL, its manifests and the snippet.

    The tracker runs elsewhere; pages name it in the snippet's data-tracker.
    """
    from origin.app import Origin
    from p2pcdn.cli import serving
    from p2pcdn.core.ledger import Ledger
    from p2pcdn.service.telling import Telling

    config = settings.config
    content = serving.content_of(config)
    return serving.share(
        config,
        lambda worker: [Origin(config, Ledger()), Telling(worker)],
        lambda server: [
            *serving.media(server, config, content),
            *serving.encoders(server, config),
            *serving.tags(server, config),
        ],
    )
