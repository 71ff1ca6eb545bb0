"""Scenes: those that come with the package, and what is wrong with others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from p2pcdn.errors import ConfigError
from p2pcdn.sim.scene import KEYS, built_in, load

GOOD = 'kind = "live"\nviewers = 3\nseconds = 10\n'


def complaint(name: str, changes: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(name, changes)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


@pytest.mark.parametrize("name", built_in())
def test_each_scene_that_comes_with_us_loads_and_says_what_it_is_about(name: str) -> None:
    scene = load(name)
    assert scene.about.endswith(".")
    assert scene.warmup < scene.seconds


def test_a_file_is_a_scene_too(file: Path) -> None:
    file.write_text(GOOD + "[lines]\nuplink = 1.5\n")
    scene = load(str(file))
    assert (scene.viewers, scene.lines.uplink, scene.media.bitrate) == (3, 1.5, 4.0)
    assert scene.live
    assert scene.bytes_per_second == 500_000


def test_the_command_line_changes_keys(file: Path) -> None:
    file.write_text(GOOD)
    changed = load(str(file), {"viewers": "7", "nat.blocked": "0.5", "pair": "true"})
    assert (changed.viewers, changed.nat.blocked, changed.pair) == (7, 0.5, True)


def test_an_unknown_key_is_named_with_the_nearest(file: Path) -> None:
    file.write_text(GOOD + "[lines]\nuplnk = 1.5\n")
    assert complaint(str(file)) == (
        f"A scene has no 'lines.uplnk' ({file}); the nearest is lines.uplink."
    )
    assert "the nearest is nat.blocked" in complaint("nat-mix", {"blocked": "0.1"})


def test_a_wrong_value_says_what_would_be_right(file: Path) -> None:
    file.write_text(GOOD + 'warmup = "long"\n')
    assert complaint(str(file)) == f"warmup = 'long' ({file}) is not right: it takes a number."
    assert "it takes a number <= 1.0" in complaint("nat-mix", {"nat.blocked": "2"})


def test_shares_are_shares_of_one_whole(file: Path) -> None:
    file.write_text(GOOD + "[nat]\nblocked = 0.6\ncone = 0.6\n")
    assert complaint(str(file)) == "The shares of nat are more than one in all."


def test_what_must_be_there_is_missed(file: Path) -> None:
    file.write_text('kind = "live"\nviewers = 3\n')
    assert complaint(str(file)) == f"The scene {file} has no 'seconds'."


def test_files_that_cannot_be_read(file: Path) -> None:
    assert "cannot be read" in complaint(str(file))
    file.write_text("kind = live")
    assert "is not TOML" in complaint(str(file))
    file.write_bytes(b"\xff\xff")
    assert "not a text in UTF-8" in complaint(str(file))


def test_an_unknown_scene_is_named_with_the_nearest() -> None:
    assert "the nearest is live-steady" in complaint("live-stedy")


def test_every_key_has_a_table_of_its_own_or_none() -> None:
    assert "viewers" in KEYS
    assert "conduct.liars" in KEYS
    assert all(key.count(".") <= 1 for key in KEYS)


def test_every_key_is_documented_with_its_default() -> None:
    text = (Path(__file__).parents[3] / "docs/reference/sim.md").read_text(encoding="utf-8")
    scene = load("one-viewer")
    documented = re.findall(r"^\| `([a-z.]+)` \|(?: `(.*?)`)? \|", text, re.MULTILINE)
    assert {key for key, _ in documented} >= set(KEYS)
    for key, default in documented:
        table, _, name = key.rpartition(".")
        if table and table in msgspec.structs.asdict(scene):
            part = type(getattr(scene, table))()
            assert json.loads(default) == getattr(part, name), key


def test_bounds_are_in_words(tmp_path: Path) -> None:
    file = tmp_path / "scene.toml"
    file.write_text(GOOD)
    with pytest.raises(ConfigError, match=r"it takes a whole number >= 1\."):
        load(str(file), {"viewers": "0"})
