"""Hashing again, and comparing."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from origin.preparing import holdings
from origin.preparing.fingerprint import fingerprint
from origin.preparing.plan import Options
from origin.preparing.prepare import Wish, prepare
from origin.preparing.record import Damage
from origin.preparing.verify import Tally, verify
from origin.sources.directory import Directory, DirectoryFile
from p2pcdn.config import Config
from p2pcdn.errors import SourceError, SourceReason
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


def test_a_file_that_is_gone_is_missed(config: Config, content: Path) -> None:
    (content / "show" / "a.mp4").unlink()
    segment(content / "film", 1).unlink()
    found, tally = damages(config)
    assert [damage.reason for damage in found] == ["it is gone", "it is gone"]
    assert found[1] == Damage("show/a.mp4", 0, 3 * CHUNK_SIZE, "it is gone")
    assert (tally.missing, tally.changed) == (2, 0)


def test_what_nobody_hashed_is_not_there(config: Config) -> None:
    with pytest.raises(LookupError):
        damages(config, "nothing")


MEDIA = "#EXTM3U\n#EXTINF:4,\na.ts\n#EXTINF:4,\nb.ts\n"


@pytest.fixture
def stream(config: Config, content: Path) -> Path:
    """A playlist of two segments that were hashed."""
    folder = content / "tv"
    write(folder / "index.m3u8", MEDIA + "#EXT-X-ENDLIST\n")
    for name in "ab":
        write(folder / f"{name}.ts", os.urandom(100))
    asyncio.run(fingerprint(Directory(content), config, "tv/index.m3u8"))
    return folder


def test_a_segment_that_its_playlist_names_is_missed(config: Config, stream: Path) -> None:
    (stream / "b.ts").unlink()
    found, tally = damages(config, "tv")
    assert found == [Damage("tv/b.ts", 0, 100, "it is gone")]
    assert (tally.files, tally.missing, tally.bytes) == (2, 1, 100)


def test_a_segment_that_its_playlist_has_dropped_is_not(config: Config, stream: Path) -> None:
    write(stream / "index.m3u8", MEDIA.replace("a.ts", "c.ts"))
    (stream / "a.ts").unlink()
    found, tally = damages(config, "tv")
    assert (found, tally.dropped, tally.missing) == ([], 1, 0)


def test_what_is_gone_with_all_around_it_is_missed(config: Config, stream: Path) -> None:
    for path in stream.iterdir():
        path.unlink()
    found, tally = damages(config)
    assert [damage.file for damage in found] == ["tv/a.ts", "tv/b.ts"]
    assert tally.missing == 2


def test_what_was_removed_is_not(config: Config, content: Path) -> None:
    assert damages(config, "film")[0] == []
    holdings.remove(config, "film")
    found, tally = damages(config)
    assert (found, tally.files, tally.dropped) == ([], 1, 0)


def test_what_cannot_be_read_is_damage(config: Config, stream: Path) -> None:
    class Broken(Directory):
        def open(self, path: str) -> DirectoryFile:
            if path == "tv/a.ts":
                raise SourceError(SourceReason.UNREACHABLE, "The disk is asleep.")
            if path == "tv/b.ts":
                raise OSError(errno.EIO, "Input/output error")
            return super().open(path)

    tally = Tally()
    source = Broken(stream.parent)
    found = [each for each in verify(source, config, "tv", tally) if each is not None]
    assert found == [
        Damage("tv/a.ts", 0, 100, "it cannot be read (unreachable: The disk is asleep)"),
        Damage("tv/b.ts", 0, 100, "it cannot be read (Input/output error)"),
    ]
    assert (tally.damages, tally.missing) == (2, 0)
