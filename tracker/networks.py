"""What databases in MaxMind's format say of an address: its operator, its country, its connection.

GeoLite2-ASN, DB-IP's and IPinfo's free databases of autonomous systems have what the operator is
known by; those of countries and of connection types, what the dashboard tells viewers apart by.
Some have several of these; of each, the first database that knows it is believed. Such a file may
be damaged anywhere: what cannot be opened keeps the tracker from starting, what cannot be read
later is said once, and counts as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import maxminddb
import structlog
from maxminddb import InvalidDatabaseError

from p2pcdn.core.atlas import NOWHERE
from p2pcdn.core.locality import Where, where_of
from p2pcdn.errors import ConfigError, UnavailableError
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
    """A file. `ConfigError` names one that cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._complained = False
        try:
            # Not mapped: a file that is overwritten in place would end the process.
            self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
        except OSError as error:
            raise UnavailableError(
                f"tracker.mmdb: {path} cannot be read: {error.strerror or error}."
            ) from error
        except _DAMAGE as error:
            raise ConfigError(
                f"tracker.mmdb: {path} is damaged, or no database in MaxMind's format: "
                "download it again."
            ) from error

    def entry(self, address: IPAddress) -> Mapping[str, Any]:
        """What it says of an address; nothing if it knows nothing."""
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
        self._reader.close()


class Networks:
    """All databases together, those that are believed first in front."""

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self.regions = NOWHERE.regions
        """Those of the operator's own map, if there is one."""
        self._databases = [Database(path) for path in paths]

    def where(self, address: IPAddress) -> Where:
        """All that is known of where an address is."""
        entries = self._entries(address)
        operator, country = _first(_operator, entries), _first(_country, entries)
        return where_of(address, operator, self.regions.of(address), country)

    def groups(self, address: IPAddress) -> dict[str, str]:
        """What an address has in common with others: ``country``, ``operator``, ``connection``."""
        entries = self._entries(address)
        found = {
            "country": _first(_country, entries),
            "operator": _first(_operator, entries),
            "connection": _first(_connection, entries),
        }
        return {kind: name or UNKNOWN for kind, name in found.items()}

    def close(self) -> None:
        """Let go of the files."""
        for database in self._databases:
            database.close()

    def _entries(self, address: IPAddress) -> list[Mapping[str, Any]]:
        return [database.entry(address) for database in self._databases]


def _first(what: Callable[[Mapping[str, Any]], str], entries: Iterable[Mapping[str, Any]]) -> str:
    return next(filter(None, map(what, entries)), "")


def _operator(entry: Mapping[str, Any]) -> str:
    number = str(next((entry[name] for name in _NUMBER if entry.get(name)), "")).removeprefix("AS")
    return f"AS{number}" if number.isascii() and number.isdigit() else ""


def _country(entry: Mapping[str, Any]) -> str:
    """Two letters (ISO 3166): MaxMind has them inside of ``country``, others beside a name."""
    within = entry.get("country")
    source = within if isinstance(within, dict) else {"iso_code": within, **entry}
    return str(next((source[name] for name in _COUNTRY if _fits(_CODE, source.get(name))), ""))


def _connection(entry: Mapping[str, Any]) -> str:
    """How it is connected, such as ``cellular`` or ``cable/dsl``."""
    traits = entry.get("traits")
    source = {**(traits if isinstance(traits, dict) else {}), **entry}
    kind = source.get("connection_type")
    return str(kind).lower() if _fits(_CONNECTION, kind) else ""


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_of_other_family(address: IPAddress, reader: maxminddb.Reader) -> bool:
    """An IPv6 address is no question to put to a database of IPv4 networks."""
    return address.version == 6 and reader.metadata().ip_version == 4
