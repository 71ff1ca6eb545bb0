"""Descriptions and candidates of other ends."""

from __future__ import annotations

import pytest

from peer.native.transport import LinkError
from peer.native.transport.description import put_together, take_apart, usable

SDP = (
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:11Pw\r\na=ice-pwd:1yCBhOXsB3yLJLcpY42y0ykw\r\n"
    "a=fingerprint:sha-256 EC:EC\r\na=setup:actpass\r\na=mid:data\r\na=sctp-port:5000\r\n"
)
HOST = "candidate:1 1 udp 2113937151 192.0.2.2 44607 typ host"


def test_candidates_and_their_end_are_taken_out() -> None:
    assert take_apart(SDP + f"a={HOST}\r\na=end-of-candidates\r\n") == (SDP, [HOST])
    assert take_apart(SDP) == (SDP, [])


def test_what_is_put_together_comes_apart() -> None:
    assert take_apart(put_together(SDP, [HOST, HOST])) == (SDP, [HOST, HOST])


@pytest.mark.parametrize(
    "sdp",
    [
        "",
        SDP.replace("m=application", "m=audio"),
        SDP + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n",
        SDP.replace("a=fingerprint", "a=finger"),
        SDP.replace("a=ice-pwd", "a=ice"),
        SDP.replace("a=mid:data\r\n", ""),
    ],
)
def test_other_descriptions_are_refused(sdp: str) -> None:
    with pytest.raises(LinkError):
        take_apart(sdp)


@pytest.mark.parametrize(
    "candidate",
    [
        HOST,
        HOST.replace("192.0.2.2", "fd00::2"),
        HOST.replace("192.0.2.2", "6026b762-6085-418d-ad78-545a5778784d.local"),
        HOST.replace("host", "srflx raddr 0.0.0.0 rport 9"),
    ],
)
def test_candidates_that_can_be_reached(candidate: str) -> None:
    assert usable(candidate) is not None


@pytest.mark.parametrize(
    "candidate",
    [
        "",
        "nonsense",
        HOST.replace("udp", "tcp"),
        HOST.replace("1 1 udp", "1 2 udp"),
        HOST.replace("44607", "0"),
        HOST.replace("44607", "70000"),
        HOST.replace("192.0.2.2", "example.com"),
        HOST.replace("192.0.2.2", "224.0.0.251"),
        HOST.replace("192.0.2.2", "0.0.0.0"),
    ],
)
def test_candidates_that_cannot(candidate: str) -> None:
    assert usable(candidate) is None
