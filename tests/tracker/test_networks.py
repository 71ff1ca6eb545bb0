"""Which operator's network an address is in."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pcdn.core.locality import where_of
from p2pcdn.errors import ConfigError
from p2pcdn.wire.tracker import Joined, Welcome
from tests.tracker.mmdb import database
from tests.tracker.rig import join, rig
from tracker.networks import Networks

OPERATORS: dict[str, dict[str, Any]] = {
    "203.0.113.0/25": {
        "autonomous_system_number": 64_500,
        "autonomous_system_organization": "A",
    },
    "203.0.113.128/25": {"asn": "AS64501", "name": "B"},
    "198.51.100.0/24": {"city": "of no operator"},
}


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "asn.mmdb", database(OPERATORS))


@pytest.mark.parametrize(
    ("address", "operator"),
    [
        ("203.0.113.7", "AS64500"),
        ("203.0.113.200", "AS64501"),
        ("198.51.100.7", ""),
        ("192.168.1.5", ""),
        ("2600::7", ""),
    ],
)
def test_the_number_of_the_autonomous_system(path: Path, address: str, operator: str) -> None:
    with structlog.testing.capture_logs() as said:
        assert Networks([path]).where(ip_address(address)).operator == operator
    assert said == []


def test_ipv6(tmp_path: Path) -> None:
    entries = {**OPERATORS, "2600::/32": {"autonomous_system_number": 64_502}}
    networks = Networks([written(tmp_path / "both.mmdb", database(entries, 6))])
    assert networks.where(ip_address("2600::7")).operator == "AS64502"
    assert networks.where(ip_address("203.0.113.7")).operator == "AS64500"


def test_without_a_database_nothing_is_known() -> None:
    networks = Networks()
    assert networks.where(ip_address("203.0.113.7")).operator == ""
    networks.close()


@pytest.mark.parametrize("data", [b"", b"not a database", database(OPERATORS)[:-100]])
def test_what_is_no_database_is_said_by_its_name(tmp_path: Path, data: bytes) -> None:
    path = written(tmp_path / "broken.mmdb", data)
    with pytest.raises(ConfigError, match=r"tracker\.mmdb: .*broken\.mmdb is damaged"):
        Networks([path])


def test_a_database_that_is_not_there_is_said_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.mmdb cannot be read: No such file"):
        Networks([tmp_path / "nowhere.mmdb"])


WHOLE = database(OPERATORS)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255), length=st.integers(1, 40))
def test_no_damage_stops_the_tracker(tmp_path: Path, place: int, byte: int, length: int) -> None:
    """It is refused by its name, or it knows less."""
    data = WHOLE[:place] + bytes([byte]) * length + WHOLE[place + length :]
    path = written(tmp_path / "damaged.mmdb", data)
    try:
        networks = Networks([path])
    except ConfigError:
        return
    for address in ("203.0.113.7", "203.0.113.200", "10.0.0.1", "2600::7"):
        assert networks.where(ip_address(address)).operator is not None
    networks.close()


def test_damage_that_shows_later_is_said_once(tmp_path: Path) -> None:
    data = WHOLE.replace(b"autonomous_system_number", b"\xff" * 24)
    networks = Networks([written(tmp_path / "damaged.mmdb", data)])
    with structlog.testing.capture_logs() as said:
        for _ in range(3):
            assert networks.where(ip_address("203.0.113.7")).operator == ""
    assert [entry["event"] for entry in said] == ["networks_damaged"]
    assert said[0]["file"].endswith("damaged.mmdb")


async def test_viewers_of_one_operator_meet(tmp_path: Path) -> None:
    entries = {"127.0.0.1/32": {"asn": "64500"}, "203.0.113.0/24": {"asn": "64500"}}
    path = written(tmp_path / "asn.mmdb", database(entries))
    async with rig(mode="network", mmdb=(path,), trusted_proxies=("127.0.0.1",)) as made:
        others = []
        for source in ("203.0.113.7", "127.0.0.2", "203.0.113.9"):
            client = await made.client(headers={"X-Forwarded-For": source})
            await client.expect(Welcome)
            await client.send(join())
            others.append((await client.expect(Joined)).peers)
        assert others == [0, 0, 1]


PLACES: dict[str, dict[str, Any]] = {
    "203.0.113.0/25": {"country": {"iso_code": "DE"}, "traits": {"connection_type": "Cellular"}},
    "203.0.113.128/25": {"country_code": "FR", "asn": "AS64502", "country": "France"},
    "198.51.100.0/25": {"country": "AT", "connection_type": "Cable/DSL"},
    "198.51.100.128/25": {
        "country": {"iso_code": "<b>"},
        "connection_type": "<script>",
        "asn": "ASx",
    },
}


@pytest.mark.parametrize(
    ("address", "country", "operator", "connection"),
    [
        ("203.0.113.7", "DE", "AS64500", "cellular"),
        ("203.0.113.200", "FR", "AS64501", "unknown"),
        ("198.51.100.7", "AT", "unknown", "cable/dsl"),
        ("198.51.100.200", "unknown", "unknown", "unknown"),
        ("192.168.1.5", "unknown", "unknown", "unknown"),
    ],
)
def test_what_viewers_are_told_apart_by(
    path: Path, tmp_path: Path, address: str, country: str, operator: str, connection: str
) -> None:
    networks = Networks([path, written(tmp_path / "places.mmdb", database(PLACES))])
    assert networks.groups(ip_address(address)) == {
        "country": country,
        "operator": operator,
        "connection": connection,
    }
    networks.close()


def test_where_an_address_is(path: Path, tmp_path: Path) -> None:
    networks = Networks([path, written(tmp_path / "places.mmdb", database(PLACES))])
    address = ip_address("203.0.113.7")
    assert networks.where(address) == where_of(address, "AS64500", country="DE")
    address = ip_address("192.168.1.5")
    assert networks.where(address) == where_of(address)


def test_the_first_database_that_knows_is_believed(path: Path, tmp_path: Path) -> None:
    places = written(tmp_path / "places.mmdb", database(PLACES))
    told = [
        Networks(paths).groups(ip_address("203.0.113.200"))["operator"]
        for paths in ([path], [places], [path, places], [places, path])
    ]
    assert told == ["AS64501", "AS64502", "AS64501", "AS64502"]
    assert Networks([places, path]).where(ip_address("203.0.113.7")).operator == "AS64500"


def test_without_a_database_all_is_unknown() -> None:
    assert set(Networks().groups(ip_address("203.0.113.7")).values()) == {"unknown"}


def test_each_database_is_named_that_cannot_be_read(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tracker\.mmdb: .*places\.mmdb is damaged"):
        Networks([path, written(tmp_path / "places.mmdb", b"no database")])


async def test_the_tracker_sums_up_where_viewers_come_from(tmp_path: Path) -> None:
    entries = {"127.0.0.0/8": PLACES["203.0.113.0/25"]}
    places = written(tmp_path / "places.mmdb", database(entries))
    async with rig(mmdb=(places,), edges=("127.0.0.0/8",)) as tracker:
        await tracker.joined()
        await tracker.joined(client="native")
        reading = tracker.ledger.take_reading()
        assert {tuple(group): amounts.joins for group, amounts in reading.groups.items()} == {
            ("country", "DE"): 1,
            ("operator", "unknown"): 1,
            ("connection", "cellular"): 1,
            ("browser", "other"): 1,
            ("access", "unknown"): 1,
            ("browser", "native"): 0,  # it was introduced to the viewer
        }
        sessions = tracker.ledger._sessions.values()
        assert sorted((session.viewer, session.edge) for session in sessions) == [
            (False, True),
            (True, False),
        ]
        assert "127.0.0.1" not in repr(sessions)
