"""`p2pcdn peer`: what it says when it works, when it can't, and how it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from p2pcdn.cli.peer import figures
from p2pcdn.config import Config
from p2pcdn.core.stats import Stats
from p2pcdn.model import SegmentKey
from peer.native.edge import Part
from peer.native.keeper import Progress
from peer.native.runner import NativePeer
from tests.p2pcdn.cli.calling import call, running, serving, stalling, wait_until_some_has_come

FILM = bytes(range(256)) * 2_000
LONG = Random("long").randbytes(24_000_000)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("content")
    (folder / "film.bin").write_bytes(FILM)
    (folder / "long.bin").write_bytes(LONG)
    for name in "abcd":
        (folder / f"{name}.bin").write_bytes(name.encode() * 1000)
    data = str(tmp_path_factory.mktemp("data"))
    with serving("serve", "--content", str(folder), "--data", data) as command:
        command.read("Snippet")
        yield command.lines[next(iter(command.lines))]


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    while text not in (line := process.stdout.readline()):
        assert line, "it ended"
    return line


def test_it_fetches_says_so_and_leaves_when_asked_to(url: str) -> None:
    with running("peer", f"{url}/media/film.bin") as process:
        line = read_until(process, "complete")
        assert line.startswith("film.bin: complete: 512.0 kB by the origin, 0 B by peers; ")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        assert "rror" not in process.stderr.read()


def test_with_a_gateway_it_says_where_to_play(url: str, tmp_path: Path) -> None:
    words = ("--gateway", "127.0.0.1:0", "--set", f"data={tmp_path}", f"{url}/media/film.bin")
    with running("peer", *words) as process:
        assert re.search(r"http://127\.0\.0\.1:\d+/\S{32}/$", read_until(process, "Gateway"))
        assert re.search(r" \w{4}-\w{4}-\w{4}, for a page", read_until(process, "Code"))
        place = read_until(process, "Play").split()[1]
        with urllib.request.urlopen(place) as answer:
            assert answer.read() == FILM
        read_until(process, "film.bin: complete")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_a_second_one_hears_of_the_first(url: str) -> None:
    with running("peer", f"{url}/media/film.bin") as seeder:
        read_until(seeder, "complete")
        with running("peer", f"{url}/media/film.bin", "--no-upload") as other:
            assert "0 B shared" in read_until(other, "complete")
            read_until(seeder, "1 link")


def test_a_store_outlives_a_kill(url: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    words = (f"{url}/media/long.bin", "--store", str(store))
    with (
        stalling(url, 4_000_000) as slow,
        running("peer", f"{slow}/media/long.bin", "--store", str(store)) as process,
    ):
        wait_until_some_has_come(process, store)
    with running("peer", *words) as process:
        line = read_until(process, "complete")
        came = float(line.split(" complete: ")[1].split(" MB by the origin")[0])
        assert 0 < came <= (len(LONG) - 131_072) / 1e6 + 0.05, "what was whole did not come again"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    with running("peer", *words) as process:
        assert "complete: 0 B by the origin" in read_until(process, "complete")


def test_several_processes_share_the_contents_out(url: str, tmp_path: Path) -> None:
    words = [f"{url}/media/{name}.bin" for name in ("a", "b", "c", "d")]
    with running("peer", *words, "--processes", "2", "--store", str(tmp_path)) as process:
        seen: set[str] = set()
        while len(seen) < 4:
            seen.add(read_until(process, ": complete: ").split(":")[0])
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    for part in (Part(0, 2), Part(1, 2)):
        place = tmp_path / f"{part.index + 1}-of-2"
        assert place.is_dir()
        assert len(list(place.glob("*/??/*"))) == sum(map(part.has, words))


def test_when_one_process_fails_all_end(url: str) -> None:
    words = [f"{url}/media/{name}.bin" for name in ("a", "b", "c", "none")]
    with running("peer", *words, "--processes", "2") as process:
        assert process.wait(timeout=30) == 1
        assert process.stderr is not None
        assert "There is no content at" in process.stderr.read()


async def test_whoever_does_not_heed_that_is_ended_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from p2pcdn.cli import peer

    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\nfor last; do :; done\n[ "$last" = 1/2 ] && exec sleep 1\n'
        "trap '' TERM\nwhile :; do sleep 1; done\n"
    )
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(peer, "ENDS_WITHIN", 0.2)
    assert await peer._in_processes(2) == 0


async def test_the_exit_code_is_that_of_who_ended_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from p2pcdn.cli.peer import _in_processes

    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\nfor last; do :; done\n[ "$last" = 1/3 ] && exit 3\nexec sleep 60\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(sys, "argv", ["p2pcdn", "peer"])
    assert await _in_processes(3) == 3


def test_parts_have_limits_of_their_own_and_processes_share_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    held: list[tuple[Part, Path | None, int | None]] = []

    async def hold(_: Any, config: Config, __: Any, part: Part, **___: Any) -> None:
        held.append((part, config.peer.store, config.peer.daily_budget))

    monkeypatch.setattr("p2pcdn.cli.peer._hold", hold)
    words = ("peer", "http://o.test/media/a", "--store", str(tmp_path), "--daily-budget", "40")
    assert call(capsys, *words, "--part", "2/4").code == 0
    assert call(capsys, *words, "--processes", "4", "--process", "2/4").code == 0
    assert held == [(Part(1, 4), tmp_path, 40), (Part(1, 4), tmp_path / "2-of-4", 10)]


def test_a_second_process_has_no_part_in_a_store(url: str, tmp_path: Path) -> None:
    words = (f"{url}/media/film.bin", "--store", str(tmp_path))
    with running("peer", *words) as process:
        read_until(process, "complete")
        with running("peer", *words) as other:
            assert other.wait(timeout=20) == 1
            assert other.stderr is not None
            assert f"The store at {tmp_path} is in use by another process" in other.stderr.read()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["{url}/media/none.bin"], 1, "There is no content at {url}/media/none.bin."),
        (["{url}/film.bin"], 2, "'{url}/film.bin' is not the URL of a content"),
        (["film.bin"], 2, "A content has an http:// or https:// URL; 'film.bin' is none."),
        (["{url}/media/film.bin", "{url}/media/none.bin"], 1, "There is no content at"),
        (["http://127.0.0.1:1/media/film.bin"], 1, "cannot be reached: connection refused."),
        (["{url}/media/film.bin", "--tracker", "{url}/media/"], 1, "There is no tracker at"),
        (["{url}/media/film.bin", "--tracker", "nonsense"], 2, "A tracker has a URL such as"),
        (["{url}/media/film.bin", "--advertise", "here"], 2, "takes IP addresses"),
        (["{url}/media/film.bin", "--key", "0123"], 2, "takes thumbprints"),
        (["{url}/media/film.bin", "--key", "0" * 64], 1, "not signed by a key that is pinned"),
        (["{url}/media/film.bin", "--max-size", "much"], 2, "A size is like 20GB"),
        (["{url}/media/film.bin", "--hours", "at night"], 2, "takes times of day such as"),
        (["{url}/media/film.bin", "--part", "3/2"], 2, "A part is like 2/4"),
        (["--gateway", "127.0.0.1:0", "--part", "3/2"], 2, "A part is like 2/4"),
        (
            ["{url}/media/film.bin", "--part", "1/2", "--processes", "2"],
            2,
            "not to both: give --part",
        ),
        (["--follow", "{url}"], 2, "A site is kept on disk: --follow needs --store DIR"),
        (["--follow", "example.com"], 2, "peer.follow takes URLs such as"),
        (
            ["--follow", "http://[x", "--store", "{folder}"],
            2,
            "A site has a URL such as https://HOST",
        ),
        (["{url}/media/film.bin", "--store", "/dev/null"], 1, "The store has to be a directory"),
        ([], 2, "Say what to keep: a URL, or several; or --follow"),
        (["--gateway", "0.0.0.0:0"], 2, "The gateway is for this machine alone"),
        (["--gateway", "127.0.0.1:0", "--hours", "22-6"], 2, "With a gateway, hours and a daily"),
        (["--gateway", "127.0.0.1:0", "--daily-budget", "1GB"], 2, "With a gateway, hours and a"),
        (["--gateway", "here"], 2, "peer.gateway is HOST:PORT"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    url: str,
    words: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    called = call(capsys, "peer", *(word.format(url=url, folder=tmp_path) for word in words))
    complaint = called.err.strip().splitlines()[-1]
    assert complaint.startswith("p2pcdn: ")
    assert said.format(url=url) in complaint
    assert called.code == code


class Standing:
    """A peer that stands still, to be looked at."""

    progress = Progress(3, 12)
    stats = Stats(origin_bytes=999, peer_bytes=1_250_000, uploaded_bytes=2_000_000_000, links=2)

    def is_complete(self) -> bool:
        return False


def test_figures() -> None:
    assert figures(cast(Any, Standing())) == (
        "3 of 12 segments: 999 B by the origin, 1.2 MB by peers; 2.0 GB shared, 2 links"
    )


async def test_bars_are_drawn_for_a_person(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from p2pcdn.cli.peer import _bars

    async with NativePeer(f"{url}/media/film.bin", config=Config()) as peer:
        await peer.complete()
        assert peer.segment(SegmentKey("film.bin", 0)) == FILM

        async def enough(*_: object) -> None:
            raise InterruptedError

        monkeypatch.setattr("p2pcdn.cli.peer._changed", enough)
        with pytest.raises(InterruptedError):
            async with _bars() as show:
                await show(peer)
    assert "film.bin" in capsys.readouterr().out


def test_the_manual_names_its_options(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    called = call(capsys, "peer", "--help")
    assert called.code == 0
    for option in (
        "URL...",
        "--tracker",
        "--no-upload",
        "--advertise",
        "--key",
        "--store",
        "--max-size",
        "--set",
    ):
        assert option in called.out


def test_before_it_is_known_what_there_is() -> None:
    peer = Standing()
    peer.progress = Progress(0, 0)
    assert figures(cast(Any, peer)).startswith("looking what there is: ")
