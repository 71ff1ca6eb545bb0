"""``python -m origin.synth``."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from origin.synth.__main__ import main


def test_it_makes_a_presentation_and_says_where(tmp_path: Path) -> None:
    words = ["vod", str(tmp_path / "film"), "--seconds", "2", "--tiny"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    assert result.output == f"{tmp_path}/film/index.m3u8\n"
    assert (tmp_path / "film" / "180p-00000.ts").exists()


def test_a_directory_in_use_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    result = CliRunner().invoke(main, ["vod", str(tmp_path), "--seconds", "2", "--tiny"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "is not empty" in result.output
