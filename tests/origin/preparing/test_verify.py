"""Hashing again, and comparing."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from origin.preparing.fingerprint import fingerprint
from origin.preparing.plan import Options
from origin.preparing.prepare import Wish, prepare
from origin.preparing.record import Damage
from origin.preparing.verify import Tally, verify
from origin.sources.directory import Directory
from p2pcdn.config import Config
from p2pcdn.model import CHUNK_SIZE
from tests.origin.media_files import write
from tests.origin.preparing.films import segment


@pytest.fixture
def config(content: Path, plain: Path, tmp_path: Path) -> Config:
    made = Config(content=content, data=tmp_path / "data")
    with plain.open("rb") as file:
        prepare(Wish.of(file, "a", 0, Options()), content, "film", lambda _: None, print)
    write(content / "show" / "a.mp4", os.urandom(3 * CHUNK_SIZE))
    for path in ("film/index.m3u8", "show/a.mp4"):
        asyncio.run(fingerprint(Directory(content), made, path))
    return made


def damages(config: Config, name: str = "") -> tuple[list[Damage], Tally]:
    tally = Tally()
    assert isinstance(config.content, Path)
    source = Directory(config.content)
    found = [each for each in verify(source, config, name, tally) if each is not None]
    assert len(found) == tally.damages
    return found, tally


def flip(path: Path, at: int, *, quietly: bool = True) -> None:
    """Turn a bit over; ``quietly``: as a disk does, without a new time."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 8]))
    if quietly:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_all_is_as_it_was(config: Config, content: Path) -> None:
    found, tally = damages(config)
    assert found == []
    sizes = [path.stat().st_size for path in (content / "film").glob("[!.]*")]
    assert tally.bytes == tally.total == sum(sizes) + 3 * CHUNK_SIZE
    assert tally.files == len(sizes) + 1


@pytest.mark.parametrize("quietly", [True, False])
def test_a_flipped_bit_of_a_film_is_found_whatever_its_time_says(
    config: Config, content: Path, quietly: bool
) -> None:
    second = segment(content / "film", 1)
    flip(second, 1000, quietly=quietly)
    size = second.stat().st_size
    expected = [Damage(f"film/{second.name}", 0, min(size, CHUNK_SIZE), "its bytes are others")]
    assert damages(config)[0] == expected
    assert damages(config, "film")[0] == expected
    assert damages(config, "show")[0] == []


def test_a_flipped_bit_of_another_file_is_found(config: Config, content: Path) -> None:
    flip(content / "show" / "a.mp4", 2 * CHUNK_SIZE + 5)
    found, _ = damages(config, "show")
    assert found == [Damage("show/a.mp4", 2 * CHUNK_SIZE, CHUNK_SIZE, "its bytes are others")]


def test_a_file_that_somebody_changed_is_another_version(config: Config, content: Path) -> None:
    flip(content / "show" / "a.mp4", 5, quietly=False)
    found, tally = damages(config)
    assert (found, tally.changed) == ([], 1)
    (content / "show" / "a.mp4").unlink()
    found, tally = damages(config)
    assert (found, tally.changed) == ([], 1)


def test_what_nobody_hashed_is_not_there(config: Config) -> None:
    with pytest.raises(LookupError):
        damages(config, "nothing")
