"""Calls the command line in this process, and commands that serve in one of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

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
def serving(*words: str) -> Iterator[Serving]:
    """A command that serves on a free port of this machine."""
    command = [sys.executable, "-m", "p2pcdn", *words, "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background of a shell inherit that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield Serving(process)
        finally:
            process.kill()
