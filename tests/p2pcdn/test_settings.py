"""Where values come from, who beats whom, and what is said of what is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from p2pcdn import settings
from p2pcdn.config import (
    Config,
    ElsewhereConfig,
    MountConfig,
    SiteConfig,
    TrackerConfig,
    WebTorrentConfig,
)
from p2pcdn.errors import ConfigError
from p2pcdn.settings import SETTINGS, Given


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_without_anything_all_is_at_its_default() -> None:
    assert settings.load(environ={})[:2] == (Config(), {})


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "p.toml", "[tracker]\nlinks = 1\nneighbours = 1\nburst = 1")
    environ = {"P2PCDN_TRACKER_LINKS": "2", "P2PCDN_TRACKER_NEIGHBOURS": "2", "HOME": "/"}
    found = settings.load(flags={"tracker.links": "3"}, environ=environ, file=file)
    tracker = found.config.tracker
    assert (tracker.links, tracker.neighbours, tracker.burst) == (3, 2, 1)
    assert tracker.candidates == Config().tracker.candidates
    assert found.sources == {
        "tracker.links": "the command line",
        "tracker.neighbours": "the variable P2PCDN_TRACKER_NEIGHBOURS",
        "tracker.burst": str(file),
    }


def test_the_environment_can_name_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "p.toml", 'site = "shop"')
    assert settings.load(environ={"P2PCDN_CONFIG": str(file)}).config.site == "shop"


UNSET: dict[str, object] = {
    "ingest.token": "sesame-open-sesame",
    "tracker.admin_token": "sesame-open-sesame",
    "tracker.price_per_gb": 0.05,
    "tracker.store": "valkey://valkey.example.com:6379/0",
    "tracker.url": "wss://a.tracker.example/tracker/v1",
    "tracker.exchange": "10.0.0.1:8081",
    "ledger.clickhouse": "https://me:hush@clickhouse.example.com/p2pcdn",
    "peer.upload_rate": 1_000_000.0,
    "peer.upload_budget": 7,
    "peer.daily_budget": 7,
    "peer.gateway": "127.0.0.1:0",
    "peer.upload_ratio": 0.5,
    "peer.token": "a.b.c",
    "peer.token_url": "https://www.example.com/token",
    "sites.shop.tokens": True,
}
"""What may be said where nothing is by default; of all others, the name of a file."""


@pytest.mark.parametrize(
    "key", [*SETTINGS, *(f"sites.shop.{name}" for name in settings.SITE_SETTINGS)]
)
def test_each_can_be_set_by_text_and_by_file(key: str) -> None:
    setting = settings._known(key, "a test")
    value = UNSET.get(key, Path("a.file")) if setting.default is None else setting.default
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    written = tomllib.loads(f"value = {settings.toml_value(value)}")["value"]
    for given in (Given(text, "a flag", True), Given(written, "a file", False)):
        assert settings._convert(setting, given) == value


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("content", "~/videos", Path("~/videos").expanduser()),
        ("content", "", None),
        ("tracker.stun", "false", False),
        ("tracker.stun", "1", True),
        ("tracker.heartbeat", "2.5", 2.5),
        ("tracker.sites", "a, b,", ("a", "b")),
        ("tracker.sites", "", ()),
        ("peer.store_bytes", "1048576", 1_048_576),
    ],
)
def test_text_becomes_what_the_setting_is(key: str, text: str, value: object) -> None:
    by_flag = settings.load(flags={key: text}, environ={}).config
    by_variable = settings.load(environ={SETTINGS[key].variable: text}).config
    assert settings.value_of(by_flag, key) == settings.value_of(by_variable, key) == value


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"trackr.link": "1"}, "There is no setting 'trackr.link' (the command line); the nearest"
         " is tracker.links."),
        ({"links": "1"}, "There is no setting 'links' (the command line); the nearest is"
         " tracker.links."),
        ({"tracker.networks": "x"}, "There is no setting 'tracker.networks' (the command line); the"
         " nearest is tracker.mmdb."),
        ({"qqq": "1"}, "There is no setting 'qqq' (the command line); `p2pcdn config --default`"
         " lists them all."),
        ({"tracker": "1"}, "There is no setting 'tracker' (the command line); it is a table,"
         " of tracker.message_bytes and others."),
        ({"tracker.links": "many"}, "tracker.links = 'many' (the command line) is not right: it"
         " takes a whole number."),
        ({"tracker.links": "65"}, "tracker.links = '65' (the command line) is not right: it takes"
         " a whole number <= 64."),
        ({"tracker.stun": "perhaps"}, "tracker.stun = 'perhaps' (the command line) is not right:"
         " it takes true or false."),
        ({"data": ""}, "data = '' (the command line) is not right: it takes a path."),
        ({"site": "a b"}, "site = 'a b' (the command line) is not right: it takes 1 to 64 letters,"
         " digits, `_`, `.` or `-`."),
        ({"site": "a\n"}, "site = 'a\\n' (the command line) is not right: it takes 1 to 64"
         " letters, digits, `_`, `.` or `-`."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(flags: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings.load(flags=flags, environ={})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[trakcer]\nlinks = 1", "no setting 'trakcer.links'"),
        ("[tracker]\nlinks = '8'", "tracker.links = '8'"),
        ("[tracker]\nlinks = true", "takes a whole number"),
        ("[tracker]\nheartbeat = nan", "takes a number"),
        ("[tracker]\nsites = 'a'", "takes a list"),
        ("tracker = 1", "no setting 'tracker'"),
        ("content = 1", "takes a path"),
        ("[site]\nx = 1", "no setting 'site.x'"),
        ("tracker links", "is not TOML"),
    ],
)
def test_a_file_is_strict_about_types_and_keys(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path / "p.toml", text)
    with pytest.raises(ConfigError) as caught:
        settings.load(file=file, environ={})
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


SITES = """
[sites.shop]
keys = ["key"]
origins = ["https://shop.example"]
mode = "lan"
revoked_tokens = ["t-1"]

