"""Files that stay open: which, and for how long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from origin.open_files import OpenFiles
from origin.sources import Kept
from origin.sources.directory import Directory
from tests.origin.media_files import write


@pytest.fixture
def source(tmp_path: Path) -> Directory:
    for name in ("a", "b", "c"):
        write(tmp_path / name, name)
    return Directory(tmp_path)


def keep(files: OpenFiles, source: Directory, *paths: str) -> None:
    for path in paths:
        file = source.open(path)
        files.keep(f"/media/{path}", path, file, files.version())
        file.close()  # as who opened it does


def kept(files: OpenFiles, path: str) -> Kept | None:
    opened = files.find(f"/media/{path}")
    return None if opened is None else opened.file


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_file_is_found_again(source: Directory) -> None:
    files = OpenFiles(2, lambda: 1)
    assert files.find("/media/a") is None
    keep(files, source, "a")
    opened = files.find("/media/a")
    assert opened is not None
    assert opened.path == "a"
    assert opened.file.read(0, 9) == b"a"
    files.close()
    assert not is_open(opened.file.descriptor)


def test_the_one_asked_for_longest_ago_goes_first(source: Directory) -> None:
    files = OpenFiles(2, lambda: 1)
    keep(files, source, "a", "b")
    first, second = kept(files, "a"), kept(files, "b")
    assert first
    assert second
    descriptor = second.descriptor
    assert kept(files, "a")
    keep(files, source, "c")
    assert kept(files, "b") is None
    assert not is_open(descriptor)
    assert kept(files, "a")
    assert kept(files, "c")
    files.close()


def test_what_takes_its_place_is_noticed_at_once(source: Directory, tmp_path: Path) -> None:
    files = OpenFiles(2, lambda: 1)
    keep(files, source, "a", "b")
    descriptors = [file.descriptor for file in (kept(files, "a"), kept(files, "b")) if file]
    write(tmp_path / "a", "A")
    (tmp_path / "b").unlink()
    assert kept(files, "a") is None
    assert kept(files, "b") is None
    assert not any(is_open(descriptor) for descriptor in descriptors)
    keep(files, source, "a")
    file = kept(files, "a")
    assert file
    assert file.read(0, 9) == b"A"
    files.close()


def test_a_file_that_is_written_to_is_another(source: Directory, tmp_path: Path) -> None:
    files = OpenFiles(2, lambda: 1)
    keep(files, source, "a")
    with (tmp_path / "a").open("ab") as writer:
        writer.write(b"more")
    assert kept(files, "a") is None


def test_none_stays_open_where_none_may(source: Directory) -> None:
    files = OpenFiles(0, lambda: 1)
    keep(files, source, "a")
    assert kept(files, "a") is None


def test_no_descriptor_left_is_no_error(source: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> int:
        raise OSError

    files = OpenFiles(2, lambda: 1)
    monkeypatch.setattr(os, "dup", refuse)
    keep(files, source, "a")
    assert kept(files, "a") is None


def test_what_was_opened_in_another_source_is_not_kept(source: Directory) -> None:
    version: int | None = 1
    files = OpenFiles(2, lambda: version)
    keep(files, source, "a", "b")
    version = 2
    assert kept(files, "a") is None
    keep(files, source, "a")
    assert kept(files, "a")
    version = None
    assert kept(files, "a") is None
    keep(files, source, "b")
    version = 1
    opened = files.find("/media/b")
    assert opened  # from the beginning: it was not kept anew
    assert opened.version == 1
    files.close()
