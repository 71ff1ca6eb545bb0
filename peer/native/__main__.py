"""The native peer alone: ``python -m peer.native URL [KEY=VALUE ...]``."""

from __future__ import annotations

import sys

from p2pcdn import logs
from p2pcdn.config import Config
from p2pcdn.errors import ConfigError
from p2pcdn.service import run
from p2pcdn.settings import load, parse_assignments
from peer.native.runner import NativePeer, PeerError


async def hold(url: str, config: Config) -> None:
    """Keep and seed the content until cancelled."""
    async with NativePeer(url, config=config) as peer:
        await peer.until(lambda: False)


def main(arguments: list[str]) -> int:
    """Run until a signal; the process's exit code."""
    logs.configure()
    if not arguments:
        print("Say what to keep: python -m peer.native URL", file=sys.stderr)
        return 2
    try:
        config = load(flags=parse_assignments(arguments[1:])).config
        return run(hold(arguments[0], config))
    except (ConfigError, PeerError) as error:
        print(error, file=sys.stderr)
        return error.exit_code if isinstance(error, ConfigError) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
