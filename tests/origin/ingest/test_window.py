"""What is deleted when."""

from __future__ import annotations

from pathlib import Path

import pytest

from origin.ingest.window import GRACE, Window
from tests.origin.media_files import media_playlist, multivariant_playlist, write

WINDOW = 60.0


class Folder:
    def __init__(self, content: Path, most: int = 10_000_000) -> None:
        self.place = content / "live"
        self.window = Window({"live": self.place}, WINDOW, most)

    def publish(self, *numbers: int, first: int = 0) -> None:
        text = media_playlist((f"{n}.ts" for n in numbers), first=first, live=True)
        write(self.place / "a.m3u8", text)

    def put(self, number: int, now: float, size: int = 10_000) -> None:
        write(self.place / f"{number}.ts", bytes(size))
        self.window.put(f"live/{number}.ts", self.place / f"{number}.ts", size, now)

    @property
    def numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self.place.glob("[0-9]*.ts"))


@pytest.fixture
def folder(content: Path) -> Folder:
    return Folder(content)


def test_a_segment_stays_for_the_window_after_it_left_its_playlist(folder: Folder) -> None:
    for number in range(4):
        folder.put(number, 0.0)
    folder.publish(0, 1, 2, 3)
    folder.window.sweep(1000.0)
    assert folder.numbers == [0, 1, 2, 3]
    folder.publish(2, 3)
    folder.window.sweep(1000.0 + WINDOW)
    assert folder.numbers == [0, 1, 2, 3]
    folder.window.sweep(1000.1 + WINDOW)
    assert folder.numbers == [2, 3]
    assert folder.window.keeps("live/2.ts")
    assert not folder.window.keeps("live/0.ts")


def test_so_does_one_that_no_playlist_ever_named(folder: Folder) -> None:
    folder.put(0, 5.0)
    folder.window.sweep(5.0 + WINDOW)
    assert folder.numbers == [0]
    folder.window.sweep(5.1 + WINDOW)
    assert folder.numbers == []


def test_after_a_restart_it_counts_from_then(folder: Folder, content: Path) -> None:
    for number in range(4):
        folder.put(number, 0.0)
    folder.publish(2, 3)
    write(folder.place / "film.mp4", b"not an encoder's")
    write(folder.place / "poster.jpg", b"nor this")
    again = Folder(content)
    again.window.sweep(7.0)
    again.window.sweep(7.0 + WINDOW)
    assert again.numbers == [0, 1, 2, 3]
    again.window.sweep(7.1 + WINDOW)
    assert again.numbers == [2, 3]
    again.window.sweep(100 * WINDOW)
    assert (folder.place / "film.mp4").exists()
    assert (folder.place / "poster.jpg").exists()


def test_playlists_and_initialisation_sections_stay(folder: Folder) -> None:
    write(folder.place / "b/init.mp4", b"init")
    write(folder.place / "b/1.m4s", b"x")
    text = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:2,\n1.m4s\n'
    write(folder.place / "b/a.m3u8", text)
    write(folder.place / "all.m3u8", multivariant_playlist(["b/a.m3u8"]))
    for now in (0.0, 1000.0):
        folder.window.sweep(now)
    (folder.place / "all.m3u8").unlink()
    for now in (2000.0, 3000.0):
        folder.window.sweep(now)
    left = sorted(path.name for path in (folder.place / "b").iterdir())
    assert left == ["1.m4s", "a.m3u8", "init.mp4"]


def test_what_dash_names_by_patterns_stays(folder: Folder) -> None:
    for name in ("d/show.mpd", "d/init-0.m4s", "d/0/chunk-1.m4s", "1.ts"):
        write(folder.place / name, b"x")
        folder.window.put(f"live/{name}", folder.place / name, 1, 0.0)
    for now in (1.0, 1000.0):
        folder.window.sweep(now)
    left = sorted(path.name for path in folder.place.rglob("*") if path.is_file())
    assert left == ["chunk-1.m4s", "init-0.m4s", "show.mpd"]
    assert not folder.window.keeps("live/d/0/chunk-1.m4s")


