"""Makes new inputs out of known ones: bits, lengths, repetitions, splices, parts of JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

LONGEST = 200_000
"""Bytes of an input: three times the longest message that any decoder takes."""

_NUMBERS = (
    0, 1, -1, 2, 7, 16, 63, 64, 127, 128, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32,
    2**53 - 1, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308, 1e-308,
)  # fmt: skip

_TEXTS = (
    "", "0", "a" * 65, "a" * 2049, "\0", "\u2028", "\ud7ff", "\U0001f600", "..", "/", "%", "%2e%2e",
    "null", "__proto__", "constructor", "toString", "v=0\r\n", "\r\n", "A" * 64, "_-_-",
    "127.0.0.1", "10.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::1%eth0", "169.254.169.254",
)  # fmt: skip

_BYTES = (
    b"\0", b"\xff", b"\r\n", b"\n", b"=", b",", b"-", b"@", b"%", b'"', b"{", b"[", b"]}",
    b"\\u0000", b"\\ud800", b"\xef\xbb\xbf", b"\xc0\x80", b"\xed\xa0\x80", b"1e999", b"-0",
    b"9" * 30, b"\xc0\x0c", b"#EXT-X-BYTERANGE:", b"#EXT-X-SKIP", b"#EXTINF:",
    b"#EXT-X-MEDIA-SEQUENCE:",
    b"bytes=", b"a=candidate:", b"m=application ", b"typ host", b"tcptype active",
)  # fmt: skip


class Mutator:
    """An endless source of inputs, always the same for the same corpus and seed."""

    def __init__(self, corpus: Sequence[bytes], seed: int) -> None:
        self._corpus = list(corpus)
        self._rng = Random(seed)

    def next(self) -> bytes:
        """The next input."""
        rng = self._rng
        data = rng.choice(self._corpus)
        if rng.random() < 0.5 and (changed := self._as_json(data)) is not None:
            data = changed
            if rng.random() < 0.7:
                return data
        for _ in range(1 + int(rng.expovariate(0.7))):
            data = self._as_bytes(data)
        return data[:LONGEST]

    def _as_bytes(self, data: bytes) -> bytes:
        rng = self._rng
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + 1 + int(rng.expovariate(0.2)))
        match rng.randrange(9):
            case 0:  # a bit
                if at == len(data):
                    return data
                return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
            case 1:  # a random byte
                return data[:at] + rng.randbytes(1) + data[at + 1 :]
            case 2:  # shorter
                return data[:at] + data[to:]
            case 3:  # cut off
                return data[:at]
            case 4:  # a part again
                return data[:to] + data[at:to] + data[to:]
            case 5:  # a part again and again
                most = max(1, (LONGEST - len(data)) // max(1, to - at))
                times = min(most, int(10 ** (rng.random() ** 3 * 4)))
                return data[:to] + data[at:to] * times + data[to:]
            case 6:  # something that matters to somebody
                return data[:at] + rng.choice(_BYTES) + data[at if rng.random() < 0.5 else to :]
            case 7:  # the end of another one
                other = rng.choice(self._corpus)
                return data[:at] + other[rng.randrange(len(other) + 1) :]
            case _:  # noise
                return data[:at] + rng.randbytes(1 + int(rng.expovariate(0.1))) + data[to:]

    def _as_json(self, data: bytes) -> bytes | None:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return None
        for _ in range(1 + int(self._rng.expovariate(1.5))):
            value = self._changed(value)
        text = json.dumps(value, ensure_ascii=self._rng.random() < 0.5)
        return text.encode("utf-8", "surrogatepass")[:LONGEST]

    def _changed(self, value: Any) -> Any:
        """The value with one of its parts another."""
        rng = self._rng
        if isinstance(value, dict) and value and rng.random() < 0.85:
            name = rng.choice(list(value))
            match rng.randrange(8):
                case 0:
                    return {key: part for key, part in value.items() if key != name}
                case 1:
                    return value | {rng.choice(_TEXTS) or "x": self._any()}
                case 2:
                    return value | {name: value[rng.choice(list(value))]}
                case _:
                    return value | {name: self._changed(value[name])}
        if isinstance(value, list) and value and rng.random() < 0.85:
            at = rng.randrange(len(value))
            match rng.randrange(5):
                case 0:
                    return value[:at] + value[at + 1 :]
                case 1:
                    return value[: at + 1] * min(600, int(10 ** (rng.random() * 3)))
                case 2:
                    return [*value[:at], self._any(), *value[at:]]
                case _:
                    return [*value[:at], self._changed(value[at]), *value[at + 1 :]]
        if isinstance(value, str) and rng.random() < 0.5:
            changed = self._as_bytes(value.encode("utf-8", "surrogatepass"))
            return changed.decode("utf-8", "replace")
        if isinstance(value, int) and rng.random() < 0.5:
            return value + rng.choice((-1, 1))
        return self._any()

    def _any(self) -> Any:
        rng = self._rng
        match rng.randrange(5):
            case 0:
                return rng.choice((None, True, False))
            case 1:
                return rng.choice(_TEXTS)
            case 2:
                return rng.choice(([], {}, [[]], [[[[[[]]]]]], {"": {}}))
            case _:
                return rng.choice(_NUMBERS)
