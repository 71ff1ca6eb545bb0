"""`p2pcdn verify`: a flipped bit, as it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.origin.preparing.films import film, segment
from tests.p2pcdn.cli.calling import Called, call


def test_a_flipped_bit_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.mkdir()

    def run(*words: str) -> Called:
        where = ("--content", str(content), "--data", str(tmp_path / "data"))
        return call(capsys, *words, *where)

    source = film(tmp_path / "film.mp4", seconds=2)
    assert run("add", str(source)).code == 0
    good = run("verify")
    assert good.code == 0
    assert good.out.endswith(": all as it was.\n")

    first = segment(content / "film", 0)
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    bad = run("verify", "film")
    assert bad.code == 1
    assert f"film/{first.name}: bytes 0 to {len(data) - 1}: its bytes are others.\n" in bad.out
    assert bad.out.endswith(": 1 damage.\n")
    events = [json.loads(line) for line in run("verify", "--json").out.splitlines()]
    assert {
        "event": "damage",
        "file": f"film/{first.name}",
        "offset": 0,
        "length": len(data),
        "reason": "its bytes are others",
    } in events
    assert events[-1]["damages"] == 1


def test_what_was_never_hashed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("--content", str(tmp_path), "--data", str(tmp_path / "data"))
    called = call(capsys, "verify", "nothing", *words)
    assert called.code == 1
    assert "Nothing called nothing was ever hashed" in called.err
