"""What is deployed as it is: an edge peer's unit and container give commands that there are."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from ruamel.yaml import YAML

from p2pcdn import settings
from p2pcdn.cli.peer import command

ROOT = Path(__file__).parents[1]


def parsed(words: list[str]) -> dict[str, object]:
    """The parameters of `p2pcdn peer` as these words give them."""
    assert words[0] == "peer"
    return command.make_context("peer", words[1:]).params


def test_the_unit_runs_a_peer_with_its_file() -> None:
    text = (ROOT / "deploy/p2pcdn-peer.service").read_text(encoding="utf-8")
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read_string(text)
    program, *words = unit["Service"]["ExecStart"].split()
    assert program.endswith("/bin/p2pcdn")
    assert parsed(words)["config_file"] == Path("/etc/p2pcdn/peer.toml")


def test_its_file_names_settings_that_there_are() -> None:
    file = ROOT / "deploy/peer.toml"
    peer = settings.load(file=file, environ={}).config.peer
    assert peer.follow == ("https://cdn.example.com",)
    assert str(peer.store) == "/var/cache/p2pcdn-peer"


def test_what_stands_there_as_a_comment_can_be_used(tmp_path: Path) -> None:
    text = (ROOT / "deploy/peer.toml").read_text(encoding="utf-8")
    file = tmp_path / "peer.toml"
    file.write_text(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE), encoding="utf-8")
    peer = settings.load(file=file, environ={}).config.peer
    assert (peer.hours, peer.processes) == (("18:00-1:00",), 4)
    assert peer.daily_budget == 2 * 10**12


def test_the_container_runs_a_peer_with_the_same_file() -> None:
    compose = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    edge = compose["services"]["edge"]
    given = parsed(edge["command"])
    assert given["store"] == Path("/data/store")
    assert f"./deploy/peer.toml:{given['config_file']}:ro" in edge["volumes"]
    assert edge["profiles"] == ["edge"], "it is not part of the demo"
