"""What databases in MaxMind's format say of an address: its operator, its country, its connection.

GeoLite2-ASN, DB-IP's and IPinfo's free databases of autonomous systems have what the operator is
known by; those of countries and of connection types, what the dashboard tells viewers apart by.
Such a file may be damaged anywhere: what cannot be opened keeps the tracker from starting, what
cannot be read later is said once, and counts as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maxminddb
import structlog
from maxminddb import InvalidDatabaseError

from p2pcdn.errors import ConfigError
from p2pcdn.wire.candidate import IPAddress

UNKNOWN = "unknown"

_DAMAGE = (InvalidDatabaseError, UnicodeDecodeError, TypeError, ValueError, LookupError)
"""What `maxminddb` raises on files that are not what they should be."""

_NUMBER = ("autonomous_system_number", "asn")
"""The fields where databases have the number of the autonomous system."""

_COUNTRY = ("iso_code", "country_code")
_CODE = re.compile("[A-Z]{2}")
_CONNECTION = re.compile("[A-Za-z][A-Za-z0-9 /_-]{0,31}")

log = structlog.get_logger("p2pcdn.tracker")


class Database:
    """A file, if there is one; ``setting`` names it. `ConfigError` names a file that is none."""

    def __init__(self, setting: str, path: Path | None) -> None:
        self._setting = setting
        self._path = path
        self._reader: maxminddb.Reader | None = None
        self._complained = False
        if path is not None:
            try:
                # Not mapped: a file that is overwritten in place would end the process.
                self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
            except OSError as error:
                raise ConfigError(
                    f"{setting} = {path} cannot be read: {error.strerror or error}."
                ) from error
            except _DAMAGE as error:
                raise ConfigError(
                    f"{setting} = {path} is damaged, or no database in MaxMind's format: "
                    "download it again."
                ) from error

    def entry(self, address: IPAddress) -> Mapping[str, Any]:
        """What it says of an address; nothing if it knows nothing."""
        if self._reader is None:
            return {}
        try:
            found = self._reader.get(address)
        except _DAMAGE as error:
            if not self._complained and not _is_of_other_family(address, self._reader):
                self._complained = True
                log.error("networks_damaged", file=str(self._path), error=repr(error))
            return {}
        return found if isinstance(found, dict) else {}

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class Networks:
    """Both databases."""

    def __init__(self, operators: Path | None, places: Path | None = None) -> None:
        self._operators = Database("tracker.networks", operators)
        self._places = Database("tracker.mmdb", places)

    def operator(self, address: IPAddress) -> str:
        """The autonomous system of an address, such as ``AS64500``; empty if that is unknown."""
        return _operator(self._operators.entry(address))

    def groups(self, address: IPAddress) -> dict[str, str]:
        """What an address has in common with others: ``country``, ``operator``, ``connection``."""
        entry = self._places.entry(address)
        operator = self.operator(address) or _operator(entry)
        return {
            "country": _country(entry),
            "operator": operator or UNKNOWN,
            "connection": _connection(entry),
        }

    def close(self) -> None:
        """Let go of the files."""
        self._operators.close()
        self._places.close()


def _operator(entry: Mapping[str, Any]) -> str:
    number = str(next((entry[name] for name in _NUMBER if entry.get(name)), "")).removeprefix("AS")
    return f"AS{number}" if number.isascii() and number.isdigit() else ""


def _country(entry: Mapping[str, Any]) -> str:
    """Two letters (ISO 3166): MaxMind has them inside of ``country``, others beside a name."""
    within = entry.get("country")
    source = within if isinstance(within, dict) else {"iso_code": within, **entry}
    code = next((source[name] for name in _COUNTRY if _fits(_CODE, source.get(name))), UNKNOWN)
    return str(code)


def _connection(entry: Mapping[str, Any]) -> str:
    """How it is connected, such as ``cellular`` or ``cable/dsl``."""
    traits = entry.get("traits")
    source = {**(traits if isinstance(traits, dict) else {}), **entry}
    kind = source.get("connection_type")
    return str(kind).lower() if _fits(_CONNECTION, kind) else UNKNOWN


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_of_other_family(address: IPAddress, reader: maxminddb.Reader) -> bool:
    """An IPv6 address is no question to put to a database of IPv4 networks."""
    return address.version == 6 and reader.metadata().ip_version == 4
