"""What is deployed as it is: units and containers give commands that there are, and settings."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from p2pcdn import settings
from p2pcdn.cli.peer import command
from p2pcdn.cli.serve import command as serve
from p2pcdn.errors import ConfigError, UnavailableError

ROOT = Path(__file__).parents[1]


def parsed(words: list[str]) -> dict[str, object]:
    """The parameters of `p2pcdn peer` as these words give them."""
    assert words[0] == "peer"
    return command.make_context("peer", words[1:]).params


def unit(name: str) -> configparser.ConfigParser:
    """A unit of systemd's."""
    found = configparser.ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[method-assign,assignment]
    found.read_string((ROOT / f"deploy/{name}.service").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", ["p2pcdn", "p2pcdn-peer"])
def test_units_start_again_unless_the_command_is_wrong(name: str) -> None:
    found = unit(name)
    assert found["Service"]["Restart"] == "always"
    assert found["Service"]["RestartPreventExitStatus"] == str(ConfigError.exit_code)
    assert UnavailableError.exit_code != ConfigError.exit_code
    assert found["Unit"]["StartLimitIntervalSec"] == "0", "however often"


def test_the_drop_in_gives_the_unit_its_certificate_and_its_port(tmp_path: Path) -> None:
    text = (ROOT / "deploy/tls.conf").read_text(encoding="utf-8")
    said, _, rest = text.partition("\n[Service]\n")
    file = tmp_path / "p2pcdn.toml"
    lines = [line.removeprefix("#").strip() for line in said.splitlines()[1:]]
    file.write_text("\n".join(lines), encoding="utf-8")
    config = settings.load(file=file, environ={}).config
    assert config.address.port == 443
    place = Path("/run/credentials/p2pcdn.service")
    assert [config.tls.cert, config.tls.key] == [place / "cert", place / "key"]
    given = re.findall(r"^LoadCredential=(\w+):/etc/letsencrypt/live/", rest, re.MULTILINE)
    assert given == ["cert", "key"]
    for name in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert f"\n{name}=CAP_NET_BIND_SERVICE\n" in rest


def test_the_unit_runs_a_peer_with_its_file() -> None:
    program, *words = unit("p2pcdn-peer")["Service"]["ExecStart"].split()
    assert program.endswith("/bin/p2pcdn")
    assert parsed(words)["config_file"] == Path("/etc/p2pcdn/peer.toml")


def test_the_unit_runs_a_server_with_its_file() -> None:
    service = unit("p2pcdn")["Service"]
    program, name, *words = service["ExecStart"].split()
    assert (program, name) == ("/opt/p2pcdn/bin/p2pcdn", "serve")
    given = serve.make_context(name, words).params
    assert given["config_file"] == Path("/etc/p2pcdn/p2pcdn.toml")
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"


def test_a_server_behind_a_proxy_has_settings_that_there_are(tmp_path: Path) -> None:
    text = (ROOT / "deploy/p2pcdn.toml").read_text(encoding="utf-8")
    for number, written in enumerate(
        (text, re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE))
    ):
        file = tmp_path / f"{number}.toml"
        file.write_text(written, encoding="utf-8")
        found = settings.load(file=file, environ={}).config
        assert found.data == Path("/var/lib/p2pcdn")
        assert found.site in found.served_sites
        assert found.origin.urls == ("https://cdn.example.com",)
        assert [str(network) for network in found.tracker.proxy_networks] == [
            "127.0.0.1/32", "::1/128",
        ]  # fmt: skip


def filled(text: str, values: dict[str, str]) -> str:
    """A text of the compose file, as Compose fills it in."""
    return re.sub(r"\$\{(\w+):-(.*?)\}", lambda match: values.get(match[1], match[2]), text)


def test_the_demo_with_a_turn_server_has_settings_that_there_are() -> None:
    compose = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    lines = (ROOT / "deploy/turn.env").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
    for values in ({}, {name: filled(value, {}) for name, value in given.items()}):
        environ = {
            name: filled(value, values)
            for name, value in compose["services"]["demo"]["environment"].items()
        }
        tracker = settings.load(environ=environ).config.tracker
        assert tracker.mode == ("relay" if values else "any")
        assert len(tracker.turn) == len(tracker.relay_networks) == (2 if values else 0)
    assert given["COMPOSE_PROFILES"] == "turn"


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
