"""What the account of many viewers costs: reports as they come, decoded, audited and added up.

Viewers watch 2.6 Mbit/s in segments of 2 s and 10 chunks. In each content they stand in a ring:
each gets half of each segment from the next viewer, the other half from the one after that, and one
in a hundred from the origin instead. All report every 10 s, both ends tell the same, and nobody
lies.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from pathlib import Path

from p2pcdn.config import LedgerConfig
from p2pcdn.core.firsts import Place
from p2pcdn.core.ledger import Ledger
from p2pcdn.core.ledger_ports import Group
from p2pcdn.core.rollup import Rollup
from p2pcdn.model import CHUNK_SIZE
from p2pcdn.wire.codec import decode_to_tracker, encode
from p2pcdn.wire.tracker import PairReport, Quality, Report
from tracker.storage.sqlite import FILE, Writer, connect

EVERY = 10
"""Seconds between two reports of a viewer."""
SEGMENT = 2
CHUNKS = 10
"""Of a segment."""
FROM_ORIGIN = 100
"""One viewer in so many asks the origin."""
WRITE_EVERY = 4
COUNTRIES = 30
NOW = 1_700_006_400


@dataclass(frozen=True)
class Cost:
    """What so many viewers take."""

    reports: int
    decoding: float
    """Seconds of CPU, of all reports."""
    adding: float
    readings: float
    writing: float
    lasted: int
    """Seconds of the viewers' time."""
    rows: int
    """Written."""
    report_bytes: int
    """All reports, as they are sent."""
    session_bytes: int
    """Memory for each viewer."""
    offload: float | None
    best: float | None


class Crowd:
    """Viewers of several contents, each as many."""

    def __init__(self, viewers: int, contents: int) -> None:
        self.ledger = Ledger()
        self._size = viewers // contents
        self._names = [f"{content:032x}" for content in range(contents)]
        self._numbers = [0] * (self._size * contents)
        for content, name in enumerate(self._names):
            for place in range(self._size):
                session = self._session(content, place)
                groups = (
                    Group("country", f"C{place % COUNTRIES}"),
                    Group("operator", f"AS{64_500 + place % COUNTRIES}"),
                    Group("connection", "unknown"),
                    Group("browser", "Chromium" if place % 3 else "Firefox"),
                    Group("access", "unknown"),
                    Group("nat", "ports kept" if place % 2 else "ports changed"),
                )
                self.ledger.joined(session, name, 0.0, groups=groups)
            for place in range(self._size):
                for step in (1, 2):
                    ends = self._session(content, place), self._session(content, place + step)
                    pairing = self._pairing(content, place, step)
                    self.ledger.paired(pairing, *ends)
                    self.ledger.linked(pairing, 300.0)

    def second(self, now: int) -> list[tuple[str, str]]:
        """Who reports in this second, and what, as it is sent."""
        said = []
        for index in range(now % EVERY, len(self._numbers), EVERY):
            content, place = divmod(index, self._size)
            report = self._report(index, content, place, now // EVERY)
            said.append((self._session(content, place), encode(report)))
        for name in self._names:
            at = Place(f"{now // SEGMENT}", now % SEGMENT * CHUNKS * CHUNK_SIZE // SEGMENT)
            copies = max(1, self._size // FROM_ORIGIN)
            for _ in range(copies):
                self.ledger.origin_sent(CHUNKS * CHUNK_SIZE // SEGMENT, 0, name, at)
        return said

    def _report(self, index: int, content: int, place: int, turn: int) -> Report:
        segments = range(turn * EVERY // SEGMENT, (turn + 1) * EVERY // SEGMENT)
        half = CHUNKS // 2
        first = tuple((0, sequence, 0, 0, half - 1) for sequence in segments)
        second = tuple((0, sequence, 0, half, CHUNKS - 1) for sequence in segments)
        self._numbers[index] += 1
        pairs = [
            PairReport(self._pairing(content, place - 1, 1), sent=first, route="srflx"),
            PairReport(self._pairing(content, place - 2, 2), sent=second, route="srflx"),
        ]
        size = CHUNKS * CHUNK_SIZE * len(segments)
        taken = place % FROM_ORIGIN == 0
        if not taken:
            ways = zip((1, 2), (first, second), strict=True)
            pairs += [
                PairReport(self._pairing(content, place, step), received=runs, route="srflx")
                for step, runs in ways
            ]
        return Report(
            self._numbers[index],
            origin_bytes=size if taken else 0,
            peer_bytes=0 if taken else size,
            renditions=("v",),
            origin=tuple((0, sequence, 0, 0, CHUNKS - 1) for sequence in segments if taken),
            pairs=tuple(pairs),
            quality=Quality(
                startup=800.0 if self._numbers[index] == 1 else None,
                played=1000 * EVERY,
                rate=CHUNKS * CHUNK_SIZE // SEGMENT,
            ),
        )

    def _session(self, content: int, place: int) -> str:
        return f"{content:08x}{place % self._size:08x}"

    def _pairing(self, content: int, place: int, step: int) -> str:
        return f"{content:06x}{place % self._size:08x}{step:02x}"


def measure(directory: Path, viewers: int, contents: int, lasts: int) -> Cost:
    """Let so many viewers report for so many seconds of theirs, and write what they say down."""
    writer = Writer(connect(directory / FILE), LedgerConfig())
    writer.begin(NOW)
    before = _resident()
    crowd = Crowd(viewers, contents)
    ledger, rollup = crowd.ledger, Rollup()
    decoding = adding = readings = writing = 0.0
    reports = rows = sent = 0
    clock = time.process_time
    for now in range(lasts):
        said = [(session, text.encode()) for session, text in crowd.second(now)]
        sent += sum(len(text) for _, text in said)
        began = clock()
        decoded = [(session, decode_to_tracker(text)) for session, text in said]
        decoding += clock() - began
        began = clock()
        for session, report in decoded:
            assert isinstance(report, Report)
            assert ledger.report(session, report, float(now)), "an honest report was refused"
        adding += clock() - began
        reports += len(said)
        began = clock()
        ledger.on_timer(float(now))
        rollup.receive(ledger.take_reading(), NOW + now)
        readings += clock() - began
        if now % WRITE_EVERY == WRITE_EVERY - 1:
            began = clock()
            batch = rollup.take_batch()
            assert batch is not None
            writer.write(batch)
            writing += clock() - began
            rows += len(batch.rows) + len(batch.groups) + len(batch.failures)
    del said, decoded
    gc.collect()
    memory = (_resident() - before) // viewers
    summary = ledger.summary()
    writer.database.close()
    return Cost(
        *(reports, decoding, adding, readings, writing, lasts, rows, sent, memory),
        *(summary.offload, summary.best_offload),
    )


def _resident() -> int:
    """Bytes of memory that the process has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096
