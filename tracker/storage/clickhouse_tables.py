"""The ledger's tables in ClickHouse, and what is asked of them.

They are those of SQLite (`columns.py` says which figures there are), with a row for each bucket of
each run, which holds the sum so far. A run numbers its batches, and of the rows with one key the
table keeps the one with the highest number (`ReplacingMergeTree`), now or when it comes to it;
until then ``FINAL`` leaves the others out. So it does not matter how often a batch arrives, or in
what order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple

from p2pcdn.config import LedgerConfig
from p2pcdn.core.rollup import WIDTHS
from tracker.storage import Range
from tracker.storage.columns import AMOUNT_COLUMNS, FIGURE_COLUMNS, Column

MOST_SECONDS = 2**32 - 1
"""The last second that ``DateTime`` knows, in 2106."""

_FIGURES = {column.name: "Int64" if column.whole else "Float64" for column in FIGURE_COLUMNS}
_AMOUNTS = {column.name: _FIGURES[column.name] for column in AMOUNT_COLUMNS}


class Table(NamedTuple):
    """A table, and its columns in order: those of its key, then the others."""

    name: str
    key: Mapping[str, str]
    """The types of the columns that a row is known by."""
    rest: Mapping[str, str]

    @property
    def columns(self) -> dict[str, str]:
        """The types of all columns."""
        return {**self.key, "version": "UInt64", **self.rest}


def _table(name: str, names: Sequence[str], rest: Mapping[str, str]) -> Table:
    key = {"width": "UInt16", "at": "DateTime('UTC')", **dict.fromkeys(names, "String")}
    return Table(name, {**key, "run": "UUID", "part": "UInt32"}, rest)


EVERYTHING = _table("everything", (), _FIGURES)
CONTENTS = _table("contents", ("content",), _FIGURES)
GROUPS = _table("groups", ("kind", "name"), _FIGURES)
FAILURES = _table("failures", ("kind", "name"), {"count": "Int64"})
RUNS = Table(
    "runs",
    {"run": "UUID"},
    {"node": "String", "started": "Float64", "written": "Float64"} | _AMOUNTS,
)

TABLES = (EVERYTHING, CONTENTS, GROUPS, FAILURES, RUNS)


def create(table: Table, database: str, config: LedgerConfig) -> str:
    """The statement that makes a table."""
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    order = f"ORDER BY ({', '.join(table.key)})"
    if table is not RUNS:  # which are kept for good
        order = f"PARTITION BY width {order} TTL {ttl(config)}"
    return (
        f"CREATE TABLE IF NOT EXISTS {database}.{table.name} ({columns})"
        f" ENGINE = ReplacingMergeTree(version) {order}"
    )


def add(table: Table, database: str, missing: Sequence[str]) -> str:
    """The statement that adds columns to a table of an earlier version."""
    columns = table.columns
    added = (f"ADD COLUMN IF NOT EXISTS {name} {columns[name]}" for name in missing)
    return f"ALTER TABLE {database}.{table.name} {', '.join(added)}"


def ttl(config: LedgerConfig) -> str:
    """For how long rows are kept."""
    return ", ".join(
        f"at + toIntervalSecond({seconds}) DELETE WHERE width = {width}"
        for seconds, width in _kept(config)
    )


def has_ttl(definition: str, config: LedgerConfig) -> bool:
    """Whether a table keeps its rows for so long, as ClickHouse writes it."""
    found = re.findall(r"toIntervalSecond\((\d+)\) WHERE width = (\d+)", definition)
    return [(int(seconds), int(width)) for seconds, width in found] == _kept(config)


def _kept(config: LedgerConfig) -> list[tuple[int, int]]:
    kept = (config.keep_10s, config.keep_1min, config.keep_1h)
    return [(ceil(seconds) + width, width) for width, seconds in zip(WIDTHS, kept, strict=True)]


# Questions. A float cannot overflow, which sums of liars' figures might.


def points(database: str, span: Range, step: int) -> str:
    """Everything by ``step`` seconds."""
    begin = f"intDiv(toUnixTimestamp(at), {step}) * {step}"
    return (
        f"SELECT begin, {_OUTER} FROM ({_by_bucket(EVERYTHING, database, (span,), begin, 'begin')})"
        " GROUP BY begin ORDER BY begin"
    )


def shares(database: str, spans: Sequence[Range], most: int) -> str:
    """The contents with most bytes."""
    return (
        f"SELECT name, {_OUTER} FROM ({_by_bucket(CONTENTS, database, spans, 'content', 'name')})"
        " GROUP BY name ORDER BY sum(origin_bytes_) + sum(peer_bytes_confirmed_) DESC, name"
        f" LIMIT {most}"
    )


def groups(database: str, spans: Sequence[Range], most: int) -> str:
    """The groups of a ``{kind:String}`` whose viewers stayed longest."""
    rows = _by_bucket(GROUPS, database, spans, "name", "name_", " AND kind = {kind:String}")
    return (
        f"SELECT name_, {_OUTER} FROM ({rows}) GROUP BY name_"
        f" ORDER BY sum(viewer_seconds_) DESC, name_ LIMIT {most}"
    )


def failures(database: str, spans: Sequence[Range], most: int) -> str:
    """What failed most often."""
    return (
        "SELECT kind, name, sum(toFloat64(count)) AS times"
        f" FROM {database}.failures FINAL WHERE {_within(spans)}"
        f" GROUP BY kind, name ORDER BY times DESC, kind, name LIMIT {most}"
    )


def others(database: str) -> str:
    """When the ledger began, and what all runs but ``{run:UUID}`` have written."""
    sums = ", ".join(
        f"sumIf(toFloat64({column.name}), run != {{run:UUID}})" for column in AMOUNT_COLUMNS
    )
    return f"SELECT min(started), {sums} FROM {database}.runs FINAL"


def _in_bucket(column: Column) -> str:
    """What the rows of all runs in one bucket come to."""
    if not column.most:
        return f"sum(toFloat64({column.name})) AS {column.name}_"
    largest = f"max(toFloat64({column.name}))"
    if column.name == "viewers_max":
        # Nodes that run at once have viewers at once, though perhaps the most at different times.
        # What is certain: as many as the largest had, and as many as all had on average.
        average = "sum(viewer_seconds / greatest(seconds, toFloat64(width)))"
        largest = f"greatest({largest}, floor({average}))"
    return f"{largest} AS {column.name}_"


_INNER = ", ".join(map(_in_bucket, FIGURE_COLUMNS))
_OUTER = ", ".join(
    f"{'max' if column.most else 'sum'}({column.name}_)" for column in FIGURE_COLUMNS
)


def _by_bucket(
    table: Table, database: str, spans: Sequence[Range], by: str, name: str, more: str = ""
) -> str:
    return (
        f"SELECT {by} AS {name}, {_INNER} FROM {database}.{table.name} FINAL"
        f" WHERE ({_within(spans)}){more} GROUP BY {name}, width, at"
    )


def _within(spans: Sequence[Range]) -> str:
    return " OR ".join(
        f"(width = {span.width} AND at >= toDateTime({_second(span.start)}, 'UTC')"
        f" AND at < toDateTime({_second(span.end)}, 'UTC'))"
        for span in spans
    )


def _second(at: int) -> int:
    return min(max(at, 0), MOST_SECONDS)
