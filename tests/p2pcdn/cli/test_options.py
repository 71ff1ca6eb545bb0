"""The options that servers share."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from p2pcdn.cli.options import Number, size
from tests.p2pcdn.cli.calling import call


def show(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    called = call(capsys, "config", "--show", *words)
    assert called.code == 0, called.err
    return called.out


def test_a_flag_of_its_own_beats_set(capsys: pytest.CaptureFixture[str]) -> None:
    out = show(capsys, "--set", "listen=:1", "--listen", ":2", "--set", "site=a", "--set", "site=b")
    assert 'listen = ":2"' in out
    assert 'site = "b"' in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "tracker.links"], "--set takes KEY=VALUE"),
        (["--set", "tracker.lnks=1"], "the nearest is tracker.links"),
        (["--listen", "here"], "listen is HOST:PORT"),
        (["--config", "none.toml"], "none.toml cannot be read"),
        (["--log-level", "loud"], "is not one of"),
    ],
)
def test_what_is_wrong_is_a_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    called = call(capsys, "config", "--show", *words)
    assert called.code == 2
    assert said in called.err
    assert called.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "count"),
    [("1000000", 10**6), ("20GB", 2 * 10**10), ("1.5g", 1_500_000_000), ("512MiB", 2**29)],
)
def test_sizes(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "GB", "20 XB", "-1", "1e9"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="A size is like 20GB"):
        size(text)


@pytest.mark.parametrize("text", ["x", "0", "31", "nan"])
def test_what_is_no_number_between(text: str) -> None:
    assert Number(1, 30).convert("2.5", None, None) == 2.5
    with pytest.raises(click.BadParameter, match=f"a number from 1 to 30, not '{text}'"):
        Number(1, 30).convert(text, None, None)
