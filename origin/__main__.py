"""The origin alone: ``python -m origin content=DIR [KEY=VALUE ...]``."""

from __future__ import annotations

import sys

from origin.app import Origin
from p2pcdn import logs
from p2pcdn.core.ledger import Ledger
from p2pcdn.errors import ConfigError
from p2pcdn.service import Server, run
from p2pcdn.settings import load, parse_assignments


def main(assignments: list[str]) -> int:
    """Serve until a signal; the process's exit code."""
    logs.configure()
    try:
        config = load(flags=parse_assignments(assignments)).config
        server = Server.of(config, [Origin(config, Ledger())])
        return run(server.serve_forever())
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
