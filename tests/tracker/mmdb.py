"""Writes a database in MaxMind's format, version 2.0: a binary tree of prefixes, and maps.

https://maxmind.github.io/MaxMind-DB/
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

MARK = b"\xab\xcd\xefMaxMind.com"


class Short(int):
    """A number of 16 bits."""


class Long(int):
    """A number of 64 bits."""


def database(entries: Mapping[str, Mapping[str, Any]], version: int = 4) -> bytes:
    """The file that has these values for these networks."""
    tree: list[list[int | None]] = [[None, None]]
    data = b""
    places: list[tuple[int, int, int]] = []
    for text, value in entries.items():
        network = ip_network(text)
        bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
        if version == 6 and network.version == 4:
            bits = "0" * 96 + bits
        node = 0
        for bit in map(int, bits[:-1]):
            following = tree[node][bit]
            if following is None:
                following = tree[node][bit] = len(tree)
                tree.append([None, None])
            node = following
        places.append((node, int(bits[-1]), len(data)))
        data += _encode(value)
    count = len(tree)
    for node, bit, offset in places:
        tree[node][bit] = count + 16 + offset
    records = (count if record is None else record for node in tree for record in node)
    about = {
        "node_count": count,
        "record_size": Short(24),
        "ip_version": Short(version),
        "database_type": "Test-ASN",
        "binary_format_major_version": Short(2),
        "binary_format_minor_version": Short(0),
        "build_epoch": Long(1_700_000_000),
        "languages": [],
        "description": {},
    }
    tree_bytes = b"".join(struct.pack(">I", record)[1:] for record in records)
    return tree_bytes + bytes(16) + data + MARK + _encode(about)


def _encode(value: Any) -> bytes:
    match value:
        case str():
            text = value.encode()
            size = [2 << 5 | len(text)] if len(text) < 29 else [2 << 5 | 29, len(text) - 29]
            return bytes(size) + text
        case Short():
            return bytes([5 << 5 | 2]) + struct.pack(">H", value)
        case Long():
            return bytes([8, 2]) + struct.pack(">Q", value)
        case int():
            return bytes([6 << 5 | 4]) + struct.pack(">I", value)
        case list():
            return bytes([len(value), 4]) + b"".join(map(_encode, value))
        case _:
            parts = (_encode(part) for pair in value.items() for part in pair)
            return bytes([7 << 5 | len(value)]) + b"".join(parts)
