"""A native peer that says what it holds, to the byte: ``python -m tests.e2e.native URL``."""

from __future__ import annotations

import asyncio
import sys
import time

from peer.native.runner import NativePeer


async def main(url: str) -> None:
    async with NativePeer(url) as peer:
        while True:
            stats, at = peer.stats, time.monotonic()
            held = stats.origin_bytes + stats.peer_bytes
            sys.stdout.write(f"held {at} {held} {stats.uploaded_bytes} {peer.is_complete()}\n")
            sys.stdout.flush()
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
