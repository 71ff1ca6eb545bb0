"""The reference is what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2pcdn.cli import COMMANDS, reference
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
    assert capsys.readouterr().err.count("stale: ") == len(reference.pages())
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    (tmp_path / "reference" / "errors.md").write_text("old")
    assert reference.main(["--check"]) == 1
    assert reference.main(["--nonsense"]) == 2


def test_it_has_every_command_and_option() -> None:
    page = reference.commands_page()
    for name in COMMANDS:
        assert f"## p2pcdn {name}\n" in page
    assert "## p2pcdn token new-key\n" in page  # one within a group
    assert "| `--listen` `HOST:PORT` |" in page
    assert "`p2pcdn get URL [OPTIONS]`" in page
    assert "| `--json` |" in page


def test_it_has_every_metric() -> None:
    page = reference.metrics_page()
    assert "| `p2pcdn_viewers` | gauge |" in page
    assert "| `p2pcdn_http_requests_total` | counter |" in page
    assert page.count("\n| `p2pcdn_") > 20
