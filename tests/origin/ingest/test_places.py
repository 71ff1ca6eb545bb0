"""Where on the disk uploads are."""

from __future__ import annotations

from pathlib import Path

import pytest

from origin.http_error import HttpError
from origin.ingest.places import Places
from p2pcdn.config import Config, IngestConfig, MountConfig
from p2pcdn.errors import ConfigError
from tests.origin.zips import zipped


def places(content: Path | None, *mounts: MountConfig, folders: tuple[str, ...] = ()) -> Places:
    return Places(Config(content=content, mount=mounts, ingest=IngestConfig(paths=folders)))


def test_a_path_is_in_the_content_or_in_a_mount(content: Path, tmp_path: Path) -> None:
    news = tmp_path / "news"
    news.mkdir()
    found = places(content, MountConfig(path="tv/news", content=news), folders=("live", "tv/news"))
    assert found.folders == {"live": content / "live", "tv/news": news}
    assert found.file("live/a/0.ts") == content / "live/a/0.ts"
    assert (content / "live/a").is_dir()
    assert found.file("tv/news/0.ts") == news / "0.ts"
    assert found.file("tv/newsroom/0.ts") == content / "tv/newsroom/0.ts"


def test_archives_take_nothing(content: Path, tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {"0.ts": b"x"})
    archive = MountConfig(path="live/old", content=tmp_path / "a.zip")
    with pytest.raises(ConfigError, match="live/old has to be in a directory"):
        places(content, archive, folders=("live/old",))
    found = places(content, archive, folders=("live",))
    with pytest.raises(HttpError) as caught:
        found.file("live/old/1.ts")
    assert caught.value.status == 403
    with pytest.raises(ConfigError, match="live has to be in a directory"):
        places(None, archive, folders=("live",))


def test_links_do_not_lead_out(content: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (content / "inside").mkdir()
    (content / "out").symlink_to(tmp_path / "outside")
    (content / "in").symlink_to(content / "inside")
    found = places(content)
    assert found.file("in/0.ts") == content / "inside/0.ts"
    for path in ("out/0.ts", "out/new/0.ts"):
        with pytest.raises(HttpError) as caught:
            found.file(path)
        assert caught.value.status == 403
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_file_is_no_folder(content: Path) -> None:
    (content / "a.ts").write_bytes(b"x")
    for path in ("a.ts/0.ts", "a.ts/b/0.ts"):
        with pytest.raises(HttpError) as caught:
            places(content).file(path)
        assert caught.value.status == 409


@pytest.mark.parametrize("path", ["", "/live", "live/", "../live", "a//b", "a/.b", "a\\b"])
def test_folders_are_named_as_they_are_below_media(path: str) -> None:
    with pytest.raises(ConfigError, match=r"ingest\.paths takes folders below /media/"):
        IngestConfig(paths=(path,))
