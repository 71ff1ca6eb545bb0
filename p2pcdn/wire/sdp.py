"""Session descriptions (RFC 8866) of one data channel section, read strictly and written anew.

A description comes from one stranger and goes to another one's browser. So it is not passed on but
rebuilt: each line that a data channel needs (RFC 8841, RFC 8839, RFC 8122) is checked and copied,
all else is left behind; addresses are blanked, and its candidates go through a `Sieve`.

::

    v=0                                                          the session
    o=- 4611731400430051336 2 IN IP4 0.0.0.0
    s=-
    t=0 0
    a=group:BUNDLE 0
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel             its only section
    c=IN IP4 0.0.0.0
    a=ice-ufrag:... a=ice-pwd:... a=fingerprint:... a=setup:... a=mid:0 a=sctp-port:5000 ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.candidate import Sieve

MOST_LINES = 128
"""A browser's description has about 20 lines, with many candidates 40."""

_SECTION = re.compile(r"m=application \d{1,5} UDP/DTLS/SCTP webrtc-datachannel")
_ORIGIN = re.compile(r"o=\S+ (\d{1,20}) (\d{1,20}) IN IP[46] \S+")

_ATTRIBUTES = {
    "group": r"BUNDLE [!-~]{1,32}",
    "ice-options": r"[A-Za-z0-9+/ -]{1,64}",
    "ice-ufrag": r"[A-Za-z0-9+/]{4,256}",
    "ice-pwd": r"[A-Za-z0-9+/]{22,256}",
    "fingerprint": r"(?i:sha-(?:256|384|512)) (?:[0-9A-Fa-f]{2}:){31,63}[0-9A-Fa-f]{2}",
    "setup": r"actpass|active|passive",
    "mid": r"[!-~]{1,32}",
    "sctp-port": r"\d{1,5}",
    "max-message-size": r"\d{1,10}",
}
"""Every attribute that is copied, with what its value has to look like."""

_PATTERNS = {
    f"a={name}": re.compile(f"a={name}:(?:{value})") for name, value in _ATTRIBUTES.items()
}


def clean_description(sdp: str, sieve: Sieve, most_bytes: int) -> str:
    """The description as it is to be passed on; `RemoteError` if it is not just a data channel."""
    if len(sdp) > most_bytes:
        raise RemoteError(ErrorCode.TOO_LARGE, f"a description of {len(sdp)} characters")
    if not sdp.isascii():
        _refuse("it has characters outside ASCII")
    lines = sdp.replace("\r\n", "\n").removesuffix("\n").split("\n", MOST_LINES)
    if len(lines) > MOST_LINES or lines[0] != "v=0":
        _refuse("it does not begin with v=0, or has too many lines")
    session, section = _split(lines)
    counts: dict[str, int] = {}
    head = [
        "v=0",
        _origin(session),
        "s=-",
        "t=0 0",
        *_attributes(session, counts),
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        *_attributes(section, counts),
    ]
    once = counts.get("a=ice-ufrag") == counts.get("a=ice-pwd") == counts.get("a=setup") == 1
    if not once or "a=fingerprint" not in counts:  # without these there is no data channel
        _refuse("it needs one each of ice-ufrag, ice-pwd and setup, and a fingerprint")
    return "\r\n".join([*head, *_candidates(section, sieve)]) + "\r\n"


def _split(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines of the session, and those of its only section."""
    sections = [number for number, line in enumerate(lines) if line[:2] == "m="]
    if len(sections) != 1 or not _SECTION.fullmatch(lines[sections[0]]):
        _refuse("it needs one m=application section for a data channel, and no other")
    return lines[: sections[0]], lines[sections[0] + 1 :]


def _origin(session: list[str]) -> str:
    """Who made it, without the address."""
    for line in session:
        if line[:2] == "o=" and (origin := _ORIGIN.fullmatch(line)):
            id_, version = origin.groups()
            return f"o=- {id_} {version} IN IP4 0.0.0.0"
    return _refuse("it has no o= line")


def _attributes(lines: list[str], counts: dict[str, int]) -> list[str]:
    kept = []
    for line in lines:
        name = line.partition(":")[0]
        pattern = _PATTERNS.get(name)
        if pattern is None:
            continue
        if not pattern.fullmatch(line):
            _refuse(f"its attribute {name[2:]} cannot be read")
        counts[name] = counts.get(name, 0) + 1
        kept.append(line)
    return kept


def _candidates(lines: list[str], sieve: Sieve) -> Iterator[str]:
    for line in lines:
        if line[:12] != "a=candidate:":
            continue
        try:
            candidate = sieve.sift(line[2:])
        except RemoteError:
            continue  # what cannot be read cannot be vouched for
        if candidate is not None:
            yield f"a={candidate}"
    if "a=end-of-candidates" in lines:
        yield "a=end-of-candidates"


def _refuse(reason: str) -> NoReturn:
    raise RemoteError(ErrorCode.BAD_SDP, f"the session description is refused: {reason}")
