"""The page of settings is what the settings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2pcdn.cli import reference
from p2pcdn.settings import SETTINGS


def test_it_has_every_setting_once() -> None:
    page = reference.page()
    for setting in SETTINGS.values():
        assert page.count(f"| `{setting.key}` |") == 1
        assert setting.description in page


def test_it_is_written_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "PAGE", tmp_path / "reference" / "settings.md")
    assert reference.main(["--check"]) == 1
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    reference.PAGE.write_text("old")
    assert reference.main(["--check"]) == 1
    assert capsys.readouterr().err.count("stale: ") == 2
    assert reference.main(["--nonsense"]) == 2
