"""`p2pcdn keys`: a rotation, as an operator does it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from origin import keyring
from tests.p2pcdn.cli.calling import Called, call


@pytest.fixture
def keys(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Keys:
    return Keys(capsys, tmp_path / "data")


class Keys:
    """The command, on a data directory."""

    def __init__(self, capsys: pytest.CaptureFixture[str], data: Path) -> None:
        self._capsys = capsys
        self.data = data

    def __call__(self, *words: str) -> Called:
        return call(self._capsys, "keys", *words, "--data", str(self.data))

    def states(self, *words: str) -> dict[str, str]:
        """Which key is what, as the command prints it."""
        called = self(*words)
        assert called.code == 0, called.err
        found = re.findall(r"(?m)^([0-9a-f]{16})  (\w+), made \d{4}-\d\d-\d\d", called.out)
        return {state: key for key, state in found}


def test_the_keys_are_listed_with_what_to_pin(keys: Keys) -> None:
    called = keys("list")
    pair = keyring.load(keys.data).current
    edwards, curve = pair.thumbprints()
    assert called.code == 0
    assert called.out.startswith(f"{pair.id}  current, made {pair.created:%Y-%m-%d %H:%M} UTC\n")
    assert f"ed25519     {edwards}\n" in called.out
    assert f"ecdsa-p256  {curve}\n" in called.out
    assert f'data-key="{curve}"\n' in called.out
    assert f"p2pcdn peer --key {curve} URL\n" in called.out


def test_a_rotation(keys: Keys) -> None:
    old = keys.states("list")["current"]
    states = keys.states("new")
    new = states["next"]
    assert states == {"current": old, "next": new}
    pins = re.search(r'data-key="([0-9a-f]{64}) ([0-9a-f]{64})"', keys("list").out)
    assert pins is not None
    assert keys.states("rotate") == {"current": new, "previous": old}
    assert keys.states("retire", old) == {"current": new}
    assert keys.states("list") == {"current": new}


def test_without_a_subcommand_it_lists(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    called = call(capsys, "keys")
    assert called.code == 0
    assert keyring.load(tmp_path / ".p2pcdn").current.id in called.out


def test_what_makes_no_sense_changes_nothing(keys: Keys) -> None:
    states = keys.states("list")
    for words in (("rotate",), ("retire", states["current"]), ("retire", "x")):
        called = keys(*words)
        assert called.code == 2
        assert called.err.startswith("p2pcdn: ")
    assert keys.states("list") == states


def test_private_keys_are_never_printed(keys: Keys) -> None:
    assert "PRIVATE" not in keys("new").out
