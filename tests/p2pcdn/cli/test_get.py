"""`p2pcdn get`: what it saves, how it says so, and how it ends."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from p2pcdn.cli.get import name_of
from tests.p2pcdn.cli.calling import call, running, serving, stalling, wait_until_some_has_come

FILM = bytes(range(256)) * 2_000
LONG = Random("long").randbytes(24_000_000)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("content")
    (folder / "film.bin").write_bytes(FILM)
    (folder / "long.bin").write_bytes(LONG)
    (folder / "bad.m3u8").write_text("no playlist")
    with serving(
        "serve", "--content", str(folder), "--data", str(tmp_path_factory.mktemp("data"))
    ) as command:
        command.read("Snippet")
        yield command.lines[next(iter(command.lines))]


def test_it_saves_a_file_and_says_where_it_came_from(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "film.bin"
    called = call(capsys, "get", f"{url}/media/film.bin", "-o", str(target))
    assert called.code == 0, called.err
    assert called.out.splitlines()[-1] == (
        f"{target}: 512.0 kB, 512.0 kB by the origin, 0 B by peers (0% saved)"
    )
    assert target.read_bytes() == FILM
    again = call(capsys, "get", f"{url}/media/film.bin", "-o", str(target))
    assert again.code == 1
    assert "is there already" in again.err


def test_in_a_folder_that_is_there_it_has_the_url_s_name(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for output, place in (("..", tmp_path), (".", tmp_path / "here")):
        called = call(capsys, "get", f"{url}/media/film.bin", "-o", output)
        assert called.code == 0, called.err
        assert (place / "film.bin").read_bytes() == FILM


def test_scripts_get_json(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "film.bin")
    called = call(capsys, "get", f"{url}/media/film.bin", "-o", target, "--json", "--no-upload")
    assert called.code == 0, called.err
    told = [json.loads(line) for line in called.out.splitlines()]
    assert [line["event"] for line in told[:-1]] == ["progress"] * (len(told) - 1)
    last = told[-1]
    assert last.pop("seconds") > 0
    assert last == {
        "event": "saved",
        "path": target,
        "bytes": len(FILM),
        "share": 1.0,
        "origin_bytes": len(FILM),
        "peer_bytes": 0,
        "kept_bytes": 0,
        "uploaded_bytes": 0,
        "links": 0,
        "saved": 0.0,
    }


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_who_is_stopped_goes_on(url: str, tmp_path: Path, end: signal.Signals) -> None:
    target = tmp_path / "long.bin"
    parts = tmp_path / "long.bin.p2pcdn"
    words = ("-o", str(target), "--json")
    with (
        stalling(url, 4_000_000) as slow,
        running("get", f"{slow}/media/long.bin", *words) as process,
    ):
        wait_until_some_has_come(process, parts / "store")
        process.send_signal(end)
        _, said = process.communicate(timeout=20)
        if end is signal.SIGINT:
            assert process.returncode == 130
            assert said == (
                f"p2pcdn: stopped. What has come is in {parts}: the same command goes on.\n"
            )
    assert not target.exists()
    with running("get", f"{url}/media/long.bin", *words) as process:
        out, said = process.communicate(timeout=40)
        assert (process.returncode, said) == (0, "")
    last = json.loads(out.splitlines()[-1])
    assert last["kept_bytes"] >= 131_072, "what was whole did not come again"
    assert last["kept_bytes"] + last["origin_bytes"] == len(LONG)
    assert target.read_bytes() == LONG
    assert not parts.exists()


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/media/none.bin", 1, "There is no content at {url}/media/none.bin."),
        ("/film.bin", 2, "is not the URL of a content"),
        (
            "[/media/film.bin",
            2,
            "A content has an http:// or https:// URL; '{url}[/media/film.bin'",
        ),
        ("/media/bad.m3u8", 1, "The origin gives no manifest for {url}/media/bad.m3u8: 422"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    url: str, path: str, code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    called = call(capsys, "get", url + path, "-o", str(tmp_path / "it"))
    assert called.code == code
    assert said.format(url=url) in called.err.strip().splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://o.test/media/a/film%20one.mp4?sig=1", "film one.mp4"),
        ("https://o.test/media/show/master.m3u8", "show"),
        ("https://o.test/media/master.m3u8", "master"),
        ("https://o.test/", "content"),
        ("https://[o.test/media/x.mp4", "content"),
        ("https://o.test/media/%2E%2E", "content"),
        ("https://o.test/media/..%2F..%2Fetc%2Fpasswd", ".._.._etc_passwd"),
        ("https://o.test/media/../..%5Cx/master.m3u8", ".._x"),
    ],
)
def test_what_it_is_called_where_nobody_says(url: str, name: str) -> None:
    assert name_of(url) == name


async def test_a_bar_is_drawn_for_a_person(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    from p2pcdn.cli.get import _bar
    from peer.native.download import Download

    async with Download(f"{url}/media/film.bin", tmp_path / "film.bin") as download:
        async with _bar(download):
            await download.fetch()
        await download.save()
    assert "512.0 kB by the origin" in " ".join(capsys.readouterr().out.split())


def test_the_manual_names_its_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "get", "--help")
    assert called.code == 0
    for word in ("-o, --output", "--json", "--tracker", "130", "Ctrl-C"):
        assert word in called.out
