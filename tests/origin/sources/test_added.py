"""Mounts that come and go while an origin runs."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from origin.catalog.library import Library
from origin.sources import added
from origin.sources.directory import Directory
from origin.sources.mounts import source_of
from origin.sources.zip import Zip
from p2pcdn.config import Config, MountConfig
from p2pcdn.errors import ConfigError, SourceError
from tests.origin.media_files import write
from tests.origin.sources.test_mounts import text
from tests.origin.zips import unzipped, zipped


def mount(data: Path, path: str, content: Path | str) -> None:
    with added.changed(data) as mounts:
        mounts.append(MountConfig(path=path, content=content))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(added, "LOOK", 0.0)


def test_mounts_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert added.read(tmp_path) == ()
    mount(tmp_path, "a", tmp_path / 'odd "name" \\ here')
    mount(tmp_path, "tv/b", "https://media.example/x/")
    assert [(each.path, each.content) for each in added.read(tmp_path)] == [
        ("a", tmp_path / 'odd "name" \\ here'),
        ("tv/b", "https://media.example/x/"),
    ]
    assert (tmp_path / added.FILE).stat().st_mode & 0o077 == 0
    with added.changed(tmp_path) as mounts:
        del mounts[0]
    assert [each.path for each in added.read(tmp_path)] == ["tv/b"]


def test_two_who_add_at_once_lose_nothing(tmp_path: Path) -> None:
    threads = [threading.Thread(target=mount, args=(tmp_path, f"m{n}", tmp_path)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.path for each in added.read(tmp_path)} == {f"m{n}" for n in range(8)}


def test_a_failure_changes_nothing(tmp_path: Path) -> None:
    mount(tmp_path, "a", tmp_path)
    before = (tmp_path / added.FILE).read_bytes()
    with pytest.raises(ZeroDivisionError), added.changed(tmp_path) as mounts:  # noqa: PT012
        mounts.clear()
        raise ZeroDivisionError
    assert (tmp_path / added.FILE).read_bytes() == before


@pytest.mark.parametrize(
    "said",
    [
        "[[mount]]\npath = 1\n",
        "mount = 3",
        "[[mount",
        "\xff",
        '[[mount]]\npath = "../a"\ncontent = "/"\n',
        '[[mount]]\npath = "a"\ncontent = "/"\n[[mount]]\npath = "a"\ncontent = "/"\n',
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, said: str) -> None:
    (tmp_path / added.FILE).write_bytes(said.encode("latin-1"))
    with pytest.raises(ConfigError):
        added.read(tmp_path)


def test_a_running_origin_follows_the_file(tmp_path: Path) -> None:
    top = unzipped(tmp_path / "top", {"a.ts": b"top"})
    archive = zipped(tmp_path / "b.zip", {"b.ts": b"zip", "v.m3u8": b"#EXTM3U\n"})
    config = Config(content=top, data=tmp_path / "data")
    source = source_of(config)
    library = Library(source)
    assert list(library.look().playlists) == []
    mount(config.data, "tv/new", archive)
    assert text(source, "tv/new/b.ts") == "zip"
    assert text(source, "a.ts") == "top"
    assert list(library.look().playlists) == ["tv/new/v.m3u8"]
    with added.changed(config.data) as mounts:
        mounts.clear()
    with pytest.raises(SourceError):
        source.open("tv/new/b.ts")
    assert list(library.look().playlists) == []


def test_each_making_is_another_version(tmp_path: Path) -> None:
    top = unzipped(tmp_path / "top", {"a.ts": b"top"})
    config = Config(content=top, data=tmp_path / "data")
    source = source_of(config)
    before = source.version()
    assert before is not None
    mount(config.data, "b", top)
    assert source.version() is None  # until a thread has seen to it
    assert text(source, "b/a.ts") == "top"
    assert source.version() == before + 1
    assert text(source, "a.ts") == "top"
    assert source.version() == before + 1


def test_a_folder_that_is_mounted_among_others_is_listed_anew(tmp_path: Path) -> None:
    """The top's own time is of no use: it is older than what the library has seen."""
    top = unzipped(tmp_path / "top", {"a.ts": b"top"})
    os.utime(top, (1, 1))
    config = Config(content=top, data=tmp_path / "data")
    source = source_of(config)
    library = Library(source)
    library.look()
    write(tmp_path / "more" / "v.m3u8", "#EXTM3U\n")
    mount(config.data, "more", tmp_path / "more")
    assert list(library.look().playlists) == ["more/v.m3u8"]


def test_what_cannot_be_mounted_keeps_nothing_else_away(tmp_path: Path) -> None:
    top = unzipped(tmp_path / "top", {"a.ts": b"top"})
    good = unzipped(tmp_path / "good", {"b.ts": b"good"})
    config = Config(
        content=top, data=tmp_path / "data", mount=(MountConfig(path="mine", content=good),)
    )
    mount(config.data, "gone", tmp_path / "nothing")
    mount(config.data, "mine", top)
    mount(config.data, "good", good)
    source = source_of(config)
    assert text(source, "a.ts") == "top"
    assert text(source, "mine/b.ts") == "good"  # the configuration's own comes first
    assert text(source, "good/b.ts") == "good"
    with pytest.raises(SourceError):
        source.open("gone/b.ts")


def test_a_file_that_is_broken_while_serving_changes_nothing(tmp_path: Path) -> None:
    good = unzipped(tmp_path / "good", {"b.ts": b"good"})
    config = Config(data=tmp_path / "data")
    mount(config.data, "good", good)
    source = source_of(config)
    (config.data / added.FILE).write_text("[[")
    assert text(source, "good/b.ts") == "good"
    with pytest.raises(ConfigError):
        source_of(config)


def test_a_source_that_stays_is_kept_with_what_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    config = Config(data=tmp_path / "data")
    for name in ("a", "b"):
        zipped(tmp_path / f"{name}.zip", {f"{name}.ts": name.encode()})
    mount(config.data, "a", tmp_path / "a.zip")

    def make(path: Path) -> Zip:
        made.append(path.name)
        return Zip(path)

    monkeypatch.setattr("origin.sources.mounts.Zip", make)
    source = source_of(config)
    mount(config.data, "b", tmp_path / "b.zip")
    assert text(source, "b/b.ts") == "b"
    assert text(source, "a/a.ts") == "a"
    assert made == ["a.zip", "b.zip"]


def test_a_source_that_is_not_needed_any_more_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = 0

    def close(_: Directory) -> None:
        nonlocal closed
        closed += 1

    monkeypatch.setattr(Directory, "close", close)
    config = Config(data=tmp_path / "data")
    for name in ("a", "b"):
        mount(config.data, name, unzipped(tmp_path / name, {"x.ts": b"x"}))
    source = source_of(config)
    with added.changed(config.data) as mounts:
        del mounts[0]
    source.open("b/x.ts").close()
    assert closed == 1
    source.close()
    assert closed == 2
