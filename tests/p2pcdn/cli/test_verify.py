"""`p2pcdn verify`: a flipped bit, as it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from origin.preparing.verify import Tally
from p2pcdn.cli.verify import _verdict
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


@pytest.mark.parametrize(
    ("tally", "verdict"),
    [
        (Tally(), "nothing was hashed yet"),
        (Tally(files=1), "all as it was"),
        (Tally(files=9, damages=2), "2 damages"),
        (Tally(files=9, damages=1, missing=1), "1 file gone"),
        (
            Tally(files=9, damages=3, missing=2, changed=1),
            "1 damage, 2 files gone; 1 file is another version than was hashed",
        ),
        (
            Tally(files=9, changed=2, dropped=1),
            "what was compared is as it was; 2 files are other versions than was hashed; "
            "1 file is gone that no playlist names any more",
        ),
    ],
)
def test_the_verdict(tally: Tally, verdict: str) -> None:
    assert _verdict(tally) == verdict


def test_a_film_that_lacks_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "content" / "show").mkdir(parents=True)
    where = ("--content", str(tmp_path / "content"), "--data", str(tmp_path / "data"))
    added = call(capsys, "add", str(film(tmp_path / "film.mp4", seconds=2)), *where)
    assert added.code == 0
    (tmp_path / "content" / "film" / "index.m3u8").unlink()
    called = call(capsys, "verify", *where)
    assert called.code == 1
    assert "film/index.m3u8: it is gone.\n" in called.out
    assert called.out.endswith(": 1 file gone.\n")
