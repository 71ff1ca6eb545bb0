"""The settings themselves: what a section checks beyond the types of its fields."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from p2pcdn.config import (
    Address,
    ClickHousePlace,
    Config,
    ElsewhereConfig,
    LedgerConfig,
    MountConfig,
    PeerConfig,
    Tls,
    TrackerConfig,
    WebTorrentConfig,
    clickhouse_place,
    content_at,
    info_hash_of,
    is_url,
    span_of_day,
    split_address,
    store_url,
    turn_host,
)
from p2pcdn.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("[::1]:0", Address("::1", 0)),
        ("localhost:65535", Address("localhost", 65535)),
        (":80", Address("", 80)),
    ],
)
def test_listen_is_a_host_and_a_port(text: str, address: Address) -> None:
    assert split_address(text) == address
    assert Config(listen=text).address == address


@pytest.mark.parametrize(
    "text",
    ["", "8080", "localhost", "localhost:", "h:65536", "h:-1", "h:80/x", "h:80?x", "u@h:80",
     "[::1:80", "http://h:80", "h:eighty"],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:8080"):
        Config(listen=text)


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ConfigError, match=r"tls\.key is not set"):
        Tls(cert=Path("a.pem"))
    with pytest.raises(ConfigError, match=r"tls\.cert is not set"):
        Tls(key=Path("a.pem"))
    assert Tls(cert=Path("a.pem"), key=Path("b.pem")).cert == Path("a.pem")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("valkey://127.0.0.1", "redis://127.0.0.1"),
        ("valkey://me:hu%2Fsh@[::1]:6380/12", "redis://me:hu%2Fsh@[::1]:6380/12"),
        ("valkeys://:hush@valkey.example.com/0", "rediss://:hush@valkey.example.com/0"),
        ("redis://127.0.0.1:6379/", "redis://127.0.0.1:6379/"),
        ("rediss://redis.example.com", "rediss://redis.example.com"),
        ("unix:///run/valkey.sock?db=2", "unix:///run/valkey.sock?db=2"),
    ],
)
def test_a_store_is_valkeys_or_rediss(given: str, wanted: str) -> None:
    assert store_url(given) == wanted
    TrackerConfig(store=given, url="wss://a.example/tracker/v1")


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:6379", "http://127.0.0.1", "valkey://", "valkey://:hush@", "valkey://h:port/0",
     "valkey://me:hush@h/database", "valkey://h:0/0", "memcached://h"],
)  # fmt: skip
def test_another_store_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"tracker\.store is the URL .* such as ") as raised:
        TrackerConfig(store=url, url="wss://a.example/tracker/v1")
    assert "hush" not in str(raised.value)


def test_nodes_need_a_store_and_a_url_each() -> None:
    with pytest.raises(ConfigError, match=r"tracker\.url is not set"):
        TrackerConfig(store="valkey://h")
    with pytest.raises(ConfigError, match=r"tracker\.store is not set"):
        TrackerConfig(url="wss://a.example/tracker/v1")
    with pytest.raises(ConfigError, match=r"tracker\.exchange is for several nodes"):
        TrackerConfig(exchange="10.0.0.1:7000")
    with pytest.raises(ConfigError, match=r"tracker\.exchange is HOST:PORT"):
        TrackerConfig(store="valkey://h", url="wss://a.example/x", exchange="10.0.0.1")


@pytest.mark.parametrize("where", [":7070", "0.0.0.0:7070", "[::]:7070"])
def test_other_nodes_do_not_dial_any_address(where: str) -> None:
    with pytest.raises(ConfigError, match=r"tracker\.exchange is where other nodes reach this one"):
        TrackerConfig(store="valkey://h", url="wss://a.example/x", exchange=where)


@pytest.mark.parametrize(
    "url",
    ["https://a.example/tracker/v1", "a.example", "wss://", "wss://a.example/x/", "wss://a b/"],
)
def test_a_nodes_url_is_that_of_a_socket(url: str) -> None:
    with pytest.raises(ConfigError, match=r"tracker\.url is the URL of a WebSocket"):
        TrackerConfig(store="valkey://h", url=url)


def test_a_ledger_in_clickhouse_is_a_url_with_a_database() -> None:
    given = LedgerConfig(clickhouse="https://me:a%2Fb%25@ch.example.com/ledger-1/")
    assert given.clickhouse is not None
    place = ClickHousePlace(True, "ch.example.com", 8443, "me", "a/b%", "ledger-1")
    assert clickhouse_place(given.clickhouse) == place
    alone = ClickHousePlace(False, "::1", 8123, "default", "", "p2pcdn")
    assert clickhouse_place("http://[::1]/p2pcdn") == alone
    assert clickhouse_place("http://ch:80/p2pcdn").port == 80


@pytest.mark.parametrize(
    "url",
    ["", "ch:8123/p2pcdn", "clickhouse://ch/p2pcdn", "http://ch", "http://ch/", "http:///p2pcdn",
     "http://me:hush@ch:http/p2pcdn", "http://ch/a/b", "http://ch/a`b", "http://ch/p2pcdn?x=1",
     "http://me:hu/sh@ch/p2pcdn", "http://me:hush@ch/p2pcdn#x"],
)  # fmt: skip
def test_another_place_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"ledger\.clickhouse is the URL .* such as ") as raised:
        LedgerConfig(clickhouse=url)
    assert "hu" not in str(raised.value)


def test_what_is_coarser_is_kept_for_longer() -> None:
    assert LedgerConfig(keep_10s=7200, keep_1min=7200).keep_1min == 7200
    wrong: tuple[dict[str, Any], ...] = (
        {"keep_10s": 300_000.0},
        {"keep_1min": 3e7, "keep_1h": 2e7},
    )
    for settings in wrong:
        with pytest.raises(ConfigError, match=r"ledger\.keep_1h have to ascend"):
            LedgerConfig(**settings)


def test_proxies_are_networks() -> None:
    tracker = TrackerConfig(trusted_proxies=("10.0.0.0/8", "fd00::/8", "192.0.2.7"))
    assert tracker.proxy_networks == (
        ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("192.0.2.7/32"),
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"networks such as 10\.0\.0\.0/8, not '10\.0\.0\.1/8'"):
        TrackerConfig(trusted_proxies=("10.0.0.1/8",))


def test_what_is_pinned_is_a_thumbprint() -> None:
    assert PeerConfig(keys=("0a" * 32,)).keys == ("0a" * 32,)
    for key in ("", "0a" * 8, "0A" * 32, "0a" * 32 + "\n"):
        with pytest.raises(ConfigError, match="takes thumbprints"):
            PeerConfig(keys=(key,))


def test_what_is_advertised_is_an_address() -> None:
    assert PeerConfig(advertise=("2001:db8::1",)).advertise == ("2001:db8::1",)
    with pytest.raises(ConfigError, match="not 'example'"):
        PeerConfig(advertise=("example",))


TURN = ("turn:turn.example.com:3478?transport=udp",)


def test_relays_are_turn_servers_with_a_secret() -> None:
    tracker = TrackerConfig(
        mode="relay", turn=TURN, turn_secret=Path("secret"), turn_relays=("192.0.2.0/28",)
    )
    assert tracker.relay_networks == (ip_network("192.0.2.0/28"),)
    with pytest.raises(ConfigError, match=r"tracker\.turn_secret is not set"):
        TrackerConfig(turn=TURN)
    with pytest.raises(ConfigError, match=r"tracker\.turn is not set"):
        TrackerConfig(turn_secret=Path("secret"))
    with pytest.raises(ConfigError, match=r"set tracker\.turn"):
        TrackerConfig(mode="relay")
    with pytest.raises(ConfigError, match="turn_relays takes networks"):
        TrackerConfig(turn_relays=("turn.example.com",))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("turn:turn.example.com", "turn.example.com"),
        ("turns:turn.example.com:5349?transport=tcp", "turn.example.com"),
        ("turn:192.0.2.1:3478", "192.0.2.1"),
        ("turn:[2001:db8::1]:3478", "2001:db8::1"),
    ],
)
def test_a_turn_server_has_a_host(url: str, host: str) -> None:
    assert turn_host(url) == host


@pytest.mark.parametrize(
    "url",
    ["", "turn:", "stun:a:1", "turn::3478", "https://a", "turn:a b", "turn:a:0", "turn:a:65536"],
)
def test_what_is_no_turn_server_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigError, match=r"turn:turn\.example\.com:3478"):
        TrackerConfig(turn=(url,), turn_secret=Path("secret"))


@pytest.mark.parametrize(
    "name", ["maps/net.json", "https://alto.example.net/map", "http://[::1]:8080/map"]
)
def test_maps_are_files_or_urls(name: str) -> None:
    assert TrackerConfig(alto=(name,)).alto == (name,)


@pytest.mark.parametrize("name", ["", "ftp://alto.example.net/map", "https:///map", "https://[::"])
def test_what_is_neither_file_nor_url_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(ConfigError, match=r"https://alto\.example\.net/networkmap"):
        TrackerConfig(alto=(name,))


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("22:30-6", (1350, 360)), ("0-24", (0, 1440)), ("8-17:05", (480, 1025))],
)
def test_times_of_day(text: str, minutes: tuple[int, int]) -> None:
    assert span_of_day(text) == minutes


@pytest.mark.parametrize("text", ["", "8", "8-8", "8-25", "8:60-9", "-9", "8-9-10", "8 - 9"])
def test_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(ConfigError, match=r"peer.hours takes times of day such as 22:00-6:30"):
        PeerConfig(hours=(text,))


def test_sites_are_followed_by_url() -> None:
    assert PeerConfig(follow=("https://example.com",)).follow == ("https://example.com",)
    with pytest.raises(ConfigError, match="takes URLs such as"):
        PeerConfig(follow=("example.com",))


@pytest.mark.parametrize("path", ["tv", "tv/shows", "é x", "a.b/c..d"])
def test_a_mount_has_a_path(path: str) -> None:
    assert MountConfig(path=path, content=Path("a.zip")).path == path


@pytest.mark.parametrize(
    "path",
    ["", "/", "/tv", "tv/", "a//b", ".tv", "tv/.b", "..", "a/../b", "a\\b", "a\nb", "\0"],
)
def test_what_is_no_path_of_a_mount_is_refused_with_an_example(path: str) -> None:
    with pytest.raises(ConfigError, match="such as shows or tv/shows"):
        MountConfig(path=path, content=Path("a.zip"))


@pytest.mark.parametrize("url", ["https://cdn.example/films/", "S3://bucket/a", "a+b.c-1://x"])
def test_content_is_elsewhere_by_url(url: str) -> None:
    assert is_url(content_at(url))
    assert content_at(url) == url


@pytest.mark.parametrize("path", ["a", "/srv/films", "https:/a", "1a://b", "a/b://c"])
def test_all_other_content_is_of_this_machine(path: str) -> None:
    assert not is_url(content_at(path))
    assert content_at(path) == Path(path)


def test_a_path_has_one_mount() -> None:
    mounts = tuple(MountConfig(path=path, content=Path("a.zip")) for path in ("a", "a/b", "a"))
    assert len(Config(mount=mounts[:2]).mount) == 2
    with pytest.raises(ConfigError, match="two mounts at 'a'"):
        Config(mount=mounts)


@pytest.mark.parametrize("url", ["https://cdn.example/", "http://[::1]:8080/films/a/"])
def test_media_elsewhere_are_in_a_folder(url: str) -> None:
    assert ElsewhereConfig(prefix=url, mirrors=(url,)).query == ()


@pytest.mark.parametrize(
    "url",
    ["", "cdn.example/", "ftp://cdn.example/", "https://cdn.example", "https://cdn.example/films",
     "https://cdn.example/?a=/", "https://cdn.example/#/", "https://me@cdn.example/", "https:///"],
)  # fmt: skip
def test_what_is_no_folder_elsewhere_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigError, match=r"such as https://cdn\.example/films/"):
        ElsewhereConfig(prefix=url)
    with pytest.raises(ConfigError, match=r"such as https://cdn\.example/films/"):
        ElsewhereConfig(prefix="https://cdn.example/", mirrors=(url,))


def test_a_token_is_a_regular_expression() -> None:
    with pytest.raises(ConfigError, match=r"such as /token=\[\^/\]\*; '\(' is none"):
        ElsewhereConfig(prefix="https://cdn.example/", token="(")


def test_an_info_hash_is_written_in_hexadecimal_or_as_clients_do() -> None:
    assert info_hash_of("00ff" * 10) == "\0\xff" * 10
    assert info_hash_of("aGVsbG8gd29ybGQgaGVs") == "aGVsbG8gd29ybGQgaGVs"
    given = WebTorrentConfig(info_hashes=("AB" * 20, "\xe9" * 20))
    assert given.hashes == {"\xab" * 20, "\xe9" * 20}


@pytest.mark.parametrize("text", ["", "ab" * 19, "x" * 21, "\u0100" * 20, "zz" * 20])
def test_what_is_no_info_hash_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="40 hexadecimal digits, or 20 characters"):
        WebTorrentConfig(info_hashes=(text,))


def test_webtorrents_origins_are_as_browsers_write_them() -> None:
    assert WebTorrentConfig(origins=("*", "https://a.example")).origins
    with pytest.raises(ConfigError, match=r"tracker\.webtorrent\.origins are like https://a\.ex"):
        WebTorrentConfig(origins=("https://A.example/",))
