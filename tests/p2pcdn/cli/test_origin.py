"""`p2pcdn origin`: media and the snippet, and no tracker."""

from __future__ import annotations

import re
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.p2pcdn.cli.calling import serving


def test_it_serves_media_and_has_no_tracker(tmp_path: Path) -> None:
    (tmp_path / "film.bin").write_bytes(b"film")
    with serving("origin", "--content", str(tmp_path), "--data", str(tmp_path / "data")) as command:
        command.read("Snippet")
        url = command.lines["Media"].split("/media/")[0]
        with urllib.request.urlopen(f"{url}/media/film.bin", timeout=20) as answer:
            assert answer.read() == b"film"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/tracker/v1", timeout=20)
        assert command.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="workers share a port")
def test_workers_add_up(tmp_path: Path) -> None:
    (tmp_path / "film.ts").write_bytes(b"f" * 100_000)
    flags = ("--content", str(tmp_path), "--data", str(tmp_path / "data"), "--workers", "2")

    def metric(url: str, name: str) -> float:
        with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:
            text = answer.read().decode()
        found = re.search(rf"^{re.escape(name)} (.*)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    with serving("origin", *flags) as command:
        command.read("Snippet")
        url = command.lines["Media"].split("/media/")[0]
        for _ in range(40):  # each a connection of its own, at whichever worker
            with urllib.request.urlopen(f"{url}/media/film.ts", timeout=20) as answer:
                assert len(answer.read()) == 100_000
        wanted = {
            'p2pcdn_origin_sent_bytes_total{account="media"}': 4_000_000,
            'p2pcdn_http_requests_total{route="/media/{path}",status="200"}': 40,
        }
        ends = time.monotonic() + 30
        while {name: metric(url, name) for name in wanted} != wanted:
            assert time.monotonic() < ends
            time.sleep(0.1)
        assert command.stop() == 0
