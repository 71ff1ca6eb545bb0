"""What there is, and how it is taken out again."""

from __future__ import annotations

from pathlib import Path

import pytest

from origin.preparing import draft, holdings
from origin.preparing.holdings import Holding, NotAddedError
from origin.preparing.plan import Options
from origin.preparing.prepare import Wish, prepare
from origin.sources import added
from p2pcdn.config import Config, MountConfig
from tests.origin.media_files import write
from tests.origin.zips import zipped

MEDIA = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n#EXTINF:3.5,\nb.ts\n#EXT-X-ENDLIST\n"
INDEX = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"


@pytest.fixture
def config(content: Path, plain: Path, tmp_path: Path) -> Config:
    with plain.open("rb") as file:
        prepare(Wish.of(file, "a", 0, Options()), content, "film", lambda _: None, print)
    for name, text in {"v.m3u8": MEDIA, "index.m3u8": INDEX, "a.ts": "a", "b.ts": "b"}.items():
        write(content / "show" / name, text)
    write(content / "one.mp4", "12345")
    (draft.folder_of(content, "new")).mkdir()
    write(draft.folder_of(content, "new") / "720p-00000.m4s", "123")
    archive = zipped(tmp_path / "a.zip", {"v.m3u8": MEDIA.encode(), "a.ts": b"a", "b.ts": b"b"})
    far = MountConfig(path="far", content="https://media.example/x/")
    made = Config(content=content, data=tmp_path / "data", mount=(far,))
    with added.changed(made.data) as mounts:
        mounts.append(MountConfig(path="tv/zip", content=archive))
    return made


def by_name(config: Config) -> dict[str, Holding]:
    return {holding.name: holding for holding in holdings.holdings(config)}


def test_everything_is_listed(config: Config) -> None:
    found = by_name(config)
    kinds = {name: (holding.kind, holding.removable) for name, holding in found.items()}
    assert kinds == {
        "new": ("unfinished", True),
        "film": ("film", True),
        "show": ("folder", False),
        "one.mp4": ("file", False),
        "far": ("elsewhere", False),
        "tv/zip": ("zip", True),
    }
    lengths = {name: holding.seconds for name, holding in found.items()}
    assert lengths == {
        "new": None,
        "film": pytest.approx(12, abs=0.1),
        "show": 7.5,
        "one.mp4": None,
        "far": None,
        "tv/zip": 7.5,
    }
    assert found["show"].size == len(MEDIA) + len(INDEX) + 2
    assert found["one.mp4"].size == 5
    assert found["new"].size == 3


def test_a_film_is_removed_with_what_was_made_of_it_and_nothing_else(
    config: Config, content: Path, tmp_path: Path
) -> None:
    write(tmp_path / "outside" / "precious", "!")
    (content / "film" / "link").symlink_to(tmp_path / "outside")
    write(content / "film" / "mine.txt", "?")
    said = holdings.remove(config, "film")
    assert "2 files" in said
    assert {path.name for path in (content / "film").iterdir()} == {"link", "mine.txt"}
    assert (tmp_path / "outside" / "precious").exists()


def test_a_film_leaves_nothing(config: Config, content: Path) -> None:
    assert holdings.remove(config, "film").startswith("film is deleted, ")
    assert not (content / "film").exists()


def test_a_link_is_not_followed(config: Config, content: Path, tmp_path: Path) -> None:
    (content / "film").rename(tmp_path / "moved")
    (content / "film").symlink_to(tmp_path / "moved")
    with pytest.raises(NotAddedError, match="yours to delete"):
        holdings.remove(config, "film")
    assert (tmp_path / "moved" / "index.m3u8").exists()


def test_a_mount_is_taken_out_and_its_content_stays(config: Config, tmp_path: Path) -> None:
    assert holdings.remove(config, "tv/zip") == (
        f"tv/zip is not served any more; {tmp_path / 'a.zip'} stays as it is."
    )
    assert added.read(config.data) == ()
    assert (tmp_path / "a.zip").exists()


def test_a_draft_is_removed(config: Config, content: Path) -> None:
    holdings.remove(config, "new")
    assert not draft.folder_of(content, "new").exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("show", "was not made by `p2pcdn add`"),
        ("one.mp4", "was not made by `p2pcdn add`"),
        ("far", "is a mount of your configuration"),
        ("films", "There is nothing called films; the nearest is film"),
        ("zzzzz", "There is nothing called zzzzz; `p2pcdn list`"),
        ("../data", "There is nothing called"),
        (".new.draft", "There is nothing called"),
        ("", "There is nothing called"),
    ],
)
def test_what_was_not_added_stays(config: Config, name: str, sentence: str) -> None:
    before = by_name(config)
    with pytest.raises(NotAddedError, match=sentence):
        holdings.remove(config, name)
    assert by_name(config) == before


def test_an_archive_as_the_content_is_one_holding(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"a.ts": b"a"})
    (only,) = holdings.holdings(Config(content=archive, data=tmp_path))
    assert (only.name, only.kind, only.contents) == ("", "zip", 0)
    gone = Config(data=tmp_path, mount=(MountConfig(path="a", content=tmp_path / "none"),))
    assert [holding.kind for holding in holdings.holdings(gone)] == ["gone"]
