"""Pictures: that they are drawn, and what is said if they cannot be."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from p2pcdn.sim import pictures
from p2pcdn.sim.run import run
from p2pcdn.sim.scene import load
from tests.p2pcdn.sim.small import VOD


def test_one_picture_for_each_thing_to_see(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    outcomes = [run(load("flash-crowd", VOD | {"viewers": n}), "x", 1) for n in ("2", "3")]
    drawn = pictures.draw(outcomes, tmp_path / "out")
    assert {file.name for file in drawn} == {
        "completion.png", "upload.png", "startup.png", "stalls.png", "copies.png", "offload.png"
    }  # fmt: skip
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in drawn)
    assert len(pictures.draw(outcomes[:1], tmp_path / "one")) == 4


def test_networks_have_pictures_of_their_own(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    changes = VOD | {"networks.kind": "zipf", "networks.count": "2", "networks.pair": "true"}
    outcome = run(load("flash-crowd", changes), "x", 1)
    drawn = {file.name for file in pictures.draw([outcome], tmp_path)}
    assert drawn >= {"imports.png", "locality.png"}
    alone = run(load("flash-crowd", VOD | {"networks.kind": "each", "viewers": "1"}), "x", 1)
    assert len(pictures.draw([alone], tmp_path / "alone")) == 6  # though no peer brought anything


def test_without_matplotlib_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not pictures.available()
