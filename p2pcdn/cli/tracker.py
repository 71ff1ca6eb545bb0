"""`p2pcdn tracker`: the server that matches peers, on its own."""

from __future__ import annotations

import click

from p2pcdn.cli.options import with_settings
from p2pcdn.settings import Settings


@click.command()
@with_settings("listen", "data", "site", "workers", "tracker.store", "tracker.url")
def command(settings: Settings) -> int:
    """Match peers, relay their signalling, show the dashboard.

    Origins run elsewhere; their pages name this tracker in the snippet's data-tracker.
    """
    from p2pcdn.cli import serving
    from p2pcdn.core.ledger import Ledger
    from tracker.app import Tracker
    from tracker.storage import storage_of

    config = settings.config
    return serving.share(
        config,
        lambda worker: [Tracker(config, Ledger(), settings, storage_of(config), worker)],
        lambda server: [
            ("Tracker", f"{server.url.replace('http', 'ws', 1)}/tracker/v1"),
            ("Dashboard", serving.dashboard(server, config)),
        ],
    )
