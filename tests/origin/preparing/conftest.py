"""Films that many tests need, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.origin.preparing.films import film


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s of H.264 and AAC in MP4, a key frame a second, frames out of order."""
    folder = tmp_path_factory.mktemp("films")
    return film(folder / "plain.mp4", seconds=12, reorder=2)


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    folder.mkdir()
    return folder
