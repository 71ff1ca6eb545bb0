"""`p2pcdn doctor`: what it prints of what is found."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from p2pcdn.doctor import Finding, doubt, examination, good, wrong
from tests.p2pcdn.cli.calling import call

FOUND = [good("reach", "It is there."), doubt("join", "Some may meet.", "Let more meet.")]


def finds(monkeypatch: pytest.MonkeyPatch, findings: list[Finding]) -> list[tuple[Any, ...]]:
    asked: list[tuple[Any, ...]] = []

    async def examine(*words: Any) -> AsyncIterator[Finding]:
        asked.append(words)
        for finding in findings:
            yield finding

    monkeypatch.setattr(examination, "examine", examine)
    return asked


def test_findings_are_sentences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finds(monkeypatch, FOUND)
    called = call(capsys, "doctor", "https://cdn.example")
    assert called.code == 0
    assert called.out.splitlines() == [
        "   ok  It is there.",
        " note  Some may meet.",
        "       Let more meet.",
        "Nothing here keeps peers from connecting.",
    ]


def test_what_is_wrong_is_counted_and_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finds(monkeypatch, [*FOUND, wrong("stun", "Nobody answers.", "Open the port.")])
    called = call(capsys, "doctor", "https://cdn.example")
    assert (called.code, called.out.splitlines()[-1]) == (
        1,
        "1 thing to mend, the first one first.",
    )


def test_programs_get_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finds(monkeypatch, FOUND)
    called = call(capsys, "doctor", "https://cdn.example", "--json")
    lines = [json.loads(line) for line in called.out.splitlines()]
    assert [line["verdict"] for line in lines] == ["good", "doubt"]
    assert lines[1]["advice"] == "Let more meet."


@pytest.mark.parametrize(
    ("words", "url"),
    [
        ([], "http://127.0.0.1:8080"),
        (["--listen", "0.0.0.0:99"], "http://localhost:99"),
        (["--listen", "[::1]:99"], "http://[::1]:99"),
        (["https://cdn.example/"], "https://cdn.example"),
    ],
)
def test_the_server_of_this_machine_is_meant_unless_another_is_named(
    words: list[str],
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = finds(monkeypatch, [])
    assert call(capsys, "doctor", *words, "--page", "https://www.example/watch").code == 0
    assert asked[0][1].geturl() == url
    assert asked[0][2].geturl() == "https://www.example/watch"


def test_what_is_no_url_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "doctor", "cdn.example")
    assert (called.code, called.out) == (2, "")
    assert "https://cdn.example" in called.err
