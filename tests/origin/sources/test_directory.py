"""A directory as a source: regular files under it, and nothing else."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from origin.sources import Keepable
from origin.sources.directory import Directory, DirectoryFile, is_cached
from p2pcdn.errors import ConfigError, SourceError, SourceReason
from tests.origin.media_files import identity_of, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "secret.ts", "secret")
    write(tmp_path / "root" / "a.ts", "hello")
    write(tmp_path / "root" / "show" / "b.ts", "segment")
    return tmp_path / "root"


@pytest.fixture
def source(root: Path) -> Directory:
    return Directory(root)


def test_reads_ranges(source: Directory) -> None:
    file = source.open("show/b.ts")
    assert file.read(0, 100) == b"segment"
    assert file.read(3, 2) == b"me"
    assert file.read(7, 10) == b""
    file.close()


def test_reads_without_waiting_what_is_in_memory(source: Directory) -> None:
    file = source.open("show/b.ts")
    file.read(0, 100)
    cached = file.read_cached(3, 2)
    assert cached is None or bytes(cached) == b"me"  # some file systems cannot tell
    assert file.read_cached(7, 10) is None
    file.close()


def test_knows_what_is_in_memory(source: Directory) -> None:
    file = source.open("show/b.ts")
    file.read(0, 100)
    if file.read_cached(0, 1) is not None:  # some file systems cannot tell
        assert is_cached(file.descriptor, 6)
    assert not is_cached(file.descriptor, 7)
    file.close()
    assert not is_cached(file.descriptor, 0)


def test_a_file_that_is_kept_is_closed_by_itself(source: Directory, root: Path) -> None:
    file = source.open("a.ts")
    assert isinstance(file, Keepable)
    kept = file.keep()
    file.close()
    assert kept.read(0, 100) == b"hello"
    assert (kept.identity, kept.begin) == (file.identity, 0)
    kept.close()


def test_a_kept_file_knows_whether_it_is_the_newest(source: Directory, root: Path) -> None:
    (root / "link.ts").symlink_to("a.ts")
    direct, linked = source.open("a.ts").keep(), source.open("link.ts").keep()
    assert direct.is_newest()
    assert linked.is_newest()
    write(root / "b.ts", "other")
    (root / "link.ts").unlink()
    (root / "link.ts").symlink_to("b.ts")
    assert direct.is_newest()
    assert not linked.is_newest()
    (root / "a.ts").chmod(0)  # nobody may read it any more
    assert not direct.is_newest()
    (root / "a.ts").unlink()
    assert not direct.is_newest()
    direct.close()
    linked.close()


def test_an_open_file_stays_the_version_that_was_opened(source: Directory, root: Path) -> None:
    file = source.open("a.ts")
    before = file.identity
    write(root / "a.ts", "other")
    assert file.read(0, 100) == b"hello"
    assert file.current() == before == file.identity
    assert source.identify_all(["a.ts"])["a.ts"] != before
    file.close()


def test_an_open_file_tells_when_it_was_written_to(source: Directory, root: Path) -> None:
    file = source.open("a.ts")
    with (root / "a.ts").open("ab") as writer:
        writer.write(b"more")
    assert file.current() != file.identity
    file.close()


def test_closing_twice_is_harmless(source: Directory, root: Path) -> None:
    file = source.open("a.ts")
    file.close()
    other = (root / "a.ts").open("rb")  # takes the descriptor's number
    file.close()
    assert other.read() == b"hello"
    other.close()


def test_identities(source: Directory, root: Path) -> None:
    found = source.identify_all(["a.ts", "show/b.ts", "show", "none.ts", "none/c.ts", "a.ts/d"])
    assert found == {
        "a.ts": identity_of(root / "a.ts"),
        "show/b.ts": identity_of(root / "show" / "b.ts"),
    }


def test_etag_and_date_follow_from_the_identity(root: Path) -> None:
    os.utime(root / "a.ts", ns=(0, 1_500_000_000))
    identity = identity_of(root / "a.ts")
    assert identity.modified == 1
    assert identity.etag == f'"59682f00-5-{identity.inode:x}"'


def test_lists_what_is_not_hidden(source: Directory, root: Path) -> None:
    write(root / ".hidden.ts", "x")
    write(root / ".git" / "config", "x")
    assert source.list("") == (("show",), ("a.ts",))
    assert source.list("show") == ((), ("b.ts",))


def test_the_time_of_a_folder_tells_of_new_entries(source: Directory, root: Path) -> None:
    os.utime(root / "show", ns=(0, 1))
    assert source.folder_time("show") == 1
    write(root / "show" / "c.ts", "x")
    assert source.folder_time("show") > 1


def _folder(root: Path) -> None:
    (root / "x").mkdir()


def _link_out(root: Path) -> None:
    (root / "x").symlink_to(root.parent / "secret.ts")


def _relative_link_out(root: Path) -> None:
    (root / "x").symlink_to("../secret.ts")


def _link_to_link_out(root: Path) -> None:
    (root / "y").symlink_to(root.parent / "secret.ts")
    (root / "x").symlink_to("y")


def _dead_link(root: Path) -> None:
    (root / "x").symlink_to("nowhere")


def _circle(root: Path) -> None:
    (root / "x").symlink_to("x")


def _link_to_the_root(root: Path) -> None:
    (root / "x").symlink_to("/")


def _sibling_with_the_same_beginning(root: Path) -> None:
    write(root.with_name("root-2") / "s.ts", "secret")
    (root / "x").symlink_to("../root-2/s.ts")


def _pipe(root: Path) -> None:
    os.mkfifo(root / "x")


def _socket(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "x"))


def _device(root: Path) -> None:
    (root / "x").symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "make",
    [
        lambda root: None,
        _folder,
        _link_out,
        _relative_link_out,
        _link_to_link_out,
        _dead_link,
        _circle,
        _link_to_the_root,
        _sibling_with_the_same_beginning,
        _pipe,
        _socket,
        _device,
    ],
)
def test_what_is_no_file_of_the_directory_is_missing(
    source: Directory, root: Path, make: Callable[[Path], None]
) -> None:
    make(root)
    with pytest.raises(SourceError) as caught:
        source.open("x")
    assert caught.value.reason is SourceReason.MISSING
    assert caught.value.detail == "x"
    assert source.identify_all(["x"]) == {}


@pytest.mark.parametrize("path", ["../secret.ts", "show/../../secret.ts", "a\0b", "x" * 300])
def test_paths_that_nobody_should_have_let_through(source: Directory, path: str) -> None:
    with pytest.raises(SourceError):
        source.open(path).close()
    assert source.identify_all([path]) == {}


def test_folders_behind_links_out_are_missing(source: Directory, root: Path) -> None:
    (root / "out").symlink_to("..")
    for ask in (source.list, source.folder_time):
        with pytest.raises(SourceError):
            ask("out")
    with pytest.raises(SourceError):
        source.open("out/secret.ts")
    assert source.identify_all(["out/secret.ts"]) == {}
    assert "out" not in source.list("").folders


def test_links_within_the_directory_are_followed(source: Directory, root: Path) -> None:
    (root / "same.ts").symlink_to("show/b.ts")
    (root / "also").symlink_to("show")
    for path in ("same.ts", "also/b.ts"):
        file = source.open(path)
        assert file.read(0, 9) == b"segment"
        assert source.identify_all([path]) == {path: file.identity}
        file.close()


def test_trouble_is_not_absence(source: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OSError, match="Too many"):
        source.open("a.ts")


def _descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def test_no_descriptor_stays_open(source: Directory, root: Path) -> None:
    os.mkfifo(root / "pipe")
    before = _descriptors()
    for path in ("a.ts", "show", "pipe", "none"):
        try:
            source.open(path).close()
        except SourceError:
            continue
    assert _descriptors() == before


def test_a_root_that_is_no_directory(root: Path) -> None:
    with pytest.raises(ConfigError, match="has to be a directory"):
        Directory(root / "a.ts")
    with pytest.raises(ConfigError, match="there is none at"):
        Directory(root / "none")


def test_a_root_that_is_a_link(root: Path) -> None:
    link = root.with_name("link")
    link.symlink_to(root)
    file = Directory(link).open("a.ts")
    assert isinstance(file, DirectoryFile)
    assert file.read(0, 9) == b"hello"
    file.close()
