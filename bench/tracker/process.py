"""The measured servers, each a process of its own on a core of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]

Name = Literal["p2pcdn", "bittorrent-tracker"]

PYTHON = "BENCH_TRACKER_PYTHON"
"""A variable: which interpreter our server has, if it is not this one. It is given the same
packages, so it has to be of the same version."""


@dataclass(frozen=True)
class Server:
    """A server that runs: what it uses is read from the kernel (Linux)."""

    name: Name
    port: int
    process: int

    def cpu(self) -> float:
        """As `cpu_of`."""
        return cpu_of(self.process)

    def memory(self) -> int:
        """Bytes that are resident now."""
        pages = Path(f"/proc/{self.process}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def cpu_of(process: int) -> float:
    """Seconds of CPU so far of a process, of all its threads, in user and kernel mode."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(thread.read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9


def cores() -> tuple[int, int]:
    """One for the server and one for the load; the same twice where there is but one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


@contextmanager
def server(name: Name, port: int = 0) -> Iterator[Server]:
    """A server on the first core, until the block ends; then it is killed, and says nothing."""
    with tempfile.TemporaryDirectory() as directory:
        if name == "p2pcdn":
            port = port or free_port()
            command = [os.environ.get(PYTHON, sys.executable), "-m", "tracker"]
        else:
            node = shutil.which("node")
            if node is None:
                raise RuntimeError("bittorrent-tracker's server needs node.")
            command = [node, str(Path(__file__).with_name("server.mjs"))]
        # All limits stay as they are by default; sources are spread, so that nobody meets one.
        variables = {
            "P2PCDN_LISTEN": f"127.0.0.1:{port}",
            "P2PCDN_DATA": directory,
            "P2PCDN_TRACKER_STUN": "false",
            "P2PCDN_TRACKER_WEBTORRENT_ORIGINS": "*",
        }
        if PYTHON in os.environ:
            variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if name != "p2pcdn" else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            os.sched_setaffinity(process.pid, {cores()[0]})
            if process.stdout is not None:
                port = int(process.stdout.readline())
            wait_for(port)
            yield Server(name, port, process.pid)
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("The server does not start.")
