"""`p2pcdn config`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from p2pcdn import settings
from p2pcdn.config import Config
from tests.p2pcdn.cli.calling import call


def test_the_default_file_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "config", "--default") == (0, settings.default_file(), "")


def test_what_is_in_force_is_toml_with_the_sources(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "p.toml"
    file.write_text('site = "shop"')
    monkeypatch.setenv("P2PCDN_TRACKER_BURST", "7")
    words = ["--config", str(file), "--listen", ":9000", "--set", "tracker.links=3"]
    called = call(capsys, "config", "--show", *words)
    assert called.code == 0
    tables = tomllib.loads(called.out)
    assert tables["listen"] == ":9000"
    assert tables["site"] == "shop"
    assert tables["tracker"]["links"] == 3
    assert tables["tracker"]["burst"] == 7
    assert tables["origin"]["keepalive"] == Config().origin.keepalive
    assert f'site = "shop"  # {file}\n' in called.out
    assert "burst = 7  # the variable P2PCDN_TRACKER_BURST\n" in called.out
    assert "links = 3  # the command line\n" in called.out
    assert "# content is not set\n" in called.out


def test_secrets_are_not_shown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P2PCDN_PEER_TOKEN", "aaaa.bbbb.cccc")
    monkeypatch.setenv("P2PCDN_LEDGER_CLICKHOUSE", "https://me:aaaa@clickhouse/p2pcdn")
    words = ["--set", "tracker.admin_token=sesame-open-sesame", "--set", "tls.cert=c.pem"]
    called = call(capsys, "config", "--show", *words, "--set", "tls.key=k.pem")
    assert called.code == 0
    tables = tomllib.loads(called.out)
    assert tables["tracker"]["admin_token"] == "********"
    assert tables["peer"]["token"] == "********"
    assert tables["ledger"]["clickhouse"] == "********"
    assert tables["tls"]["key"] == "k.pem"
    assert "sesame" not in called.out
    assert "aaaa" not in called.out
    assert 'admin_token = "********"  # the command line\n' in called.out
    assert "# admin_token is not set\n" in call(capsys, "config", "--show").out
    refused = call(capsys, "config", "--show", "--set", "tracker.admin_token=sesame")
    assert refused.code == 2
    assert "sesame" not in refused.err


def test_sites_are_shown_with_their_tables(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "p.toml"
    file.write_text('[sites."a.b"]\nmode = "lan"\n[sites.shop]')
    called = call(capsys, "config", "--show", "--config", str(file))
    assert called.code == 0
    sites = tomllib.loads(called.out)["sites"]
    assert sites["a.b"]["mode"] == "lan"
    assert sites["shop"]["enabled"] is True
    assert f'mode = "lan"  # {file}\n' in called.out


def test_it_wants_to_know_what(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--default", "--show"]):
        called = call(capsys, "config", *words)
        assert called.code == 2
        assert "Say either --default or --show." in called.err
