"""Session descriptions, as far as a link is concerned with them: one data-channel section."""

from __future__ import annotations

from p2pcdn.errors import RemoteError
from p2pcdn.model import Span
from p2pcdn.wire.candidate import Candidate, parse_address, parse_candidate
from peer.native.transport import LinkError
from peer.native.transport.mdns import is_local_name

_PORTS = Span(1, 65_535)


def take_apart(sdp: str) -> tuple[str, list[str]]:
    """A description without its candidates, and those; `LinkError` if it is not of a link.

    That there will be no more candidates is left out as well: they may come by another way.
    """
    kept: list[str] = []
    candidates: list[str] = []
    for line in sdp.splitlines():
        if line.startswith("a=candidate:"):
            candidates.append(line.removeprefix("a="))
        elif line and not line.startswith("a=end-of-candidates"):
            kept.append(line)
    sections = [line for line in kept if line.startswith("m=")]
    if len(sections) != 1 or not sections[0].startswith("m=application "):
        raise LinkError("a description that is not of one data-channel section")
    for needed in ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:", "a=mid:"):
        if not any(line.startswith(needed) for line in kept):
            raise LinkError(f"a description without {needed}")
    return "".join(f"{line}\r\n" for line in kept), candidates


def put_together(bare: str, candidates: list[str]) -> str:
    """The description with these candidates in its section, which is its last."""
    return bare + "".join(f"a={candidate}\r\n" for candidate in candidates)


def usable(text: str) -> Candidate | None:
    """The candidate, if something could be sent to it over UDP."""
    try:
        candidate = parse_candidate(text)
    except RemoteError:
        return None
    if candidate.transport != "udp" or candidate.component != 1 or candidate.port not in _PORTS:
        return None
    if is_local_name(candidate.address):
        return candidate
    address = parse_address(candidate.address)
    if address is None or address.is_multicast or address.is_unspecified:
        return None
    return candidate
