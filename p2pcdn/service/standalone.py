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
from p2pcdn.settings import Settings


def standalone(make: Callable[[Settings], Iterable[Service]]) -> int:
    """Run the services that ``make`` makes until a signal comes; the exit code."""
    logs.configure()
    try:
        found = settings.load()
        return run(Server.of(found.config, make(found)).serve_forever())
    except ConfigError as error:
        print(f"p2pcdn: {error}", file=sys.stderr)  # noqa: T201 - a sentence for a person
        return 2
