"""A real TURN server on loopback: coturn, where it is installed."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.servers import free_port

NEEDED = pytest.mark.skipif(
    shutil.which("turnserver") is None,
    reason="no coturn here: `apt-get install coturn` brings the TURN server that this needs",
)
SECRET = "north of the border"
OWN = (
    *("-n", "--no-cli", "--allow-loopback-peers", "--realm=p2pcdn"),
    *("--use-auth-secret", f"--static-auth-secret={SECRET}"),
)
"""Settings where no file has others."""


@dataclass
class Turn:
    """A running server."""

    port: int
    secret: Path
    log: list[str]

    @property
    def url(self) -> str:
        return f"turn:127.0.0.1:{self.port}?transport=udp"

    @property
    def settings(self) -> tuple[str, ...]:
        """What makes a tracker send its viewers here."""
        return (
            *("--set", f"tracker.turn={self.url}"),
            *("--set", f"tracker.turn_secret={self.secret}"),
        )


@contextlib.asynccontextmanager
async def coturn(folder: Path, file: Path | None = None) -> AsyncIterator[Turn]:
    """Run coturn, which relays between peers on this machine; with a file's settings, if one is
    given."""
    secret = folder / "secret"
    secret.write_text(SECRET)
    turn = Turn(free_port(), secret, [])
    process = await asyncio.create_subprocess_exec(
        "turnserver",
        *(OWN if file is None else ("-c", str(file))),
        *("--log-file=stdout", "--simple-log", "--verbose", "--no-tls", "--no-dtls"),
        *("--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={turn.port}"),
        f"--pidfile={folder / 'coturn.pid'}",
        f"--userdb={folder / 'turndb'}",
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    reader = asyncio.create_task(_read(process, turn.log))
    try:
        await _answers(process, turn)
        yield turn
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
        await reader


async def _read(process: asyncio.subprocess.Process, log: list[str]) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        log.append(line.decode(errors="replace").rstrip())


async def _answers(process: asyncio.subprocess.Process, turn: Turn) -> None:
    """Wait until it takes connections: it listens for TCP as well as UDP."""
    async with asyncio.timeout(30):
        while True:
            assert process.returncode is None, "\n".join(turn.log)
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", turn.port)
                writer.close()
                return
            await asyncio.sleep(0.05)
