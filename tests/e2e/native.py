"""A native peer that says what it holds, to the byte: ``python -m tests.e2e.native URL``.

On SIGUSR1 it says so once more and is killed in the same moment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from p2pcdn.core.reporter import Reporter
from peer.native.runner import NativePeer


class Telling:
    """What a peer holds, has sent, and what of both it has reported."""

    def __init__(self, peer: NativePeer) -> None:
        self._peer = peer
        self._reported = (0, 0)

    @property
    def _held(self) -> tuple[int, int]:
        stats = self._peer.stats
        return stats.origin_bytes + stats.peer_bytes, stats.uploaded_bytes

    def reported(self) -> None:
        self._reported = self._held
        if any(self._reported):
            sys.stdout.write("reported\n")

    def tell(self) -> None:
        held = " ".join(map(str, (*self._held, *self._reported)))
        sys.stdout.write(f"held {held} {self._peer.is_complete()}\n")
        sys.stdout.flush()

    def tell_and_die(self) -> None:
        self.tell()
        os.kill(os.getpid(), signal.SIGKILL)


def note_reports(telling: Telling) -> None:
    """Tell it whenever the peer has reported."""
    report = Reporter._report

    def noting(self: Reporter) -> None:
        report(self)
        telling.reported()

    Reporter._report = noting  # type: ignore[method-assign]


async def main(url: str) -> None:
    async with NativePeer(url) as peer:
        telling = Telling(peer)
        note_reports(telling)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, telling.tell_and_die)
        while True:
            telling.tell()
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
