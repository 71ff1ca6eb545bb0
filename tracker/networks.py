"""Which operator's network an address is in, by a database in MaxMind's format.

GeoLite2-ASN, DB-IP's and IPinfo's free databases of autonomous systems have what is needed. Such a
file may be damaged anywhere: what cannot be opened keeps the tracker from starting, what cannot be
read later is said once, and counts as unknown.
"""

from __future__ import annotations

from pathlib import Path

import maxminddb
import structlog
from maxminddb import InvalidDatabaseError

from p2pcdn.errors import ConfigError
from p2pcdn.wire.candidate import IPAddress

_DAMAGE = (InvalidDatabaseError, UnicodeDecodeError, TypeError, ValueError, LookupError)
"""What `maxminddb` raises on files that are not what they should be."""

_NUMBER = ("autonomous_system_number", "asn")
"""The fields where databases have the number of the autonomous system."""

log = structlog.get_logger("p2pcdn.tracker")


class Networks:
    """The database, if there is one. `ConfigError` names a file that is none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._reader: maxminddb.Reader | None = None
        self._complained = False
        if path is not None:
            try:
                # Not mapped: a file that is overwritten in place would end the process.
                self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
            except OSError as error:
                raise ConfigError(
                    f"tracker.networks = {path} cannot be read: {error.strerror or error}."
                ) from error
            except _DAMAGE as error:
                raise ConfigError(
                    f"tracker.networks = {path} is damaged, or no database in MaxMind's format: "
                    "download it again."
                ) from error

    def operator(self, address: IPAddress) -> str:
        """The autonomous system of an address, such as ``AS64500``; empty if that is unknown."""
        if self._reader is None:
            return ""
        try:
            found = self._reader.get(address)
        except _DAMAGE as error:
            if not self._complained and not _is_of_other_family(address, self._reader):
                self._complained = True
                log.error("networks_damaged", file=str(self._path), error=repr(error))
            return ""
        if not isinstance(found, dict):
            return ""
        number = next((found[name] for name in _NUMBER if found.get(name)), "")
        return f"AS{str(number).removeprefix('AS')}" if number else ""

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _is_of_other_family(address: IPAddress, reader: maxminddb.Reader) -> bool:
    """An IPv6 address is no question to put to a database of IPv4 networks."""
    return address.version == 6 and reader.metadata().ip_version == 4
