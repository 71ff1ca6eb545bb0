"""A file of a source, read as a file."""

from __future__ import annotations

import io
from pathlib import Path

from origin.preparing.facts import look
from origin.preparing.stream import SourceStream
from origin.sources.directory import Directory
from origin.sources.zip import Zip
from tests.origin.zips import zipped


def test_it_reads_and_seeks_like_a_file(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10
    (tmp_path / "a").write_bytes(data)
    plain = io.BytesIO(data)
    with SourceStream(Directory(tmp_path).open("a")) as stream:
        assert stream.identity.size == len(data)
        steps = ((0, 0, 10), (5, 1, 100), (-300, 2, 200), (-50, 1, 7), (0, 2, 5), (9999, 0, 1))
        for offset, whence, size in (*steps, (3, 0, -1)):
            assert stream.seek(offset, whence) == plain.seek(offset, whence) == stream.tell()
            assert stream.read(size) == plain.read(size)
        assert stream.readable()
        assert stream.seekable()
    assert stream.closed


def test_a_film_is_read_from_an_archive(plain: Path, tmp_path: Path) -> None:
    archive = Zip(zipped(tmp_path / "a.zip", {"film.mp4": plain.read_bytes()}))
    stream = SourceStream(archive.open("film.mp4"))
    with io.BufferedReader(stream) as packed, plain.open("rb") as file:
        assert look(packed) == look(file)
