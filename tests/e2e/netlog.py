"""Whom a Chromium has contacted, by its own log of the network.

What Chromium wants for itself (its clock, updates, accounts) is not a page's doing: its hosts are
mapped to this machine, and requests that no page has made don't count.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_CHROMIUMS = ("*.google.com", "*.googleapis.com", "*.gvt1.com")
_NOBODY = "not an origin"
_DNS = ":53"
"""What is asked of a name server counts by the name."""


def flags(log: Path) -> tuple[str, ...]:
    """What makes Chromium write it."""
    rules = ",".join(f"MAP {host} 127.0.0.1" for host in _CHROMIUMS)
    return (
        f"--log-net-log={log}",
        "--net-log-capture-mode=IncludeSensitive",
        f"--host-resolver-rules={rules}",
    )


def contacts(log: Path) -> set[str]:
    """Hosts and addresses: of every request, look-up, connection and datagram.

    Sockets that are connected to find out which way packets would go, and send none, don't count.
    """
    # An event a line, after one with what their numbers mean; its end may be missing.
    first, *lines = log.read_text(errors="replace").splitlines()
    types = json.loads(first.rstrip().removesuffix(",") + "}")["constants"]["logEventTypes"]
    names = {number: name for name, number in types.items()}
    connected: dict[int, str] = {}
    found: set[str] = set()
    for event in _events(lines):
        kind, source = names[event["type"]], event["source"]["id"]
        given = event.get("params", {})
        if kind == "UDP_CONNECT" and "address" in given:
            connected[source] = given["address"]
        found |= set(_named(kind, given, connected.get(source, "")))
    return found


def _events(lines: list[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with contextlib.suppress(ValueError):
            event = json.loads(line.rstrip().removesuffix(","))
            if isinstance(event, dict) and {"type", "source"} <= event.keys():
                yield event


def _named(kind: str, given: dict[str, Any], connected: str) -> Iterator[str]:
    match kind, given:
        case "URL_REQUEST_START_JOB", {"url": str(url)} if given.get("initiator") != _NOBODY:
            if re.match("(http|ws)s?:", url):
                yield urlsplit(url).hostname or ""
        case (("HOST_RESOLVER_MANAGER_REQUEST" | "HOST_RESOLVER_MANAGER_JOB"), {"host": str(host)}):
            yield urlsplit(host).hostname or _host(host)
        case "DNS_TRANSACTION", {"hostname": str(host)}:
            yield host.removesuffix(".")
        case "TCP_CONNECT_ATTEMPT", {"address": str(address)}:
            yield _host(address)
        case "UDP_BYTES_SENT", _:
            address = given.get("address") or connected
            if address and not address.endswith(_DNS):
                yield _host(address)


def _host(address: str) -> str:
    """The host of ``192.0.2.1:80``, ``[::1]:80`` or a bare name."""
    match = re.fullmatch(r"\[?(.*?)\]?(?::\d+)?", address)
    assert match is not None
    return match[1]
