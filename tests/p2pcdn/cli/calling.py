"""Calls the command line in this process, and commands that serve in one of their own."""

from __future__ import annotations

import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from p2pcdn.cli import execute


class Called(NamedTuple):
    """What came of a call."""

    code: int
    out: str
    err: str


def call(capsys: pytest.CaptureFixture[str], *words: str) -> Called:
    """Run a command to its end."""
    code = execute(list(words))
    return Called(code, *capsys.readouterr())


class Serving:
    """A command that serves, with what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: dict[str, str] = {}

    def read(self, last: str) -> str:
        """Read lines until the one with this label; what stands beside it."""
        assert self.process.stdout is not None
        while last not in self.lines:
            line = self.process.stdout.readline()
            assert line, "it ended"
            label, _, text = line.strip().partition("  ")
            self.lines[label] = text.strip()
        return self.lines[last]

    def stop(self) -> int:
        """Ask it to stop as an operator would; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=20)


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "p2pcdn", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background of a shell inherit that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def serving(*words: str) -> Iterator[Serving]:
    """A command that serves on a free port of this machine."""
    with running(*words, "--listen", "127.0.0.1:0") as process:
        yield Serving(process)


@contextmanager
def stalling(url: str, most: int) -> Iterator[str]:
    """A server by another URL, from where about ``most`` bytes come and then no more."""
    over, passed = threading.Event(), 0
    server = urlsplit(url)

    def let(count: int) -> None:
        nonlocal passed
        passed += count
        if passed > most:
            over.wait()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((server.hostname, server.port)) as there:
                words = (self.request, there, lambda _: None)
                threading.Thread(target=_pass, args=words, daemon=True).start()
                _pass(there, self.request, let)

    class Between(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Between(("127.0.0.1", 0), Handler) as between:
        threading.Thread(target=between.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{between.server_address[1]}"
        finally:
            over.set()
            between.shutdown()


def _pass(source: socket.socket, target: socket.socket, let: Callable[[int], None]) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            let(len(data))
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def wait_until_some_has_come(process: subprocess.Popen[str], store: Path) -> None:
    """Wait for three chunks of a segment in a store that a process is about to fill."""
    while True:
        for path in store.glob("*/??/*"):
            with suppress(FileNotFoundError):
                if path.stat().st_size > 200_000:
                    return
        assert process.poll() is None, "it ended"
        time.sleep(0.02)
