"""JSON or CSV, and cells that no spreadsheet runs."""

from __future__ import annotations

import csv
import io

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from tracker.export import as_csv, as_json, format_of


def request(query: str = "", accept: str | None = None) -> web.Request:
    return make_mocked_request("GET", f"/{query}", {"Accept": accept} if accept else {})


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", None, "json"),
        ("", "*/*", "json"),
        ("", "text/html,application/xhtml+xml,*/*;q=0.8", "json"),
        ("", "text/csv", "csv"),
        ("", "text/html, text/csv;q=0.9", "csv"),
        ("", "application/json, text/csv", "json"),
        ("?format=csv", "application/json", "csv"),
        ("?format=json", "text/csv", "json"),
    ],
)
def test_the_client_says_what_it_wants(query: str, accept: str | None, kind: str) -> None:
    assert format_of(request(query, accept)) == kind


@pytest.mark.parametrize("asked", ["", "xml", "CSV", "csv%00"])
def test_there_is_no_third_format(asked: str) -> None:
    with pytest.raises(web.HTTPBadRequest):
        format_of(request(f"?format={asked}"))


def test_no_cell_is_a_formula() -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "plain", 'a "b", c', "1=1", ""]
    answer = as_csv("name", ("text", "number"), [{"text": text, "number": -5} for text in texts])
    assert answer.content_type == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="name.csv"'
    assert answer.headers["Cache-Control"] == "no-store"
    header, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    assert header == ["text", "number"]
    assert [number for _, number in rows] == ["-5"] * len(texts)
    for text, (cell, _) in zip(texts, rows, strict=True):
        assert cell in (text, f"'{text}")
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_json_is_not_stored() -> None:
    answer = as_json({"a": 1})
    assert answer.text == '{"a":1}'
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
