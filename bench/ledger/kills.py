"""Trials: a tracker is killed while peers report, and its ledger is opened again.

Two peers of one pairing report ever more bytes, and after each pair of reports ask something that
is refused, so that they know the reports to be in the tracker's books. What is found afterwards
must have all that was in the books some seconds before, and nothing that nobody reported.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

import aiohttp

from p2pcdn.config import LedgerConfig
from p2pcdn.core.rollup import WIDTHS
from p2pcdn.model import CHUNK_SIZE, PROTOCOL
from p2pcdn.wire.codec import decode_from_tracker, encode
from p2pcdn.wire.fields import Message
from p2pcdn.wire.tracker import (
    FromTracker,
    Invite,
    Join,
    Joined,
    PairReport,
    Refused,
    Report,
    SendAnswer,
)
from tests.clickhouse import Server
from tests.p2pcdn.core.swarming import sdp
from tracker.storage.clickhouse import ClickHouse
from tracker.storage.sqlite import FILE, Sqlite

PACE = 0.05
"""Seconds between two reports of a peer."""

LOOK = 0.2
"""Seconds between two looks at what is written."""

MOST = 4
"""Chunks of a report, less than so many: no more than can be played meanwhile."""


@dataclass
class Outcome:
    """What a trial has found."""

    reported: int = 0
    """Confirmed bytes, as far as both peers have begun to say so."""
    booked: list[tuple[float, int]] = field(default_factory=list)
    """When it was known that so many were in the books."""
    killed_at: float = 0.0
    lateness: float = 0.0
    """The longest time that the tracker took to answer: the machine has other things to do, too."""
    seen: int = 0
    """Confirmed bytes that stood in the file right before the end."""
    found: int = 0
    """Confirmed bytes in the storage afterwards."""
    put_aside: bool = False
    """The file was found damaged."""
    unequal: bool = False
    """Rows of some width do not add up to the total."""

    @property
    def lost(self) -> float:
        """Seconds before the end from which on nothing is left."""
        kept = [at for at, size in self.booked if size <= self.found]
        return self.killed_at - max(kept, default=self.booked[0][0] if self.booked else 0.0)

    @property
    def is_over_counted(self) -> bool:
        """Whether there is more than anybody reported."""
        return self.found > self.reported


class Place(Protocol):
    """Where a tracker keeps its ledger."""

    @property
    def options(self) -> tuple[str, ...]:
        """The tracker's flags for it."""

    def written(self) -> int:
        """Confirmed bytes that stand there while the tracker runs."""

    async def look(self, outcome: Outcome) -> None:
        """Open the ledger as the next tracker would."""


class File(NamedTuple):
    """SQLite, in a directory."""

    directory: Path

    @property
    def options(self) -> tuple[str, ...]:
        return ("--data", str(self.directory))

    def written(self) -> int:
        with closing(sqlite3.connect(self.directory / FILE)) as database:
            (total,) = database.execute("SELECT SUM(peer_bytes_confirmed) FROM runs").fetchone()
        return int(total)

    async def look(self, outcome: Outcome) -> None:
        storage = Sqlite(self.directory)
        opening = await storage.open(0.0)
        await storage.close()
        outcome.found = opening.total.peer_bytes_confirmed
        outcome.put_aside = (self.directory / f"{FILE}.damaged-1").exists()
        with closing(sqlite3.connect(self.directory / FILE)) as database:
            for table in ("everything", "contents"):
                sums = database.execute(
                    f"SELECT SUM(peer_bytes_confirmed) FROM {table} GROUP BY width"
                ).fetchall()
                outcome.unequal |= any(total != outcome.found for (total,) in sums)


