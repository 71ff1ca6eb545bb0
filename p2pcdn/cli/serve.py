"""`p2pcdn serve`: origin, tracker and dashboard on one port, in one process or several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from p2pcdn.cli.options import with_settings
from p2pcdn.errors import ConfigError
from p2pcdn.settings import Settings

if TYPE_CHECKING:
    from p2pcdn.service import Service
    from p2pcdn.service.worker import Worker


@click.command()
@with_settings("listen", "content", "data", "site", "workers", "tracker.store", "tracker.url")
def command(settings: Settings) -> int:
    """Serve the media of a directory, a zip archive or a URL, and match its viewers.

    One script tag, which is printed, gives a page with hls.js its peers.
    """
    from origin.app import Origin
    from p2pcdn.cli import serving
    from p2pcdn.core.ledger import Ledger
    from tracker.app import Tracker
    from tracker.storage import storage_of

    config = settings.config
    content = serving.content_of(config)
    if config.site not in config.served_sites:
        raise ConfigError(
            f"The tracker would not serve the site of the media, {config.site}: name it by --site, "
            f"or give it a table, [sites.{config.site}]."
        )

    def services(worker: Worker) -> list[Service]:
        ledger = Ledger()
        tracker = Tracker(config, ledger, settings, storage_of(config), worker)
        origin = Origin(config, tracker.account, pass_on=tracker.publish, worker=worker)
        tracker.find_paths_by(origin.path_of)
        return [origin, tracker]

    return serving.share(
        config,
        services,
        lambda server: [
            *serving.media(server, config, content),
            *serving.encoders(server, config),
            ("Dashboard", serving.dashboard(server, config)),
            *serving.tags(server, config),
        ],
    )
