"""This machine in place of the reader's: where blocks are run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from tests.docs.blocks import ROOT, Block, script
from tests.e2e.servers import Command, free_port, ready, run

PROLOGUE = f"""
set -eu
p2pcdn() {{ command {shlex.quote(sys.executable)} -m p2pcdn "$@"; }}
pip() {{ [ "$1" = install ]; }}  # it is installed
mpv() {{ command mpv --no-config --vo=null --ao=null --no-terminal --frames=5 "$@"; }}
ffmpeg() {{ command ffmpeg -nostdin -loglevel error "$@"; }}
"""
"""What a person has and these tests have in another way; and players without a screen."""


class Here:
    """A folder, and what the reader's names are called in it."""

    def __init__(self, folder: Path, names: Mapping[str, str], **variables: str) -> None:
        self.folder = folder
        self.names = dict(names)
        self.variables = {"P2PCDN_DATA": str(folder / "data"), **variables}

    def local(self, text: str, **more: str) -> str:
        """A text with the names of this machine, the longest first."""
        names = {**self.names, **more}
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(name, names[name])
        return text

    def file(self, block: Block, name: str = "p2pcdn.toml") -> Path:
        """The block as a file."""
        path = self.folder / name
        path.write_text(self.local(block.text), encoding="utf-8")
        return path

    async def type(self, text: str, code: int = 0) -> str:
        """Run this in a shell to its end; what it prints."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", PROLOGUE + self.local(text)),
            cwd=self.folder,
            env=self._environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == code, out.decode()
        return out.decode()

    @contextlib.asynccontextmanager
    async def served(self, text: str, *, probe: bool = True) -> AsyncIterator[Command]:
        """Run this in a shell, whose last line serves until it is told to stop."""
        where = f"127.0.0.1:{free_port()}"
        text = self.local(text, **{"--listen :8080": f"--listen {where}"})
        *before, last = text.strip().splitlines()
        assert last.startswith("p2pcdn ")
        last = f"exec {shlex.quote(sys.executable)} -m {last}"
        words = ("bash", "-c", "\n".join([PROLOGUE, *before, last]))
        listen = {"P2PCDN_LISTEN": where} if probe else {}
        async with run(*words, cwd=self.folder, env={**self._environment(), **listen}) as running:
            running.url = f"http://{where}"
            if probe:
                await ready(running)
            yield running

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        return {**os.environ, "PYTHONPATH": path, **self.variables}


def typed(block: Block, line: int | None = None) -> str:
    """What is typed of a block, or a line of it."""
    text = script(block)
    return text if line is None else text.replace("\\\n", " ").splitlines()[line]