def test_when_there_is_no_room_what_left_longest_ago_goes_first(content: Path) -> None:
    folder = Folder(content, most=100_000)
    for number in range(8):
        folder.put(number, float(number))
    folder.publish(6, 7)
    folder.window.sweep(10.0)
    assert folder.window.reserve(15_000, 10.0)  # 80 KB, and a playlist, which counts for 4
    assert not folder.window.reserve(10_000, 10.0)  # viewers may be about to ask
    now = 3.1 + GRACE
    assert folder.window.reserve(25_000, now)
    assert folder.numbers == [3, 4, 5, 6, 7]
    assert not folder.window.reserve(40_000, now)
    folder.window.release(40_000)
    now = 3600.0
    assert folder.window.reserve(70_000, now)
    assert folder.numbers == [6, 7]  # those are named
    assert not folder.window.reserve(10_000, now)


def test_small_files_take_room_as_well(content: Path) -> None:
    folder = Folder(content, most=1_048_576)
    for number in range(255):
        folder.put(number, 0.0, size=1)
    assert folder.window.reserve(4096, 0.0)
    assert not folder.window.reserve(1, 0.0)


def test_what_is_put_again_counts_once(content: Path) -> None:
    folder = Folder(content, most=100_000)
    for _ in range(20):
        folder.put(0, 0.0, size=60_000)
    assert folder.window.reserve(40_000, 0.0)


def test_what_a_killed_process_left_is_removed(folder: Folder) -> None:
    write(folder.place / ".0.ts.part", b"half")
    write(folder.place / ".gitignore", b"somebody's")
    folder.window.sweep(0.0)
    assert [path.name for path in folder.place.iterdir()] == [".gitignore"]


def test_there_need_be_no_folder_yet(folder: Folder) -> None:
    folder.window.sweep(0.0)
    assert not folder.place.exists()


def test_a_playlist_has_nothing_deleted_that_is_not_in_its_folder(folder: Folder) -> None:
    for name in ("b/talk1.mp4", "b/talk2.mp4", "a2/1.ts", "a1/1.ts", "a1/2.ts"):
        write(folder.place / name, b"x")
    text = media_playlist(("../b/talk1.mp4", "2.ts"), live=True)
    write(folder.place / "a1/a.m3u8", text)
    folder.window.sweep(0.0)
    write(folder.place / "a1/a.m3u8", media_playlist(("2.ts",), live=True))
    for now in (1.0, 1000.0, 2000.0):
        folder.window.sweep(now)
    left = sorted(str(path.relative_to(folder.place)) for path in folder.place.rglob("*.*"))
    assert left == ["a1/2.ts", "a1/a.m3u8", "a2/1.ts", "b/talk1.mp4", "b/talk2.mp4"]


@pytest.mark.parametrize(("within", "left"), [("", [0]), ("live", [0]), ("live/lists", [])])
def test_a_playlist_keeps_what_it_names_where_who_put_it_may_put_things(
    folder: Folder, within: str, left: list[int]
) -> None:
    folder.put(0, 0.0)
    place = folder.place / "lists/a.m3u8"
    data = write(place, media_playlist(("../0.ts",), live=True))
    folder.window.put("live/lists/a.m3u8", place, len(data), 0.0, within)
    for now in (1.0, 1000.0, 2000.0):
        folder.window.sweep(now)
    assert folder.numbers == left


def test_nor_does_one_of_another_folder_keep_what_there_is_no_room_for(content: Path) -> None:
    folder = Folder(content, most=100_000)
    folder.put(0, 0.0, size=80_000)
    write(folder.place / "lists/a.m3u8", media_playlist(("../0.ts",), live=True))
    folder.window.sweep(1.0)
    assert folder.window.reserve(50_000, 1.1 + GRACE)
    assert folder.numbers == []


def test_playlists_below_the_folder_of_a_token_take_a_share_of_the_room(content: Path) -> None:
    folder = Folder(content, most=1_600_000)
    for number in range(3):
        name = f"x/{number}/a.m3u8"
        write(folder.place / name, bytes(30_000))
        folder.window.put(f"live/{name}", folder.place / name, 30_000, 0.0, "live/x")
    for _ in range(2):  # also after a restart
        assert folder.window.takes("live/x/a.m3u8", 10_000, "live/x")
        assert not folder.window.takes("live/x/a.m3u8", 10_001, "live/x")
        assert folder.window.takes("live/x/0/a.m3u8", 40_000, "live/x")  # in the place of another
        assert folder.window.takes("live/xy/a.m3u8", 100_000, "live/xy")
        assert folder.window.takes("live/x/a.m3u8", 1_000_000, "")
        folder = Folder(content, most=1_600_000)
        folder.window.sweep(0.0)
