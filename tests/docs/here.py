"""This machine in place of the reader's: where blocks are run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from origin.app import Origin
from p2pcdn import settings
from p2pcdn.core.ledger import Ledger
from p2pcdn.service import Server
from tests.docs.blocks import ROOT, Block, script
from tests.e2e.servers import Command, free_port, ready, run
from tracker.app import Tracker

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
        try:
            out, _ = await asyncio.wait_for(process.communicate(), 60)
        except TimeoutError:
            process.kill()
            raise
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


FIRST = "/media/show/low/0.ts"
"""A segment of the show that is served."""


def needs(*programs: str) -> pytest.MarkDecorator:
    """Programs of others, which `tests/prepare.py` installs where it may."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"there is no {' and no '.join(missing)} here")


async def fetched(url: str, headers: dict[str, str] | None = None) -> bytes:
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
        answer.raise_for_status()
        return await answer.read()


async def starts(here: Here, text: str, path: str = "/readyz?verbose") -> bytes:
    """A server starts with this file; what it answers, which is that it is ready unless something
    else is asked."""
    file = here.folder / "p2pcdn.toml"
    file.write_text(here.local(text), encoding="utf-8")
    flags = {"data": str(here.folder / "data"), "listen": "127.0.0.1:0"}
    if "content" not in tomllib.loads(text):
        flags["content"] = here.names["/srv/videos"]
    config = settings.load(file=file, flags=flags, environ={}).config
    ledger = Ledger()
    async with Server.of(config, [Origin(config, ledger), Tracker(config, ledger)]) as server:
        return await fetched(f"http://127.0.0.1:{server.port}{path}")
