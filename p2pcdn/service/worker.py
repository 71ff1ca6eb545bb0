"""What one of several processes on one port knows of itself and of the others.

A server with `workers` is started by a supervisor (`supervisor`), which tells each process in one
variable of its environment which it is. All of them listen on the same port (SO_REUSEPORT), and
reach each other by Unix sockets in a directory that nobody else may look into.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

VARIABLE = "_P2PCDN_WORKER"
"""Not one of ours that people set: those begin with a letter."""


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """Which of them this process is."""

    index: int = 0
    count: int = 1
    port: int = 0
    """Which all of them listen on."""
    directory: str = ""
    """Where their sockets are."""
    secret: bytes = b""
    """What all of them know, and nobody else. It is in no file: where there is room for one, files
    that nobody has read for days are taken away."""
    life: int = -1
    """A descriptor by which the supervisor hears that this process is ready, and this process
    that the supervisor is gone."""

    @property
    def is_alone(self) -> bool:
        return self.count == 1

    @property
    def is_first(self) -> bool:
        """The one that keeps the account of all."""
        return self.index == 0

    @property
    def name(self) -> str:
        return str(self.index)

    @property
    def names(self) -> list[str]:
        """Of all of them, this one included."""
        return [str(index) for index in range(self.count)]

    def path_of(self, name: str) -> Path:
        """The Unix socket of one of them, for what they have to say to each other."""
        return Path(self.directory) / f"{name}.sock"

    @property
    def inside(self) -> Path:
        """The Unix socket by which the first answers HTTP requests that came to others."""
        return Path(self.directory) / "http.sock"

    def ready(self) -> None:
        """Tell the supervisor that we serve, and stop as soon as it is gone."""
        if self.life < 0:
            return
        with contextlib.suppress(BrokenPipeError):  # it is gone; which is heard in a moment
            os.write(self.life, b".")
        asyncio.get_running_loop().add_reader(self.life, self._orphaned)

    def _orphaned(self) -> None:
        if not os.read(self.life, 64):
            asyncio.get_running_loop().remove_reader(self.life)
            os.kill(os.getpid(), signal.SIGTERM)


ALONE = Worker()
"""The only one."""


def this_worker(environ: Mapping[str, str] = os.environ) -> Worker | None:
    """Which worker this process was started as; None if nobody has started it as one."""
    said = environ.get(VARIABLE)
    return None if said is None else msgspec.json.decode(said, type=Worker)


def can_share_ports() -> bool:
    """Whether several processes may listen on one port here."""
    return hasattr(socket, "SO_REUSEPORT") and hasattr(socket, "AF_UNIX")
