"""Session descriptions: what of them is handed on, and which are refused."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.candidate import Sieve, Vantage
from p2pcdn.wire.sdp import clean_description
from tests.p2pcdn.core.swarming import FINGERPRINT, mdns, sdp

HOME = "203.0.113.7"

FIREFOX = "\r\n".join(
    [
        "v=0",
        "o=mozilla...THIS_IS_SDPARTA-99.0 6318429182399182340 0 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        f"a=fingerprint:sha-256 {FINGERPRINT}",
        "a=group:BUNDLE 0",
        "a=ice-options:trickle",
        "a=msid-semantic:WMS *",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=sendrecv",
        "a=ice-pwd:0123456789abcdef0123456789abcdef",
        "a=ice-ufrag:01234567",
        "a=mid:0",
        "a=setup:actpass",
        "a=sctp-port:5000",
        "a=max-message-size:1073741823",
        "",
    ]
)


def clean(text: str, source: str = HOME, most: int = 8192) -> str:
    return clean_description(text, Sieve(Vantage(ipaddress.ip_address(source)), 10), most)


def test_a_browsers_description_keeps_what_a_data_channel_needs() -> None:
    assert clean(sdp("actpass", mdns())).split("\r\n") == [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:aaaabbbbccccddddeeeeff",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {FINGERPRINT}",
        "a=setup:actpass",
        "a=mid:0",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        f"a={mdns()}",
        "",
    ]


def test_what_is_clean_stays_as_it_is() -> None:
    once = clean(sdp("active", mdns()))
    assert clean(once) == once


def test_firefox_puts_its_fingerprint_above_the_section() -> None:
    cleaned = clean(FIREFOX)
    assert f"a=fingerprint:sha-256 {FINGERPRINT}" in cleaned
    assert "mozilla" not in cleaned


def test_bare_newlines_do() -> None:
    assert clean(sdp().replace("\r\n", "\n")) == clean(sdp())


def test_no_address_is_left_but_those_that_passed() -> None:
    private = (
        sdp(
            "actpass",
            "candidate:1 1 udp 2113937151 192.168.1.5 50000 typ host",
            f"candidate:2 1 udp 1677729535 {HOME} 50000 typ srflx raddr 192.168.1.5 rport 50000",
            "candidate:3 1 udp 1677729535 198.51.100.1 50000 typ srflx raddr 0.0.0.0 rport 0",
        )
        .replace("c=IN IP4 0.0.0.0", "c=IN IP4 192.168.1.5")
        .replace("m=application 9", "m=application 50000")
        .replace("t=0 0", "t=0 0\r\na=note:192.168.1.5")
    )
    cleaned = clean(private)
    assert "192.168" not in cleaned
    assert "198.51.100.1" not in cleaned
    assert cleaned.count("a=candidate:") == 1


def test_what_cannot_be_read_as_a_candidate_is_left_behind() -> None:
    assert "candidate" not in clean(sdp("actpass", "candidate:rubbish"))


def test_the_end_of_candidates_stays_and_stands_last() -> None:
    whole = sdp("actpass", "end-of-candidates", mdns())
    assert clean(whole).endswith(f"a={mdns()}\r\na=end-of-candidates\r\n")


@pytest.mark.parametrize("sent", [10, 11, 60])
def test_no_more_candidates_than_the_limit(sent: int) -> None:
    many = sdp("actpass", *(mdns(number) for number in range(sent)))
    assert clean(many).count("a=candidate:") == 10


VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param("", id="nothing"),
        pytest.param("rubbish", id="rubbish"),
        pytest.param(sdp().replace("v=0", "v=1"), id="another version"),
        pytest.param(sdp().replace("m=application 9", "m=audio 9"), id="no application section"),
        pytest.param(sdp() + VIDEO, id="a video section too"),
        pytest.param(sdp() + sdp().partition("t=0 0\r\n")[2], id="two sections"),
        pytest.param(sdp().replace("UDP/DTLS/SCTP", "DTLS/SCTP"), id="the old form"),
        pytest.param(sdp().replace("UDP/DTLS", "TCP/DTLS"), id="over TCP"),
        pytest.param(sdp().replace("webrtc-datachannel", "5000"), id="no data channel"),
        pytest.param(sdp().replace("a=ice-ufrag:abcd\r\n", ""), id="no ufrag"),
        pytest.param(sdp().replace("a=mid:0", "a=mid:0\r\na=ice-ufrag:efgh"), id="two ufrags"),
        pytest.param(sdp().replace("a=ice-pwd", "a=ice-pass"), id="no password"),
        pytest.param(sdp().replace("a=ice-pwd:a", "a=ice-pwd:"), id="a short password"),
        pytest.param(sdp().replace("a=fingerprint", "a=finger"), id="no fingerprint"),
        pytest.param(sdp().replace("sha-256", "md5"), id="a weak fingerprint"),
        pytest.param(sdp().replace("actpass", "both"), id="no such role"),
        pytest.param(sdp().replace("a=setup:actpass", ""), id="no role"),
        pytest.param(sdp().replace("o=-", "o"), id="no origin"),
        pytest.param(sdp().replace("a=mid:0", "a=mid:é"), id="not ASCII"),
        pytest.param(sdp().replace("a=mid:0", "a=mid:0\x00"), id="a NUL"),
        pytest.param(sdp() + "a=x\r\n" * 200, id="lines without end"),
    ],
)
def test_anything_but_one_data_channel_is_refused(wrong: str) -> None:
    with pytest.raises(RemoteError) as caught:
        clean(wrong)
    assert caught.value.code is ErrorCode.BAD_SDP
    assert "\r" not in caught.value.detail


@pytest.mark.parametrize("extra", [0, 1, 8192])
def test_the_size_has_a_limit(extra: int) -> None:
    size = 1000 + extra
    padded = sdp() + "a=" + "x" * (size - len(sdp()) - 4) + "\r\n"
    assert len(padded) == size
    if extra == 0:
        assert clean(padded, most=1000)
        return
    with pytest.raises(RemoteError) as caught:
        clean(padded, most=1000)
    assert caught.value.code is ErrorCode.TOO_LARGE


@given(st.text(max_size=2000))
def test_no_text_does_harm(wild: str) -> None:
    with pytest.raises(RemoteError):
        clean(wild)


@given(st.data())
def test_no_damaged_description_brings_a_foreign_line_through(data: st.DataObject) -> None:
    lines = sdp("actpass", mdns()).split("\r\n")
    where = data.draw(st.integers(0, len(lines)))
    lines.insert(where, data.draw(st.text(st.characters(max_codepoint=300), max_size=60)))
    try:
        cleaned = clean("\r\n".join(lines))
    except RemoteError:
        return
    for line in cleaned.split("\r\n"):
        assert line == "" or line[0] in "vostmca"
        assert line.isascii()


async def test_aiortc_offers_and_answers_with_what_is_left() -> None:
    from aiortc import RTCPeerConnection, RTCSessionDescription

    offerer, answerer = RTCPeerConnection(), RTCPeerConnection()
    try:
        opened = asyncio.Event()
        channel = offerer.createDataChannel("data", negotiated=True, id=0)
        channel.on("open", opened.set)
        answerer.createDataChannel("data", negotiated=True, id=0)
        await offerer.setLocalDescription(await offerer.createOffer())
        offer = _as_from_this_machine(offerer.localDescription.sdp)
        await answerer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await answerer.setLocalDescription(await answerer.createAnswer())
        answer = _as_from_this_machine(answerer.localDescription.sdp)
        await offerer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(60):
            await opened.wait()
    finally:
        await offerer.close()
        await answerer.close()


def _as_from_this_machine(text: str) -> str:
    vantage = Vantage(ipaddress.ip_address("127.0.0.1"), is_ours=lambda _: True)
    cleaned = clean_description(text, Sieve(vantage, 10), 8192)
    assert "a=candidate:" in cleaned
    return cleaned
