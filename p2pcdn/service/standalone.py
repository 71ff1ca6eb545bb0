"""A server by itself, as ``python -m origin`` and ``python -m tracker`` start it.

Configured by the environment and by the file that `P2PCDN_CONFIG` names, which is what an image or
a unit file wants; the command line adds flags.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from p2pcdn import logs, settings
from p2pcdn.errors import ConfigError
from p2pcdn.service.loop import run
from p2pcdn.service.server import Server, Service
from p2pcdn.service.supervisor import Supervisor
from p2pcdn.service.worker import ALONE, this_worker
from p2pcdn.settings import Settings


def standalone(make: Callable[[Settings], Iterable[Service]]) -> int:
    """Run the services that ``make`` makes until a signal comes; the exit code."""
    logs.configure()
    try:
        found = settings.load()
        config, worker = found.config, this_worker()
        if config.workers > 1 and worker is None:
            return run(Supervisor(*config.address, config.workers).run(), "asyncio")
        server = Server.of(config, make(found), worker or ALONE)
        return run(server.serve_forever((worker or ALONE).ready), hasty=worker is None)
    except ConfigError as error:
        print(f"p2pcdn: {error}", file=sys.stderr)  # noqa: T201 - a sentence for a person
        return error.exit_code
