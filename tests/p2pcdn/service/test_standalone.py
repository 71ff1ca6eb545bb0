"""A server by itself: configured by the environment, stopped by a signal."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from p2pcdn.service import Service
from p2pcdn.service.standalone import standalone
from p2pcdn.settings import Settings

SCRIPT = """
from p2pcdn.service.standalone import standalone
raise SystemExit(standalone(lambda found: []))
"""


def test_it_listens_where_the_environment_says_and_ends_well() -> None:
    environ = {"P2PCDN_LISTEN": "127.0.0.1:0"}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env=environ, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stderr is not None
        line = started.stderr.readline()
        assert '"event": "listening"' in line
        assert "http://127.0.0.1:" in line
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=20) == 0


def test_what_is_wrong_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(found: Settings) -> list[Service]:
        raise AssertionError

    monkeypatch.setenv("P2PCDN_LISTEN", "nowhere")
    assert standalone(never) == 2
    said = capsys.readouterr().err
    assert (
        said == "p2pcdn: listen is HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, not nowhere.\n"
    )
