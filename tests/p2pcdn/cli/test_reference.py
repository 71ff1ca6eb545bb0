"""The reference is what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2pcdn.cli import reference
from p2pcdn.errors import ErrorCode, SourceReason
from p2pcdn.settings import SETTINGS


def test_it_has_every_setting_once() -> None:
    page = reference.settings_page()
    for setting in SETTINGS.values():
        assert page.count(f"| `{setting.key}` |") == 1
        assert setting.description in page


@pytest.mark.parametrize("enum", [ErrorCode, SourceReason])
def test_it_has_every_code_and_its_meaning(enum: type[ErrorCode] | type[SourceReason]) -> None:
    codes = list(reference.codes(enum.__name__))
    assert [code.name for code in codes] == [code.value for code in enum]
    page = reference.errors_page()
    for code in codes:
        assert len(code.meaning) > 10
        assert f"| `{code.name}` | {code.meaning} |" in page


def test_it_is_written_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "DIRECTORY", tmp_path / "reference")
    assert reference.main(["--check"]) == 1
    assert capsys.readouterr().err.count("stale: ") == 2
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    (tmp_path / "reference" / "errors.md").write_text("old")
    assert reference.main(["--check"]) == 1
    assert reference.main(["--nonsense"]) == 2
