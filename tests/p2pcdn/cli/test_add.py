"""`p2pcdn add`: what it makes, and what it says."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from origin.sources import added
from p2pcdn.cli import add
from tests.origin.buckets import Store, equip, moto
from tests.origin.media_files import write
from tests.origin.preparing.films import film, joined, packets, segment
from tests.origin.upstreams import Kept, fake_upstream
from tests.origin.zips import zipped
from tests.p2pcdn.cli.calling import Called, call

PLAYLIST = "#EXTM3U\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n"


class Add:
    """The command, on directories of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self.content, self.data = folder / "content", folder / "data"
        self.content.mkdir()

    @property
    def words(self) -> list[str]:
        return ["--content", str(self.content), "--data", str(self.data)]

    def __call__(self, *words: str | Path) -> Called:
        return call(self._capsys, "add", *map(str, words), *self.words)

    def events(self, *words: str | Path) -> list[dict[str, Any]]:
        called = self(*words, "--json")
        assert called.code == 0, called.err
        return [json.loads(line) for line in called.out.splitlines()]


@pytest.fixture
def adds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Add:
    return Add(capsys, tmp_path)


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "My movie (2020).mp4", seconds=5)


def test_a_film_is_added_and_there_already_the_second_time(adds: Add, movie: Path) -> None:
    first = adds(movie, "--listen", "0.0.0.0:9000")
    assert first.code == 0, first.err
    *progress, told, play, snippet, fingerprint = first.out.splitlines()
    assert progress[-1] == "Preparing My movie (2020).mp4: 100%"
    assert told.startswith("Added        My-movie-2020: 0:05, ")
    assert told.endswith(" kB: 36p (64x36, copied), audio (copied)")
    assert play == "Play         http://localhost:9000/media/My-movie-2020/index.m3u8"
    assert snippet == (
        'Snippet      <script defer src="http://localhost:9000/p2pcdn.js" data-site="pk_demo">'
        "</script>"
    )
    assert len(bytes.fromhex(fingerprint.removeprefix("Fingerprint  "))) == 32
    second = adds(movie, "--listen", "0.0.0.0:9000")
    assert second.code == 0
    assert second.out.splitlines() == [
        told.replace("Added   ", "Is there"), play, snippet, fingerprint,
    ]  # fmt: skip


def test_a_program_is_told_the_same(adds: Add, movie: Path) -> None:
    *progress, last = adds.events(movie, "--name", "Kino ä", "--ladder", "720p")
    assert last.pop("fingerprint")
    assert last.pop("snippet").startswith("<script ")
    assert last == {
        "event": "added",
        "name": "Kino ä",
        "kind": "film",
        "new": True,
        "bytes": sum(p.stat().st_size for p in (adds.content / "Kino ä").glob("[!.]*")),
        "seconds": pytest.approx(5, abs=0.1),
        "urls": ["http://127.0.0.1:8080/media/Kino%20%C3%A4/index.m3u8"],
    }
    assert progress[0] == {
        "event": "note",
        "text": "The picture has 36 lines, so there is no 720p.",
    }
    assert {event["event"] for event in progress[1:]} == {"progress"}
    assert progress[-1]["share"] == 1


def test_a_folder_is_mounted_where_it_is(adds: Add, tmp_path: Path) -> None:
    write(tmp_path / "My shows" / "one" / "v.m3u8", PLAYLIST)
    write(tmp_path / "My shows" / "one" / "a.ts", "a")
    called = adds(tmp_path / "My shows")
    assert called.code == 0, called.err
    assert called.out.splitlines()[:2] == [
        f"Added    My-shows: 1 playlist, 1 other file, served from {tmp_path / 'My shows'}",
        "Play     http://127.0.0.1:8080/media/My-shows/one/v.m3u8",
    ]
    assert adds.events(tmp_path / "My shows")[0]["new"] is False
    (mount,) = added.read(adds.data)
    assert (mount.path, mount.content) == ("My-shows", tmp_path / "My shows")
    assert list(adds.content.iterdir()) == []


def test_a_folder_of_the_content_is_there_already(adds: Add) -> None:
    write(adds.content / "show" / "v.m3u8", PLAYLIST)
    (event,) = adds.events(adds.content / "show")
    assert (event["new"], event["urls"]) == (
        False,
        ["http://127.0.0.1:8080/media/show/v.m3u8"],
    )
    assert added.read(adds.data) == ()


