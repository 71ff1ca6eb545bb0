"""A native peer that takes a film and compares it: ``python -m tests.e2e.take URL FOLDER NAME``.

For a Python in which the tests themselves do not run. Prints what it found as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import cast

from p2pcdn.config import Config, PeerConfig
from peer.native.runner import NativePeer
from peer.native.transport.choice import Choice

STORE_BYTES = 4 * 1024 * 1024
"""Eight segments are enough to be compared."""


async def take(url: str, folder: Path, transport: Choice) -> dict[str, object]:
    """Hold what fits, and compare it with the files."""
    config = Config(peer=PeerConfig(store_bytes=STORE_BYTES, transport=transport))
    async with NativePeer(url, config=config) as peer:
        await peer.complete()
        same = [
            peer.store.assemble(segment) == (folder / str(peer.uri(segment))).read_bytes()
            for segment in peer.store.segments()
        ]
        return {
            "same": same,
            "peerBytes": peer.stats.peer_bytes,
            "rejectedChunks": peer.stats.rejected_chunks,
        }


if __name__ == "__main__":
    found = asyncio.run(take(sys.argv[1], Path(sys.argv[2]), cast(Choice, sys.argv[3])))
    sys.stdout.write(json.dumps(found) + "\n")
