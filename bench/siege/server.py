"""The server under siege: all of p2pcdn on one port, and once more behind TLS on another."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from bench.siege.attacks import Target
from origin.app import Origin
from p2pcdn.config import Config, OriginConfig, Tls, TrackerConfig
from p2pcdn.core.ledger import Ledger
from p2pcdn.service import Server, settle
from tests.certificates import make_certificate
from tracker.app import Tracker

SMALL, LARGE = 524_288, 16_777_216
"""Bytes of the two files: one for the honest, and one that fits into no buffer."""


class Besieged(NamedTuple):
    """The two servers."""

    plain: Server
    tls: Server

    @property
    def url(self) -> str:
        return self.plain.url

    @property
    def target(self) -> Target:
        return Target(self.plain.port, self.tls.port, "/media/large.ts")


@asynccontextmanager
async def besieged(
    directory: Path, origin: OriginConfig, tracker: TrackerConfig
) -> AsyncIterator[Besieged]:
    """Serve from this directory, with these limits."""
    media = directory / "media"
    media.mkdir()
    (media / "small.ts").write_bytes(bytes(SMALL))
    (media / "large.ts").write_bytes(bytes(LARGE))
    cert, key = make_certificate(directory)
    servers = []
    for name, tls in (("plain", Tls()), ("tls", Tls(cert=cert, key=key))):
        config = Config(
            listen="127.0.0.1:0",
            content=media,
            data=directory / name,
            tls=tls,
            origin=origin,
            tracker=tracker,
        )
        ledger = Ledger()
        servers.append(Server.of(config, [Origin(config, ledger), Tracker(config, ledger)]))
    async with servers[0] as plain, servers[1] as tls_server:
        yield Besieged(plain, tls_server)


async def serve(directory: Path, stall: float) -> None:
    """The measured process: prints its ports, and serves until its input ends."""
    # What a deaf client may hold by default, two minutes, is longer than anybody wants to wait.
    async with besieged(
        directory, OriginConfig(stall_timeout=stall), TrackerConfig(stun=False)
    ) as servers:
        settle()  # as a process does that serves for ever
        print(servers.plain.port, servers.tls.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


def resident(process: int) -> float:
    """Memory of a process now, in MiB (Linux)."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell how much memory a process has")
