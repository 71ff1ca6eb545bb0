"""A content in the making: what is kept, and what is not believed."""

from __future__ import annotations

import errno
from fractions import Fraction
from pathlib import Path

import pytest

from origin.preparing import draft as drafts
from origin.preparing import record
from origin.preparing.boxes import Parts
from origin.preparing.draft import BusyError, Recipe, TakenError
from origin.preparing.facts import MediaError
from origin.preparing.plan import Anew
from origin.preparing.record import Origin
from origin.preparing.rendition import NOTHING_DONE, Finished, Progress
from tests.origin.preparing.films import segment as film_segment

ORIGIN = Origin("a.mp4", 1, 2, "00", 4.0)
RECIPE = Recipe(ORIGIN, Anew(), "1")


def segment(number: int, data: bytes = b"media") -> Finished:
    return Finished(number, Fraction(4 * number), Fraction(4 * number + 4), Parts(b"init", data))


def begun(content: Path, count: int) -> None:
    with drafts.opened(content, "x") as draft:
        draft.begin(RECIPE)
        for number in range(count):
            draft.keep("720p", segment(number))


def test_it_takes_its_place_when_it_is_whole(content: Path) -> None:
    with drafts.opened(content, "x") as draft:
        draft.begin(RECIPE)
        draft.keep("720p", segment(0))
        assert [path.name for path in content.iterdir()] == [".x.draft"]
        made = draft.finish({"index.m3u8": "#EXTM3U\n"}, ORIGIN, 4.0, ("720p",))
    names = {path.name for path in (content / "x").iterdir()}
    assert names == {*made.files, record.FILE}
    assert {name.rpartition("-")[0] for name in made.files} == {"720p-init", "720p-00000", ""}
    assert [path.name for path in content.iterdir()] == ["x"]
    assert record.read(content / "x") == made


def test_a_draft_goes_on(content: Path) -> None:
    begun(content, 2)
    with drafts.opened(content, "x") as draft:
        draft.begin(RECIPE)
        assert draft.done("720p") == Progress(2, Fraction(8))
        assert draft.cuts() == [0, 4, 8]
        assert draft.done("480p") == NOTHING_DONE
        assert draft.begun_at == 4 + 5 + 5
        assert draft.former_recipe() == RECIPE


def test_another_recipe_begins_anew(content: Path) -> None:
    begun(content, 2)
    with drafts.opened(content, "x") as draft:
        draft.begin(Recipe(ORIGIN, Anew("its times go back"), "1"))
        assert draft.done("720p") == NOTHING_DONE
        assert list(drafts.folder_of(content, "x").glob("*.m4s")) == []


@pytest.mark.parametrize("how", ["changed", "gone", "cut", "line"])
def test_what_is_not_right_is_not_believed(content: Path, how: str) -> None:
    begun(content, 3)
    folder = drafts.folder_of(content, "x")
    path = film_segment(folder, 1, "720p")
    if how == "changed":
        path.write_bytes(b"medio")
    elif how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(b"med")
    else:
        journal = folder / ".journal"
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join(lines[:2]) + lines[2][:20])
    with drafts.opened(content, "x") as draft:
        draft.begin(RECIPE)
        assert draft.done("720p") == Progress(1, Fraction(4))
        draft.keep("720p", segment(1))
    with drafts.opened(content, "x") as draft:
        draft.begin(RECIPE)
        assert draft.done("720p") == Progress(2, Fraction(8))


def test_an_initialisation_section_stays_the_same(content: Path) -> None:
    with drafts.opened(content, "x") as draft:
        draft.begin(RECIPE)
        draft.keep("720p", segment(0))
        with pytest.raises(MediaError, match="changes in the middle"):
            draft.keep("720p", segment(1)._replace(parts=Parts(b"other", b"")))


def test_a_place_that_is_taken(content: Path, tmp_path: Path) -> None:
    (content / "x").mkdir()
    (content / "y").symlink_to(tmp_path / "nowhere")
    for name in ("x", "y"):
        with pytest.raises(TakenError, match="something else"), drafts.opened(content, name):
            pass
    with drafts.opened(content, "z") as draft:
        draft.begin(RECIPE)
        (content / "z").mkdir()
        with pytest.raises(TakenError):
            draft.finish({}, ORIGIN, 4.0, ())


def test_only_one_at_a_time(content: Path) -> None:
    with drafts.opened(content, "x"), pytest.raises(BusyError), drafts.opened(content, "x"):
        pass


def test_what_is_being_made_is_not_thrown_away(content: Path) -> None:
    with drafts.opened(content, "x") as draft:
        draft.begin(RECIPE)
        with pytest.raises(BusyError, match="x is being added by another process"):
            drafts.discard(content, "x")
        draft.keep("720p", segment(0))
        draft.finish({"index.m3u8": "#EXTM3U\n"}, ORIGIN, 4.0, ("720p",))
    assert record.read(content / "x") is not None


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "There is no room left"),
        (errno.EDQUOT, "There is no room left"),
        (errno.EFBIG, "There is no room left"),
        (errno.EROFS, "cannot be written"),
        (errno.EACCES, "cannot be written"),
    ],
)
def test_what_a_disk_says_is_said_in_a_sentence(
    content: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    def refuse(path: Path, data: bytes) -> int:
        raise OSError(number, "what the system says")

    with drafts.opened(content, "x") as draft:
        draft.begin(RECIPE)
        monkeypatch.setattr(Path, "write_bytes", refuse)
        with pytest.raises(MediaError, match=sentence):
            draft.keep("720p", segment(0))


def test_a_draft_is_thrown_away(content: Path, tmp_path: Path) -> None:
    begun(content, 1)
    assert drafts.discard(content, "x")
    assert not drafts.discard(content, "x")
    assert list(content.iterdir()) == []
    (tmp_path / "elsewhere").mkdir()
    drafts.folder_of(content, "y").symlink_to(tmp_path / "elsewhere")
    assert not drafts.discard(content, "y")


def test_names_of_files() -> None:
    assert drafts.file_name("720p", 3, b"") == "720p-00003-e3b0c442.m4s"
    assert drafts.file_name("720p", -1, b"?") == "720p-init-8a8de823.mp4"
