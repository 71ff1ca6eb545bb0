"""A zip archive as a source: the same as a directory of the same files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from origin.sources import Identity, Keepable
from origin.sources.directory import Directory
from origin.sources.zip import Zip
from p2pcdn.errors import ConfigError, SourceError, SourceReason
from tests.origin.media_files import noise
from tests.origin.zips import Part, archive, deflated, unzipped, zipped

FILES = {
    "a.ts": noise(300_000),
    "show/b.m3u8": b"#EXTM3U\n" * 500,
    "show/en/c.vtt": b"",
    "show/.d": b"hidden",
}


@pytest.fixture(params=[False, True], ids=["stored", "deflated"])
def source(tmp_path: Path, request: pytest.FixtureRequest) -> Zip:
    return Zip(zipped(tmp_path / "site.zip", FILES, deflate=request.param))


def read(source: Zip, path: str) -> bytes:
    file = source.open(path)
    try:
        return file.read(0, 1_000_000)
    finally:
        file.close()


def test_reads(source: Zip) -> None:
    for path, data in FILES.items():
        assert read(source, path) == data
    file = source.open("a.ts")
    assert file.read(299_990, 100) == FILES["a.ts"][-10:]
    assert file.read(5, 3) == FILES["a.ts"][5:8]
    assert file.read(300_000, 1) == file.read(400_000, 1) == file.read(3, 0) == b""
    assert file.current() == file.identity
    file.close()
    file.close()


def test_only_stored_bytes_are_had_without_waiting(tmp_path: Path) -> None:
    stored = Zip(zipped(tmp_path / "a.zip", FILES)).open("a.ts")
    stored.read(0, 300_000)
    cached = stored.read_cached(299_990, 100)
    assert cached is None or bytes(cached) == FILES["a.ts"][-10:]  # some file systems cannot tell
    assert stored.read_cached(300_000, 5) is None
    packed = Zip(zipped(tmp_path / "b.zip", FILES, deflate=True)).open("a.ts")
    packed.read(0, 300_000)
    assert packed.read_cached(0, 100) is None


def test_only_stored_members_are_kept(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", FILES)
    file = Zip(path).open("a.ts")
    assert isinstance(file, Keepable)
    kept = file.keep()
    file.close()
    assert kept
    assert os.pread(kept.descriptor, 10, kept.begin + 5) == FILES["a.ts"][5:15]
    assert kept.is_newest()
    zipped(path, {"a.ts": b"another"})
    assert not kept.is_newest()
    path.unlink()
    assert not kept.is_newest()
    kept.close()
    assert Zip(zipped(tmp_path / "b.zip", FILES, deflate=True)).open("a.ts").keep() is None


def test_lists_what_is_not_hidden(source: Zip) -> None:
    assert source.list("") == (("show",), ("a.ts",))
    assert source.list("show") == (("en",), ("b.m3u8",))
    assert source.list("show/en") == ((), ("c.vtt",))


@pytest.mark.parametrize("path", ["", "none", "show", "show/", "a.ts/b", "/a.ts", "../site.zip"])
def test_what_is_no_member_is_missing(source: Zip, path: str) -> None:
    with pytest.raises(SourceError) as caught:
        source.open(path)
    assert (caught.value.reason, caught.value.detail) == (SourceReason.MISSING, path)
    assert source.identify_all([path]) == {}


def test_what_is_no_folder_is_missing(source: Zip) -> None:
    for ask in (source.list, source.folder_time):
        with pytest.raises(SourceError):
            ask("a.ts")


def test_identities_tell_members_and_versions_apart(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.ts": b"same", "b.ts": b"same"})
    source = Zip(path)
    found = source.identify_all(["a.ts", "b.ts", "none"])
    assert found["a.ts"] != found["b.ts"]
    assert found == {name: source.open(name).identity for name in ("a.ts", "b.ts")}
    assert found == Zip(path).identify_all(["a.ts", "b.ts"]), "after a restart, too"
    assert found["a.ts"].modified == int(path.stat().st_mtime)
    os.utime(path, ns=(0, 7))
    assert source.identify_all(["a.ts"])["a.ts"] != found["a.ts"]


names = st.sampled_from(["a", "b", "é", ".h", "x y", "%41"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
trees = st.dictionaries(paths, st.binary(max_size=300), max_size=8).filter(
    lambda files: not any(b.startswith(f"{a}/") for a in files for b in files)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=trees,
    deflate=st.booleans(),
    asked=st.lists(paths, max_size=8),
    ranges=st.lists(st.tuples(st.integers(0, 350), st.integers(0, 350)), max_size=8),
)
def test_as_a_directory_of_the_same_files(
    files: dict[str, bytes], deflate: bool, asked: list[str], ranges: list[tuple[int, int]]
) -> None:
    with TemporaryDirectory() as name:
        packed = Zip(zipped(Path(name, "a.zip"), files, deflate=deflate))
        plain = Directory(unzipped(Path(name, "a"), files))
        every = [*files, *asked]
        assert sizes(packed.identify_all(every)) == sizes(plain.identify_all(every))
        assert dict(walk(packed)) == dict(walk(plain))
        for path in files:
            here, there = packed.open(path), plain.open(path)
            for offset, size in ranges:
                assert here.read(offset, size) == there.read(offset, size)
            here.close()
            there.close()


def sizes(found: dict[str, Identity]) -> dict[str, int]:
    return {path: identity.size for path, identity in found.items()}


def walk(source: Zip | Directory, folder: str = "") -> Iterator[tuple[str, object]]:
    listing = source.list(folder)
    yield folder, listing
    for name in listing.folders:
        yield from walk(source, f"{folder}/{name}".lstrip("/"))


def descriptors(path: Path) -> int:
    """How many of this process are of files that are or were at ``path``."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            found += str(link.readlink()).startswith(str(path))
    return found


