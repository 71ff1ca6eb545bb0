"""A real store on loopback: Debian's redis-server, or Valkey's, where one is installed."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.servers import free_port

PROGRAM = shutil.which("valkey-server") or shutil.which("redis-server")

NEEDED = pytest.mark.skipif(
    PROGRAM is None,
    reason="no store here: `apt-get install redis-server` brings one that this needs",
)


class Valkey:
    """A running server, which keeps nothing on disk."""

    def __init__(self, folder: Path, *options: str) -> None:
        assert PROGRAM is not None
        self.port = free_port()
        self._words = [
            *(PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--dir", str(folder), *options),
        ]
        self._start()

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.port}/3"

    def pause(self) -> None:
        """It takes connections, and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """It is gone for a moment, and forgets all."""
        self.close()
        self._start()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _start(self) -> None:
        self._process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL)
        for _ in range(400):
            assert self._process.poll() is None, "it did not start"
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("it does not answer")
