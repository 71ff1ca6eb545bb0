"""Which versions of far files are known, also after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from origin.sources import known as module
from origin.sources.known import FILE, KnownFiles
from origin.sources.versions import Version

ONE = Version(10, '"one"', 5)
TWO = Version(11, digest="ab" * 32)


def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    files = KnownFiles(tmp_path / "data", "http://a/")
    assert files.all() == {}
    files.keep("a", ONE, 1.5)
    files.keep("b", ONE, 1.5)
    files.keep("b", TWO, 2.5)
    files.keep("c", ONE, 1.0)
    files.keep("c", None, 2.0)
    files.close()
    files.keep("d", ONE, 1.0)
    assert files.all() == {}
    again = KnownFiles(tmp_path / "data", "http://a/")
    assert again.all() == {"a": (ONE, 1.5), "b": (TWO, 2.5)}
    other = KnownFiles(tmp_path / "data", "http://b/")
    assert other.all() == {}
    again.close()
    other.close()


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    files = KnownFiles(tmp_path, "http://a/")
    for number, path in enumerate("abc"):
        files.keep(path, ONE, number)
    assert set(files.all()) == {"b", "c"}
    files.close()


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    files = KnownFiles(tmp_path, "http://a/")
    files.keep("a", ONE, 1.0)
    assert files.all() == {}
    files.close()