@pytest.mark.parametrize("deflate", [False, True])
def test_an_archive_that_is_replaced(tmp_path: Path, deflate: bool) -> None:
    before, after = noise(3_000_000, "before"), noise(3_000_000, "after")
    path = zipped(tmp_path / "a.zip", {"a.ts": before, "b.ts": b"b"}, deflate=deflate)
    source = Zip(path)
    assert descriptors(path) == 1
    time = source.folder_time("")
    file = source.open("a.ts")
    parts = [file.read(0, 1_000_000)]
    zipped(path, {"a.ts": after, "c.ts": b"c"}, deflate=deflate)
    assert read(source, "a.ts")[:100] == after[:100]
    assert source.list("").files == ("a.ts", "c.ts")
    assert source.folder_time("") != time
    parts += [file.read(offset, 1_000_000) for offset in (1_000_000, 2_000_000)]
    assert b"".join(parts) == before
    assert file.current() == file.identity != source.open("a.ts").identity
    assert descriptors(path) == 2
    file.close()
    del file
    assert descriptors(path) == 1


def test_archives_that_look_alike_are_told_apart(tmp_path: Path) -> None:
    """As where the same time is put on whatever is made."""
    path = zipped(tmp_path / "a.zip", {"a.ts": b"hello"})
    os.utime(path, ns=(0, 0))
    source = Zip(path)
    before, time = source.open("a.ts").identity, source.folder_time("")
    zipped(path, {"a.ts": b"world"})
    os.utime(path, ns=(0, 0))
    assert source.open("a.ts").identity != before
    assert source.folder_time("") != time
    assert read(source, "a.ts") == b"world"


def test_a_bad_archive_does_not_take_the_place_of_a_good_one(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.ts": b"hello"})
    source = Zip(path)
    assert source.problems() == ()
    draft = tmp_path / "draft"
    draft.write_bytes(archive(Part(flags=1)))
    draft.replace(path)
    assert read(source, "a.ts") == b"hello"
    assert source.problems() == (
        f"The archive {path} that is there now is refused. The member 'a.ts' is encrypted; make "
        "the archive without a password.",
    )
    zipped(path, {"a.ts": b"world"})
    assert read(source, "a.ts") == b"world"
    assert source.problems() == ()


def test_an_archive_that_somebody_writes_into(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.ts": b"hello"})
    source = Zip(path)
    file = source.open("a.ts")
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    assert file.current() != file.identity
    for ask in (source.open, source.list, source.folder_time):
        with pytest.raises(SourceError, match="written into") as caught:
            ask("a.ts")
        assert caught.value.reason is SourceReason.INTEGRITY
    assert source.identify_all(["a.ts"]) == {}
    path.write_bytes(whole)
    assert read(source, "a.ts") == b"hello"


def test_an_archive_that_is_gone(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.ts": b"hello"})
    source = Zip(path)
    path.unlink()
    with pytest.raises(SourceError):
        source.open("a.ts")
    assert source.identify_all(["a.ts"]) == {}
    assert source.problems() == (f"The archive of the media, {path}, is gone.",)
    zipped(path, {"a.ts": b"back"})
    assert read(source, "a.ts") == b"back"


def test_what_is_no_archive_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with pytest.raises(ConfigError, match=r"a\.zip cannot be read: No such file"):
        Zip(path)
    path.write_bytes(b"hello")
    with pytest.raises(ConfigError, match=r"a\.zip is refused\. There is no directory"):
        Zip(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="It is no file"):
        Zip(tmp_path / "pipe")


def damaged(tmp_path: Path) -> Zip:
    path = tmp_path / "a.zip"
    path.write_bytes(archive(Part(b"a.ts", noise(3000), crc=7), deflated(b"a" * 900, crc=7)))
    return Zip(path)


def test_a_wrong_crc_is_found_at_the_end(tmp_path: Path) -> None:
    source = damaged(tmp_path)
    for path, size in (("a.ts", 3000), ("a.txt", 900)):
        for _ in range(2):
            file = source.open(path)
            file.read(0, size - 1)
            with pytest.raises(SourceError, match="its CRC is") as caught:
                file.read(size - 1, 1)
            assert caught.value.reason is SourceReason.INTEGRITY


def test_the_crc_of_a_stored_member_is_summed_up_by_whoever_reads_on(tmp_path: Path) -> None:
    source = damaged(tmp_path)
    source.open("a.ts").read(0, 1000)
    source.open("a.ts").read(2000, 500)  # leaves a gap
    source.open("a.ts").read(500, 1050)  # reads some of it again
    with pytest.raises(SourceError, match="its CRC is"):
        source.open("a.ts").read(0, 3000)
    good = zipped(tmp_path / "b.zip", {"a.ts": noise(3000)})
    other = Zip(good)
    for offset in range(0, 3000, 700):
        other.open("a.ts").read(offset, 900)
    assert read(other, "a.ts") == noise(3000)