def test_an_archive_is_mounted_and_a_bad_one_refused(adds: Add, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "site.zip", {"v.m3u8": PLAYLIST.encode(), "a.ts": b"a"})
    (event,) = adds.events(archive, "--name", "tv/site")
    assert event["urls"] == ["http://127.0.0.1:8080/media/tv/site/v.m3u8"]
    bad = tmp_path / "bad.zip"
    bad.write_bytes(archive.read_bytes() + b"?")
    called = adds(bad)
    assert called.code == 1
    assert "is refused" in called.err or "bytes" in called.err
    assert [mount.path for mount in added.read(adds.data)] == ["tv/site"]


def test_a_name_that_is_taken(adds: Add, movie: Path, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "site.zip", {"a.ts": b"a"})
    write(adds.content / "show" / "a.ts", "a")
    assert adds(archive, "--name", "tv").code == 0
    (tmp_path / "other").mkdir()
    for words in (
        (tmp_path / "other", "--name", "tv"),
        (tmp_path / "other", "--name", "show"),
        (movie, "--name", "show"),
        (movie, "--name", "tv"),
    ):
        called = adds(*words)
        assert called.code == 1, words
        assert "--name" in called.err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["nothing.mp4"], 1, "There is nothing at nothing.mp4."),
        (["/dev/null"], 1, "/dev/null is neither a file nor a folder."),
        ([__file__], 1, "It is not a media file that can be read here"),
        (["a.mp4", "--ladder", "tall"], 2, "A ladder is heights such as 1080,720,480"),
        (["a.mp4", "--segment", "0"], 2, "--segment"),
        (["a.mp4", "--name", ".hidden"], 2, "--name takes a name for URLs"),
        (
            ["gopher://a/b"],
            2,
            "What is added can be had by http, https, s3, gs or az, not by gopher.",
        ),
        (
            ["ftp://a/b.mp4"],
            2,
            "What is added can be had by http, https, s3, gs or az, not by ftp.",
        ),
        (["/tmp", "--ladder", "720"], 2, "are for films"),
        (["https://media.example/show/", "--encode"], 2, "are for films"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    adds: Add, words: list[str], code: int, sentence: str
) -> None:
    called = adds(*words)
    assert called.code == code, called
    assert sentence in called.err
    assert called.err.startswith("p2pcdn: ")
    assert called.out == ""


def test_it_has_to_be_said_where_to(
    capsys: pytest.CaptureFixture[str], movie: Path, tmp_path: Path
) -> None:
    data = ("--data", str(tmp_path))
    called = call(capsys, "add", str(movie), *data)
    assert (called.code, called.err[:30]) == (2, "p2pcdn: Say where it goes: --c")
    archive = zipped(tmp_path / "a.zip", {"a.ts": b"a"})
    called = call(capsys, "add", str(movie), *data, "--content", str(archive))
    assert called.code == 2
    assert "needs a directory" in called.err


def test_a_data_directory_that_cannot_be_written_costs_no_film(adds: Add, movie: Path) -> None:
    (adds.data / "origin.sqlite3").mkdir(parents=True)
    called = adds(movie, "--name", "x")
    assert called.code == 0, called.err
    assert "The origin will hash it once more: The file " in called.out
    assert "Fingerprint  " in called.out


WAITING = """
import sys, time
from origin.preparing.draft import Draft
from p2pcdn.cli import main
keep = Draft.keep
def wait(self, rendition, segment):
    keep(self, rendition, segment)
    if segment.number == 1:
        print("kept", flush=True)
        time.sleep(60)
Draft.keep = wait
main(["add", *sys.argv[1:]])
"""


def test_ctrl_c_and_the_same_again(adds: Add, movie: Path) -> None:
    words = ["--segment", "1", "--name", "x", "--encode"]
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, str(movie), *words, *adds.words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "kept\n":
            assert process.poll() is None, "it ended"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "p2pcdn: stopped. The same command goes on where it was.\n"
    first = segment(adds.content / ".x.draft", 0)
    before = first.stat().st_mtime_ns
    called = adds(movie, *words)
    assert called.code == 0, called.err
    assert (adds.content / "x" / first.name).stat().st_mtime_ns == before
    assert len(packets(joined(adds.content / "x", "36p"), "video")) == 125


