"""Whether the ledger's bytes are those that came out of the sockets.

Clients of our own count what they get, of whole files and of ranges, many connections at a time;
then others break off in the middle, after what they have read.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

from bench.origin.servers import SEGMENT, SEGMENTS
from origin.app import Origin
from p2pcdn.config import Config
from p2pcdn.core.ledger import Ledger
from p2pcdn.service import Server, run

CONNECTIONS = 200
EACH = 20
PART = 65_536
BROKEN_OFF = 100
SETTLED = 4.0
"""Seconds after which all is counted that will be."""


class Account(NamedTuple):
    """What was received, and what was counted."""

    connections: int
    answers: int
    received: int
    counted: int
    aborted: int
    aborted_received: int
    aborted_counted: int


def agree(content: Path) -> Account:
    """Fetch a lot, and compare."""
    found: list[Account] = []

    async def main() -> None:
        found.append(await _compared(content))

    run(main())
    return found[0]


async def _compared(content: Path) -> Account:
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as data:
        origin = Origin(Config(content=content, data=Path(data)), ledger)
        async with Server([origin], host="127.0.0.1", port=0) as server:
            got = await asyncio.gather(*(_fetch(server.port, n) for n in range(CONNECTIONS)))
            await asyncio.sleep(SETTLED)
            counted = ledger.total.origin_bytes
            broken = await asyncio.gather(*(_break_off(server.port, n) for n in range(BROKEN_OFF)))
            await asyncio.sleep(SETTLED)
            after = ledger.total.origin_bytes - counted
    answers = CONNECTIONS * EACH
    return Account(CONNECTIONS, answers, sum(got), counted, BROKEN_OFF, sum(broken), after)


async def _fetch(port: int, number: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = 0
    for turn in range(EACH):
        path = f"/media/{(number + turn) % SEGMENTS}.ts"
        first = (number * EACH + turn) * PART % SEGMENT
        wanted = "" if turn % 10 == 0 else f"Range: bytes={first}-{first + PART - 1}\r\n"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{wanted}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].split("\r\n")[0])
        got += len(await reader.readexactly(length))
    writer.close()
    return got


async def _break_off(port: int, number: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /media/{number % SEGMENTS}.ts HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    got = len(await reader.readexactly(10_000 + number * 10_000))
    writer.transport.abort()
    return got
