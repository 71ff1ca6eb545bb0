"""`p2pcdn origin`: media and the snippet, and no tracker."""

from __future__ import annotations

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