[sites."a.b"]
enabled = false

[sites.empty]
"""


def test_each_site_has_a_table(tmp_path: Path) -> None:
    file = write(tmp_path / "p.toml", SITES)
    flags = {"sites.shop.mode": "relay", "sites.new.revoked_contents": "/media/a, /media/b"}
    found = settings.load(flags=flags, environ={}, file=file)
    sites = found.config.sites
    assert set(sites) == {"shop", "a.b", "empty", "new"}
    assert sites["shop"] == SiteConfig(
        keys=("key",), origins=("https://shop.example",), mode="relay", revoked_tokens=("t-1",)
    )
    assert not sites["a.b"].enabled
    assert sites["empty"] == SiteConfig()
    assert sites["new"].revoked_contents == ("/media/a", "/media/b")
    assert found.sources["sites.shop.keys"] == str(file)
    assert found.sources["sites.shop.mode"] == "the command line"
    assert settings.value_of(found.config, "sites.a.b.enabled") is False


def test_sites_with_tables_are_served_and_those_that_are_named() -> None:
    table = {"shop": SiteConfig(enabled=False)}
    assert Config(site="x").served_sites == {"x": SiteConfig()}
    assert Config(site="x", sites=table).served_sites == table
    named = TrackerConfig(sites=("shop", "other"))
    assert Config(tracker=named, sites=table).served_sites == table | {"other": SiteConfig()}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sites.shop]\nmod = 'lan'", "no setting 'sites.shop.mod' ({file}); the nearest is"
         " sites.shop.mode."),
        ("[sites.shop]\norigin = 'x'", "no setting 'sites.shop.origin' ({file}); the nearest is"
         " sites.shop.origins."),
        ("[sites.shop]\nmode = 'wan'", "sites.shop.mode = 'wan' ({file}) is not right: it takes off"
         " or lan or network or any or relay."),
        ("[sites.shop]\nenabled = 'no'", "sites.shop.enabled = 'no' ({file}) is not right: it takes"
         " true or false."),
        ("[sites.shop]\ntokens = true", "[sites.shop] is not right: A site whose joins need tokens"
         " needs keys"),
        ("[sites.'a.b']\norigins = ['a']", "[sites.\"a.b\"] is not right: A site's origins are"),
        ("[sites.'a b']\nmode = 'lan'", "A site's id has 1 to 64 letters, digits, `_`, `.` or `-`,"
         " not 'a b'"),
        ("[sites]\nmode = 'lan'", "no setting 'sites.mode'"),
        ("[sites.shop.keys]\na = 1", "no setting 'sites.shop.keys.a'"),
        ("sites = 1", "no setting 'sites'"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_site_is_strict_too(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path / "p.toml", text)
    with pytest.raises(ConfigError) as caught:
        settings.load(file=file, environ={})
    assert said.format(file=file) in str(caught.value)


def test_it_can_be_read_again(tmp_path: Path) -> None:
    file = write(tmp_path / "p.toml", "site = 'one'\n[tracker]\nlinks = 3")
    found = settings.load(flags={"tracker.links": "5"}, environ={}, file=file)
    assert found.file == file
    write(file, "site = 'two'\n[tracker]\nlinks = 4")
    again = found.again()
    assert (again.site, again.tracker.links) == ("two", 5), "a flag still beats the file"
    write(file, "sit = 'three'")
    with pytest.raises(ConfigError, match="nearest is site"):
        found.again()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read: No such file"):
        settings.load(file=tmp_path / "none.toml", environ={})


def test_a_variable_that_is_no_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="nearest is P2PCDN_TRACKER_LINKS"):
        settings.load(environ={"P2PCDN_TRACKER_LINK": "1"})


def test_what_kubernetes_sets_beside_a_service_of_our_name_is_not_meant_for_us() -> None:
    environ = {
        "P2PCDN_SERVICE_HOST": "10.0.0.1", "P2PCDN_SERVICE_PORT_HTTP": "80",
        "P2PCDN_PORT": "tcp://10.0.0.1:80", "P2PCDN_PORT_80_TCP_ADDR": "10.0.0.1",
    }  # fmt: skip
    assert settings.load(environ=environ)[:2] == (Config(), {})


def test_assignments() -> None:
    assert settings.parse_assignments(["a.b = c=d", "e="]) == {"a.b": "c=d", "e": ""}
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        settings.parse_assignments(["a.b"])


def test_the_default_file_says_nothing_and_uncommented_says_the_defaults(tmp_path: Path) -> None:
    text = settings.default_file()
    tables = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert tables == [
        "[tls]",
        "[origin]",
        "[origin.upstream]",
        "[ingest]",
        "[tracker]",
        "[tracker.webtorrent]",
        "[ledger]",
        "[peer]",
    ]
    settable = [
        line.removeprefix("# ") if " = " in line and not line.endswith("...") else line
        for line in text.splitlines()
    ]
    file = write(tmp_path / "p.toml", "\n".join(settable))
    assert settings.load(file=file, environ={}).config == Config()


def test_every_setting_has_a_description_and_four_ways_to_be_set() -> None:
    text = settings.default_file()
    for setting in SETTINGS.values():
        assert len(setting.description) > 20, setting.key
        assert setting.description.rstrip().endswith("."), setting.key
        assert f"({setting.variable})" in " ".join(text.replace("\n#", " ").split())
        assert setting.default is not msgspec.NODEFAULT


@pytest.mark.parametrize("value", [True, 3, 2.5, 'a "b" \\ ü\n', ("x", "y"), ()])
def test_values_are_written_as_toml(value: object) -> None:
    read = tomllib.loads(f"v = {settings.toml_value(value)}")["v"]
    assert read == (list(value) if isinstance(value, tuple) else value)


MOUNTS = (
    MountConfig(path="tv/shows", content=Path("/srv/a=b.zip")),
    MountConfig(path="é", content=Path("~/films").expanduser()),
    MountConfig(path="cdn", content="https://cdn.example/films/"),
)


def test_a_list_of_tables(tmp_path: Path) -> None:
    file = write(
        tmp_path / "p.toml",
        '[[mount]]\npath = "tv/shows"\ncontent = "/srv/a=b.zip"\n'
        '[[mount]]\npath = "é"\ncontent = "~/films"\n'
        '[[mount]]\npath = "cdn"\ncontent = "https://cdn.example/films/"\n',
    )
    found = settings.load(file=file, environ={}).config
    assert found.mount == MOUNTS
    text = "tv/shows=/srv/a=b.zip, é=~/films, cdn=https://cdn.example/films/"
    assert settings.load(flags={"mount": text}, environ={}).config == found
    assert settings.load(environ={"P2PCDN_MOUNT": text}).config == found
    shown = write(tmp_path / "shown.toml", f"mount = {settings.text_of(found, 'mount')}")
    assert settings.load(file=shown, environ={}).config == found


@pytest.mark.parametrize(
    "text",
    [
        "mount = 3",
        "mount = ['a=b']",
        '[[mount]]\npath = "a"',
        '[[mount]]\npath = 1\ncontent = "b"',
        '[[mount]]\npath = "a"\ncontent = ""',
        '[[mount]]\npath = "a"\ncontent = "b"\nx = 1',
    ],
)
def test_a_list_of_tables_is_strict(tmp_path: Path, text: str) -> None:
    file = write(tmp_path / "p.toml", text)
    with pytest.raises(ConfigError) as caught:
        settings.load(file=file, environ={})
    assert str(caught.value).endswith(
        f"({file}) is not right: it takes tables of path and content, both of them texts, and "
        "nothing else."
    )


@pytest.mark.parametrize("text", ["a", "a=", "a=b,c"])
def test_a_list_of_tables_as_text_is_strict(text: str) -> None:
    with pytest.raises(ConfigError, match="it takes PATH=CONTENT, several of them separated by"):
        settings.load(flags={"mount": text}, environ={})


def test_a_list_of_tables_with_options(tmp_path: Path) -> None:
    file = write(
        tmp_path / "p.toml",
        '[[elsewhere]]\nprefix = "https://a.example/x=1/"\n'
        '[[elsewhere]]\nprefix = "https://b.example/"\nquery = ["id"]\ntoken = "/t=[^/]*"\n',
    )
    found = settings.load(file=file, environ={}).config
    first = ElsewhereConfig(prefix="https://a.example/x=1/")
    second = ElsewhereConfig(prefix="https://b.example/", query=("id",), token="/t=[^/]*")
    assert found.elsewhere == (first, second)
    shown = write(tmp_path / "shown.toml", f"elsewhere = {settings.text_of(found, 'elsewhere')}")
    assert settings.load(file=shown, environ={}).config == found
    text = "https://a.example/x=1/, https://b.example/"
    plain = (first, ElsewhereConfig(prefix="https://b.example/"))
    assert settings.load(flags={"elsewhere": text}, environ={}).config.elsewhere == plain
    write(file, '[[elsewhere]]\nquery = ["id"]')
    with pytest.raises(ConfigError, match="it takes tables of prefix, a text, and its options"):
        settings.load(file=file, environ={})


def test_a_table_may_be_inside_of_another(tmp_path: Path) -> None:
    file = tmp_path / "p2pcdn.toml"
    file.write_text("[tracker.webtorrent]\noffers = 5\n[tracker]\nlinks = 8\n")
    given = settings.load(
        file=file,
        environ={"P2PCDN_TRACKER_WEBTORRENT_INTERVAL": "60"},
        flags={"tracker.webtorrent.origins": "https://a.example, *"},
    )
    tracker = given.config.tracker
    assert tracker.links == 8
    assert tracker.webtorrent == WebTorrentConfig(
        offers=5, interval=60, origins=("https://a.example", "*")
    )
    assert settings.value_of(given.config, "tracker.webtorrent.offers") == 5
    assert settings.load(environ={}).config.tracker == TrackerConfig()