class Database(NamedTuple):
    """ClickHouse, a database of a server."""

    server: Server
    name: str

    @property
    def options(self) -> tuple[str, ...]:
        return ("--set", f"ledger.clickhouse={self.server.url(self.name)}")

    def written(self) -> int:
        if self._ask(f"SELECT count() FROM system.tables WHERE database = '{self.name}'") < 5:
            return 0  # it is still being made
        return self._ask(f"SELECT sum(peer_bytes_confirmed) FROM {self.name}.runs FINAL")

    async def look(self, outcome: Outcome) -> None:
        storage = ClickHouse(LedgerConfig(clickhouse=self.server.url(self.name)))
        opening = await storage.open(0.0)
        await storage.close()
        outcome.found = opening.total.peer_bytes_confirmed
        for table in ("everything", "contents"):
            for width in WIDTHS:
                # A table is written after the other, the total last: it may have been killed there.
                size = self._ask(
                    f"SELECT sum(peer_bytes_confirmed) FROM {self.name}.{table} FINAL"
                    f" WHERE width = {width}"
                )
                outcome.unequal |= not outcome.found <= size <= outcome.reported

    def _ask(self, sql: str) -> int:
        ((answer,),) = self.server.ask(sql)
        return int(answer)


async def trial(place: Place, lasts: float, write_every: float, seed: int) -> Outcome:
    """Run a tracker under load, kill it ``lasts`` seconds after it has written for the first time,
    and look at what is left."""
    outcome = Outcome()
    options: tuple[str, ...] = (f"ledger.write_every={write_every}", "tracker.stun=false")
    options += ("tracker.messages_per_second=10000", "tracker.burst=10000")
    options += ("tracker.report_every=0.01",)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "p2pcdn", "tracker", "--listen", "127.0.0.1:0"),
        *(*place.options, *(word for option in options for word in ("--set", option))),
        stdout=PIPE,
        stderr=DEVNULL,
    )
    try:
        assert process.stdout is not None
        url = ""
        while not url:
            line = (await process.stdout.readline()).decode()
            assert line, "the tracker has ended"
            url = line.partition("Tracker ")[2].strip()
        async with aiohttp.ClientSession() as session:
            load = asyncio.create_task(_report(session, url, outcome, Random(seed)))
            while not (  # noqa: ASYNC110 - nobody tells us
                await asyncio.to_thread(place.written) or load.done()
            ):
                await asyncio.sleep(LOOK)
            await asyncio.wait([load], timeout=lasts)
            outcome.seen = await asyncio.to_thread(place.written)
            assert not load.done(), load.exception()
            process.kill()
            outcome.killed_at = asyncio.get_running_loop().time()
            load.cancel()
            await asyncio.wait([load])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    await place.look(outcome)
    return outcome


class _Peer:
    """A socket to the tracker."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def say(self, message: Message) -> None:
        await self._socket.send_str(encode(message))

    async def hear(self, kind: type[FromTracker]) -> FromTracker:
        """The next message of this kind."""
        while True:
            message = decode_from_tracker(await self._socket.receive_str())
            if isinstance(message, kind):
                return message

    async def is_heard(self) -> None:
        """Wait until everything said so far has been taken."""
        await self.say(SendAnswer("0" * 16, sdp("active")))
        await self.hear(Refused)


async def _report(
    session: aiohttp.ClientSession, url: str, outcome: Outcome, random: Random
) -> None:
    peers = []
    for _ in range(2):
        peer = _Peer(await session.ws_connect(url))
        await peer.say(Join(PROTOCOL, "pk_demo", "c" * 32, "browser", upload=True))
        await peer.hear(Joined)
        peers.append(peer)
    invite = await peers[1].hear(Invite)
    assert isinstance(invite, Invite)
    clock = asyncio.get_running_loop().time
    total = number = 0
    while True:
        total += CHUNK_SIZE * (chunks := random.randrange(1, MOST))
        number += 1
        asked = clock()
        outcome.reported = total
        runs = ((0, number, 0, 0, chunks - 1),)
        pairs = PairReport(invite.pairing, sent=runs), PairReport(invite.pairing, runs)
        for peer, pair in zip(peers, pairs, strict=True):
            await peer.say(Report(number, renditions=("v",), pairs=(pair,)))
        for peer in peers:
            await peer.is_heard()
        outcome.booked.append((clock(), total))
        outcome.lateness = max(outcome.lateness, clock() - asked)
        await asyncio.sleep(PACE)
