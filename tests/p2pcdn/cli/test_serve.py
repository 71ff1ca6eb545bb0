"""`p2pcdn serve`: both servers on one port, and what it prints."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import sqlite3
import urllib.request
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from p2pcdn.wire.codec import decode_manifest
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import Invite, Leases, SendOffer
from tests.origin.media_files import media_playlist, write
from tests.p2pcdn.cli.calling import call, serving
from tests.p2pcdn.core.swarming import live, sdp
from tests.tracker.rig import Client, link


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        body: bytes = answer.read()
    return body


def test_it_serves_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "film.bin").write_bytes(b"film")
    with serving("serve", "--content", str(tmp_path), "--data", str(tmp_path / "data")) as command:
        snippet = command.read("Snippet")
        url = command.lines[next(iter(command.lines))]
        assert command.lines["Media"] == f"{url}/media/ from {tmp_path}"
        assert command.lines["Dashboard"] == f"{url}/dashboard/"
        assert snippet == f'<script defer src="{url}/p2pcdn.js" data-site="pk_demo"></script>'
        address, integrity = re.findall(r'(?:src|integrity)="([^"]*)"', command.read("Pinned"))
        digest = base64.b64encode(hashlib.sha384(get(address)).digest()).decode()
        assert integrity == f"sha384-{digest}"
        assert get(f"{url}/media/film.bin") == b"film"
        assert json.loads(get(f"{url}/api/v1/summary"))["origin_bytes"] >= 0
        banner = b"//# allFunctionsCalledOnLoad\n/*! p2pcdn "
        assert get(f"{url}/p2pcdn.js").startswith(banner)
        assert get(f"{url}/readyz?verbose") == b"ok\n"
        assert command.stop() == 0


def test_figures_outlive_a_restart(tmp_path: Path) -> None:
    (tmp_path / "film.bin").write_bytes(bytes(100_000))
    words = ("serve", "--content", str(tmp_path), "--data", str(tmp_path / "data"))
    for run in (1, 2):
        with serving(*words) as command:
            command.read("Snippet")
            url = command.lines[next(iter(command.lines))]
            before = json.loads(get(f"{url}/api/v1/summary"))
            assert before["origin_bytes"] == (run - 1) * 100_000
            assert len(get(f"{url}/media/film.bin")) == 100_000
            assert command.stop() == 0  # at once, so that what was sent just now is written, too
    with closing(sqlite3.connect(tmp_path / "data" / "ledger.sqlite3")) as ledger:
        rows = ledger.execute("SELECT width, SUM(origin_bytes) FROM everything GROUP BY width")
        assert dict(rows) == {10: 200_000, 60: 200_000, 3600: 200_000}


@pytest.mark.parametrize("command", ["serve", "tracker"])
def test_a_ledger_of_a_later_version_is_a_sentence(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as ledger:
        ledger.execute("PRAGMA user_version = 99")
    words = ["--content", str(tmp_path)] if command == "serve" else []
    listen = ["--listen", "127.0.0.1:0", "--data", str(tmp_path)]
    called = call(capsys, command, *words, *listen)
    assert called.code == 2
    assert called.err.startswith(f"p2pcdn: The ledger {tmp_path}/ledger.sqlite3 has format 99")
    assert called.err.count("\n") == 1


async def test_what_comes_out_live_reaches_those_who_are_to_fetch_it(tmp_path: Path) -> None:
    content = tmp_path / "content"

    def publish(last: int) -> None:
        write(content / f"{last}.ts", f"segment {last}")
        names = [f"{number}.ts" for number in range(last + 1)]
        write(content / "live.m3u8", media_playlist(names, live=True))

    publish(3)
    with serving("serve", "--content", str(content), "--data", str(tmp_path / "data")) as command:
        command.read("Snippet")
        url = command.lines[next(iter(command.lines))]
        page = decode_manifest(get(f"{url}/manifest/live.m3u8"))
        where = live(3, of="live.m3u8")
        async with aiohttp.ClientSession() as session:
            early, late = [
                await Client(await session.ws_connect(f"{url}/tracker/v1")).join(
                    content=page.content, position=where
                )
                for _ in range(2)
            ]
            invite = await late.expect(Invite)
            await late.send(SendOffer(invite.pairing, sdp()))
            await link(late, early, invite.pairing)
            await early.expect(Leases)
            publish(4)
            told = await early.expect(Records)
            assert [record.sequence for record in told.page.segments] == [4]
            assert told == await late.expect(Records)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "Say what to serve: --content DIR"),
        (["--content", "/no/such/place"], 1, "there is none at /no/such/place"),
        (["--content", __file__], 1, "it is cut off, or no zip archive"),
        (["--content", "ftp://a/b"], 2, "by http, https, s3, gs or az, not by ftp"),
        (["--content", ".", "--data", __file__], 2, "data has to be a directory"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "origin"])
def test_without_content_it_says_so(
    command: str, words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    called = call(capsys, command, *words)
    assert called.code == code
    assert said in called.err


def test_a_taken_port_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        data = str(tmp_path / "data")
        words = ["--content", str(tmp_path), "--listen", listen, "--data", data]
        called = call(capsys, "serve", *words)
    assert called.code == 1
    assert called.err.startswith("p2pcdn: Another program listens on port ")
    assert called.err.count("\n") == 1


def test_the_site_of_the_media_is_one_that_the_tracker_serves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--content", str(tmp_path), "--set", "sites.pk_shop.mode=lan"]
    called = call(capsys, "serve", *words)
    assert called.code == 2
    assert "would not serve the site of the media, pk_demo" in called.err
    assert "[sites.pk_demo]" in called.err


def test_that_it_is_open_stands_in_its_log(tmp_path: Path) -> None:
    with serving("serve", "--content", str(tmp_path), "--data", str(tmp_path / "data")) as command:
        command.read("Snippet")
        assert command.stop() == 0
        assert command.process.stderr is not None
        logged = [json.loads(line) for line in command.process.stderr]
    assert [(line["event"], line["site"]) for line in logged if line["event"] == "open"] == [
        ("open", "pk_demo")
    ]