async def test_a_film_on_another_server_is_read_from_there(adds: Add, movie: Path) -> None:
    data = movie.read_bytes()  # noqa: ASYNC240
    async with fake_upstream() as server:
        server.files["/films/Big%20film.mp4"] = Kept.of(data)
        server.files["/films/show/v.m3u8"] = Kept.of(PLAYLIST.encode())
        loopback = ("--set", "origin.upstream.private_networks=127.0.0.1/32")

        def add(path: str, *words: str) -> Called:
            return adds(f"{server.url}films/{path}", *words)

        called = await asyncio.to_thread(add, "Big%20film.mp4", *loopback)
        assert called.code == 0, called.err
        assert "Added        Big-film: 0:05, " in called.out
        called = await asyncio.to_thread(add, "Big%20film.mp4", *loopback)
        assert "Is there     Big-film: 0:05, " in called.out
        called = await asyncio.to_thread(add, "another.mp4")
        assert called.code == 1
        assert "cannot be read from there (unreachable)" in called.err
        called = await asyncio.to_thread(add, "none.mp4", *loopback)
        assert called.code == 1
        assert "cannot be read from there (missing)" in called.err
        called = await asyncio.to_thread(add, "show/v.m3u8", *loopback)
        assert "Play     http://127.0.0.1:8080/media/show/v.m3u8" in called.out
        called = await asyncio.to_thread(add, "", *loopback)
        assert [(m.path, m.content) for m in added.read(adds.data)] == [
            ("show", f"{server.url}films/show/"),
            ("films", f"{server.url}films/"),
        ]
    plain, copied = packets(movie, "video"), joined(adds.content / "Big-film", "36p")
    assert [p.data for p in packets(copied, "video")] == [p.data for p in plain]


async def test_a_place_that_is_not_there_is_refused(adds: Add) -> None:
    async with fake_upstream() as server:
        server.files["/films/page.m3u8"] = Kept.of(b"<html>")
        url = server.url

        def add(path: str, *networks: str) -> Called:
            private = f"origin.upstream.private_networks={','.join(networks)}"
            return adds(f"{url}{path}", "--set", private)

        for path, network, said in (
            ("films/none.m3u8", "127.0.0.1/32", "cannot be read from there (missing)"),
            ("films/page.m3u8", "127.0.0.1/32", "is not a playlist: A playlist begins with"),
            ("films/none.m3u8", "10.0.0.0/8", "is not public; if it is meant"),
            ("films/", "10.0.0.0/8", "is not public; if it is meant"),
        ):
            called = await asyncio.to_thread(add, path, network)
            assert called.code == 1, path
            assert said in called.err
    called = await asyncio.to_thread(add, "films/", "127.0.0.1/32")
    assert called.code == 1
    assert called.err == (
        f"p2pcdn: {url}films/ cannot be read from there (unreachable): connection refused.\n"
    )
    assert added.read(adds.data) == ()


def test_a_film_in_a_bucket_is_read_from_there(
    adds: Add, movie: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with moto() as port:
        equip(monkeypatch)
        store = Store(port, "films")
        try:
            store.put("new/film.mp4", movie.read_bytes())
            called = adds(store.url("new/film.mp4"))
            assert called.code == 0, called.err
            assert "Added        film: 0:05, " in called.out
            called = adds(store.url("new/show/"))
            assert called.code == 0, called.err
            store.fault = "no bucket"
            called = adds(store.url("new/show/"), "--name", "other")
            assert called.code == 1
            assert "there is no such bucket" in called.err
        finally:
            store.close()
    assert (adds.content / "film" / "index.m3u8").is_file()
    assert [mount.path for mount in added.read(adds.data)] == ["show"]


def test_names_for_urls() -> None:
    assert add._slug("My movie (2020)") == "My-movie-2020"
    assert add._slug("..hidden") == "hidden"
    assert add._slug("Ünï/cødé") == "Ünï-cødé"
    assert add._slug("???") == "film"
    assert add._name_of_url("https://media.example/a/Big%20show/") == "Big-show"
    assert add._name_of_url("https://media.example") == "media.example"
