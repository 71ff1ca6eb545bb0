"""Tables of figures as JSON and as CSV.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula. So a text
which begins so, or with a tab or a line's end, is given a ``'`` in front; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from aiohttp import web

Format = Literal["json", "csv"]

Row = Mapping[str, float | str | None]

_NO_STORE = {"Cache-Control": "no-store", "Vary": "Accept"}
_FORMULA = tuple("=+-@\t\r\n")


def format_of(request: web.Request) -> Format:
    """What the client wants: ``?format=`` says so, or else ``Accept``; JSON if neither does."""
    asked = request.query.get("format")
    if asked == "csv":
        return "csv"
    if asked == "json":
        return "json"
    if asked is not None:
        raise web.HTTPBadRequest(text="format is json or csv.")
    kinds = [
        kind.partition(";")[0].strip() for kind in request.headers.get("Accept", "").split(",")
    ]
    known = [kind for kind in kinds if kind in ("text/csv", "application/json")]
    return "csv" if known[:1] == ["text/csv"] else "json"


def as_json(value: Any) -> web.Response:
    """An answer in JSON."""
    return web.Response(
        body=msgspec.json.encode(value), content_type="application/json", headers=_NO_STORE
    )


def as_csv(name: str, columns: Sequence[str], rows: Iterable[Row]) -> web.Response:
    """An answer in CSV (RFC 4180), with a header line; browsers save it as ``name``.csv."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return web.Response(
        text=text.getvalue(),
        content_type="text/csv",
        charset="utf-8",
        headers={**_NO_STORE, "Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def _cell(value: float | str | None) -> float | str | None:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
