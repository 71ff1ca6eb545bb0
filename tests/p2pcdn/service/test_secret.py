"""Tokens in files; what `test_admin.py` says of the admin token holds for others as well."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from p2pcdn.errors import ConfigError
from p2pcdn.service.secret import token_in


def test_it_is_made_once_and_for_nobody_else_to_read(tmp_path: Path) -> None:
    file = tmp_path / "data" / "token"
    token = token_in(file, "token")
    assert len(token) >= 43
    assert token_in(file, "token") == token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["token"]


@pytest.mark.parametrize(
    "text", ["", "short\n", "with a\ttab in it, and long", "not-ascii-é-é-é-é"]
)
def test_what_is_none_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)
    with pytest.raises(ConfigError, match="has to hold a token of 16 characters"):
        token_in(tmp_path / "token", "token")


def test_so_is_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    with pytest.raises(ConfigError, match=r"The token of encoders in .* cannot be used"):
        token_in(tmp_path / "token", "token of encoders")
