"""`p2pcdn list`: a table for people, lines for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.origin.media_files import write
from tests.p2pcdn.cli.calling import call

MEDIA = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:65,\na.ts\n#EXT-X-ENDLIST\n"


def test_what_there_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.mkdir()
    words = ("list", "--data", str(tmp_path / "data"), "--content", str(content))
    called = call(capsys, *words)
    assert called.code == 0
    assert "p2pcdn add" in called.out
    write(content / "show" / "v.m3u8", MEDIA)
    write(content / "show" / "a.ts", bytes(2_000_000))
    write(content / "a film.mp4", b"12345")
    assert call(capsys, *words).out == (
        "NAME        KIND      SIZE  LENGTH  WHERE\n"
        f"show        folder  2.0 MB    1:05  {content}/show\n"
        f"a film.mp4  file       5 B          {content}/a film.mp4\n"
    )
    lines = [json.loads(line) for line in call(capsys, *words, "--json").out.splitlines()]
    assert lines[0] == {
        "name": "show",
        "kind": "folder",
        "where": f"{content}/show",
        "removable": False,
        "size": 2_000_000 + len(MEDIA),
        "seconds": 65.0,
        "contents": 1,
    }


def test_a_content_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("list", "--data", str(tmp_path / "data"), "--content", str(tmp_path / "nope"))
    called = call(capsys, *words)
    assert (called.code, called.out) == (1, "")
    assert f"there is none at {tmp_path / 'nope'}." in called.err
