"""Several sources as one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from origin.sources import Source
from origin.sources.bucket import Bucket
from origin.sources.directory import Directory
from origin.sources.mounts import Mounts, source_at, source_of
from origin.sources.zip import Zip
from p2pcdn.config import Config, MountConfig
from p2pcdn.errors import ConfigError, SourceError, SourceReason
from tests.origin.media_files import write
from tests.origin.zips import Part, archive, unzipped, zipped


@pytest.fixture
def top(tmp_path: Path) -> Directory:
    files = {"a.ts": b"top", "tv/a.ts": b"top tv", "tv/x": b"a file", "tv/shows/hidden.ts": b"no"}
    return Directory(unzipped(tmp_path / "top", files))


@pytest.fixture
def shows(tmp_path: Path) -> Zip:
    return Zip(zipped(tmp_path / "shows.zip", {"a.ts": b"shows", "new/b.ts": b"from the zip"}))


@pytest.fixture
def new(tmp_path: Path) -> Directory:
    return Directory(unzipped(tmp_path / "new", {"c.ts": b"new", "sub/d.ts": b"d"}))


@pytest.fixture
def mounts(top: Directory, shows: Zip, new: Directory) -> Mounts:
    return Mounts({"": top, "tv/shows": shows, "tv/shows/new": new, "far/off/place": new})


def text(source: Source, path: str) -> str:
    file = source.open(path)
    try:
        return file.read(0, 100).decode()
    finally:
        file.close()


def test_the_longest_prefix_wins(mounts: Mounts) -> None:
    assert text(mounts, "a.ts") == "top"
    assert text(mounts, "tv/a.ts") == "top tv"
    assert text(mounts, "tv/shows/a.ts") == "shows"
    assert text(mounts, "tv/shows/new/c.ts") == "new"
    assert text(mounts, "far/off/place/sub/d.ts") == "d"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tv",
        "tv/shows",
        "tv/shows/hidden.ts",
        "tv/shows/new/b.ts",
        "tv/showsa.ts",
        "far",
        "far/off",
        "far/off/place",
        "far/a.ts",
    ],
)
def test_what_a_mount_hides_or_nobody_has_is_missing(mounts: Mounts, path: str) -> None:
    with pytest.raises(SourceError) as caught:
        mounts.open(path)
    assert (caught.value.reason, caught.value.detail) == (SourceReason.MISSING, path)
    assert mounts.identify_all([path]) == {}


def test_identities_are_those_of_the_sources(mounts: Mounts, shows: Zip, top: Directory) -> None:
    assert mounts.identify_all(["a.ts", "tv/shows/a.ts", "tv/shows/new/c.ts", "no"]) == {
        "a.ts": top.open("a.ts").identity,
        "tv/shows/a.ts": shows.open("a.ts").identity,
        "tv/shows/new/c.ts": mounts.open("tv/shows/new/c.ts").identity,
    }


def test_lists_have_the_mounts(mounts: Mounts) -> None:
    assert mounts.list("") == (("far", "tv"), ("a.ts",))
    assert mounts.list("tv") == (("shows",), ("a.ts", "x"))
    assert mounts.list("tv/shows") == (("new",), ("a.ts",))
    assert mounts.list("tv/shows/new") == (("sub",), ("c.ts",))
    assert mounts.list("far") == (("off",), ())
    assert mounts.list("far/off") == (("place",), ())
    for ask in (mounts.list, mounts.folder_time):
        with pytest.raises(SourceError) as caught:
            ask("tv/none")
        assert caught.value.detail == "tv/none"


def test_a_mount_hides_a_file_of_its_name(top: Directory, new: Directory) -> None:
    mounts = Mounts({"": top, "tv/x": new, "a.ts/deep": new})
    assert mounts.list("") == (("a.ts", "tv"), ())
    assert mounts.list("tv") == (("shows", "x"), ("a.ts",))
    assert mounts.identify_all(["tv/x", "a.ts"]) == {}
    for path in ("tv/x", "a.ts"):
        with pytest.raises(SourceError):
            mounts.open(path)


def test_the_time_of_a_folder_is_its_sources(mounts: Mounts, shows: Zip, top: Directory) -> None:
    assert mounts.folder_time("") == top.folder_time("")
    assert mounts.folder_time("tv/shows") == shows.folder_time("")
    assert mounts.folder_time("far") == 0, "nothing comes or goes in it"


def test_without_a_top(shows: Zip) -> None:
    mounts = Mounts({"tv": shows})
    assert mounts.list("") == (("tv",), ())
    assert mounts.folder_time("") == 0
    assert text(mounts, "tv/a.ts") == "shows"
    assert mounts.identify_all(["tv/a.ts", "a.ts"]).keys() == {"tv/a.ts"}
    for ask in (mounts.open, mounts.list, mounts.folder_time):
        with pytest.raises(SourceError, match="other"):
            ask("other")


def test_other_trouble_than_absence_is_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(archive(Part(crc=7)))
    file = Mounts({"tv": Zip(path)}).open("tv/a.ts")
    with pytest.raises(SourceError, match="is damaged"):
        file.read(0, 5)
    whole = path.read_bytes()
    mounts = Mounts({"tv": Zip(path)})
    path.write_bytes(whole[:20])
    for ask in (mounts.open, mounts.list, mounts.folder_time):
        with pytest.raises(SourceError, match="written into"):
            ask("tv/a.ts")


def test_problems_are_those_of_all(mounts: Mounts, tmp_path: Path) -> None:
    assert mounts.problems() == ()
    (tmp_path / "shows.zip").unlink()
    shutil.rmtree(tmp_path / "top")
    top, shows = mounts.problems()
    assert top == f"The directory of the media, {tmp_path / 'top'}, is gone."
    assert shows == f"The archive of the media, {tmp_path / 'shows.zip'}, is gone."


def test_as_it_is_configured(tmp_path: Path) -> None:
    folder = unzipped(tmp_path / "folder", {"a.ts": b"folder"})
    packed = zipped(tmp_path / "a.zip", {"a.ts": b"zip"})
    mount = (MountConfig(path="tv", content=packed),)
    assert text(source_of(Config(content=folder)), "a.ts") == "folder"
    assert text(source_of(Config(content=packed)), "a.ts") == "zip"
    both = source_of(Config(content=folder, mount=mount))
    assert (text(both, "a.ts"), text(both, "tv/a.ts")) == ("folder", "zip")
    assert text(source_of(Config(mount=mount)), "tv/a.ts") == "zip"
    bucket = MountConfig(path="films", content="s3://films?anonymous=yes")
    assert isinstance(source_at(bucket, Config()), Bucket)


def test_what_is_far(tmp_path: Path, shows: Zip) -> None:
    mounts = source_of(
        Config(
            content=tmp_path,
            mount=(
                MountConfig(path="tv", content=tmp_path / "shows.zip"),
                MountConfig(path="far", content="s3://films?anonymous=yes"),
            ),
        )
    )
    assert [path for path in ("a.ts", "tv/a.ts", "far/a.ts") if mounts.is_far(path)] == ["far/a.ts"]


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    write(bad, "no archive")
    none = tmp_path / "none"
    for config, sentence in (
        (Config(), "Say what to serve: content has to be the directory of the media, a zip"),
        (
            Config(content=none),
            f"content has to be a directory, a zip archive or a URL; there is none at {none}.",
        ),
        (Config(content=bad), f"The archive {bad} is refused. There is no directory at its end"),
        (
            Config(mount=(MountConfig(path="tv", content=none),)),
            "The content of the mount 'tv' has to be a directory, a zip archive or a URL; there is "
            f"none at {none}.",
        ),
        (Config(content="s3://a//b"), "content has to be s3://BUCKET or s3://BUCKET/PREFIX"),
        (
            Config(content="gopher://a/"),
            "content can be had by http, https",
        ),
    ):
        with pytest.raises(ConfigError) as caught:
            source_of(config)
        assert sentence in str(caught.value)
