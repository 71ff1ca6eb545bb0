"""`p2pcdn demo`, for real, with a video of a few seconds."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

import origin.demo
from p2pcdn.cli.demo import _quarters
from tests.p2pcdn.cli.calling import Serving, call, serving

MADE = "Making the video (only this time): 100 %"
SEEDING = "The native peer holds all of the video now."


def demo(data: Path, *words: str) -> Any:
    return serving("demo", "--data", str(data), "--seconds", "4", *words)


def get(url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        content: bytes = answer.read()
    return content


def interrupt(command: Serving) -> int:
    """Press Ctrl-C; the exit code."""
    command.process.send_signal(signal.SIGINT)
    return command.process.wait(timeout=20)


def test_it_shows_everything_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with demo(tmp_path) as command:
        dashboard = command.read("Dashboard")
        page = command.lines["Demo"]
        assert MADE in command.lines
        assert b"p2pcdn demo" in get(page)
        assert b"p2pcdn dashboard" in get(dashboard)
        command.read(SEEDING)
        url = page.removesuffix("/demo/")
        for kind in ("demo", "live"):
            assert b"720p.m3u8" in get(f"{url}/media/{kind}/index.m3u8")
            assert b'"rendition"' in get(f"{url}/manifest/{kind}/720p.m3u8")
        summary = json.loads(get(f"{url}/api/v1/summary"))
        assert (summary["swarms"], summary["viewers"]) == (1, 0)
        assert get(f"{url}/readyz?verbose") == b"ok\n"
        assert interrupt(command) == 0
        assert command.process.stderr is not None
        assert command.process.stderr.read() == ""


def test_the_video_is_made_once_and_its_origin_can_be_cut(tmp_path: Path) -> None:
    for first in (True, False):
        with demo(tmp_path) as command:
            url = command.read("Demo").removesuffix("/demo/")
            assert (MADE in command.lines) is first
            if not first:
                get(f"{url}/demo/api/cut", b'{"cut": true}')
                with pytest.raises(HTTPError, match="503"):
                    get(f"{url}/media/demo/index.m3u8")
                get(f"{url}/demo/api/cut", b'{"cut": false}')
                assert get(f"{url}/media/demo/index.m3u8").startswith(b"#EXTM3U")
            assert command.stop() == 0


def test_ctrl_c_while_the_video_is_made_leaves_nothing(tmp_path: Path) -> None:
    with serving("demo", "--data", str(tmp_path), "--seconds", "600") as command:
        command.read("Making the video (only this time): 0 %")
        assert interrupt(command) == 130
    assert [path.name for path in (tmp_path / "demo").iterdir()] == [".demo.lock"]


def test_a_taken_port_is_a_sentence_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        called = call(capsys, "demo", "--listen", listen, "--data", str(tmp_path / "data"))
    assert called.code == 1
    assert called.err.startswith("p2pcdn: Another program listens on port ")
    assert called.err.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_without_the_bundle_it_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(origin.demo.FILES, "hls.min.js", tmp_path / "hls.min.js")
    called = call(capsys, "demo", "--data", str(tmp_path / "data"))
    assert called == (1, "", f"p2pcdn: {origin.demo.NOT_BUILT}\n")


def test_media_of_somebody_else_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "demo" / "demo").mkdir(parents=True)
    (tmp_path / "demo" / "demo" / "mine.ts").touch()
    called = call(capsys, "demo", "--listen", "127.0.0.1:0", "--data", str(tmp_path))
    assert called.code == 1
    assert "is not empty and was not made by p2pcdn" in called.err


def test_progress_without_a_terminal_is_a_line_each_quarter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell = _quarters("Working")
    for share in (0, 0.1, 0.26, 0.3, 0.5, 0.9, 1):
        tell(share)
    assert capsys.readouterr().out.split("\n") == [
        "Working: 0 %", "Working: 25 %", "Working: 50 %", "Working: 75 %", "Working: 100 %", "",
    ]  # fmt: skip


def test_the_native_peer_may_run_elsewhere_and_the_figures_may_be_kept(tmp_path: Path) -> None:
    sent = []
    for _ in range(2):
        with demo(tmp_path, "--no-peer", "--keep") as command:
            url = command.read("Demo").removesuffix("/demo/")
            command.read("watch and share. Ctrl-C ends it.")
            assert not any("native peer" in line for line in command.lines)
            sent.append(json.loads(get(f"{url}/api/v1/summary"))["origin_bytes"])
            get(f"{url}/media/demo/720p-00000.ts")
            assert json.loads(get(f"{url}/api/v1/summary"))["swarms"] == 0
            assert command.stop() == 0
    assert sent[0] == 0 < sent[1]
