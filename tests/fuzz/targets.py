"""What is fuzzed: everything that reads what a stranger wrote, each with what must always hold."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from origin.catalog.playlist import MediaPlaylist, PlaylistError, parse
from origin.http.ranges import Extent, requested
from origin.http_error import HttpError
from origin.paths import path_below, resolve
from p2pcdn.config import TrackerConfig
from p2pcdn.core import torrent_ports
from p2pcdn.core.link import MOST_WANTS, Link, Need, State
from p2pcdn.core.locality import Where
from p2pcdn.core.swarm import Swarms
from p2pcdn.core.swarm_ports import Opened, Rules, Said
from p2pcdn.core.torrent_ports import TorrentRules
from p2pcdn.core.torrents import Torrents
from p2pcdn.errors import RemoteError
from p2pcdn.model import CHUNK_SIZE, HASH_SIZE, PROTOCOL, ChunkKey, Span
from p2pcdn.presentations import PresentationError, dash, sidx
from p2pcdn.wire import codec
from p2pcdn.wire.candidate import Sieve, Vantage, parse_address
from p2pcdn.wire.chunk import Frame, decode_frame, encode_frame, frames_of
from p2pcdn.wire.fields import Message
from p2pcdn.wire.link import CONTROL_BYTES, Hello
from p2pcdn.wire.manifest import (
    RenditionManifest,
    from_base64,
    signed_bytes,
    split_hashes,
    to_base64,
)
from p2pcdn.wire.sdp import clean_description
from p2pcdn.wire.token import LONGEST, signing_input
from p2pcdn.wire.token import parse as parse_token
from p2pcdn.wire.tracker import SendAnswer, SendCandidate, SendOffer
from peer.native.gateway import admission as gateway
from peer.native.gateway.codes import Codes
from peer.native.transport.mdns import decode_answers
from tests.p2pcdn.core.swarming import CONTENT, mdns, sdp
from tests.p2pcdn.wire import vectors
from tracker.admission import Admission
from tracker.stun import answer

HERE = ipaddress.ip_address("198.51.100.7")
SDP_BYTES = 8192


class Target(NamedTuple):
    """A decoder, or a machine behind one."""

    name: str
    corpus: tuple[bytes, ...]
    run: Callable[[bytes], None]
    """Anything that it raises is a bug."""
    share: int
    """So many of a hundred inputs: what is quick gets more."""


def _texts(name: str) -> tuple[bytes, ...]:
    """Both the valid and the invalid ones of a vector file."""
    found = [*vectors.cases(name, "valid"), *vectors.cases(name, "invalid")]
    return tuple(
        text
        for text in (vectors.text_of(case).encode("utf-8", "surrogatepass") for case in found)
        if len(text) < 20_000
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


# Messages


def _json(decode: Callable[[bytes], Message]) -> Callable[[bytes], None]:
    """What is read can be written, and is the same when it is read again."""

    def run(data: bytes) -> None:
        with suppress(RemoteError):
            message = decode(data)
            assert decode(codec.encode(message).encode()) == message

    return run


def _link_message(data: bytes) -> None:
    with suppress(RemoteError):
        message = codec.decode_link(data)
        assert len(data) <= CONTROL_BYTES
        text = codec.encode(message).encode()
        if len(text) <= CONTROL_BYTES:  # numbers may have been written shorter
            assert codec.decode_link(text) == message


def _manifest(data: bytes) -> None:
    with suppress(RemoteError):
        manifest = codec.decode_manifest(data)
        assert codec.decode_manifest(codec.encode(manifest)) == manifest
        if isinstance(manifest, RenditionManifest):
            signed_bytes(manifest)
            size = sum(record.chunks for record in manifest.segments) * HASH_SIZE
            if size < 1_000_000:
                lists = split_hashes(bytes(size), manifest.segments)
                assert lists is not None
                assert sum(map(len, lists)) == size
            assert split_hashes(data[: size + 1], manifest.segments) is None or len(data) >= size


def _base64(data: bytes) -> None:
    decoded = from_base64(_text(data))
    assert decoded is None or len(decoded) == len(_text(data)) * 3 // 4


def _token(data: bytes) -> None:
    """As a whole, as its header and as its claims: most of the rest is not even base64."""
    header, claims, signature = TOKEN.split(".")
    part = to_base64(data)
    texts = (_text(data), f"{part}.{claims}.{signature}", f"{header}.{part}.{signature}")
    for text in texts:
        with suppress(RemoteError):
            token = parse_token(text)
            assert len(text) <= LONGEST
            assert 0 < len(token.claims.id) <= 64
            assert 0 <= token.claims.expires < 2**53
            assert token.claims.client in (None, "browser", "native")


def _frame(data: bytes) -> None:
    with suppress(RemoteError):
        frame = decode_frame(data)
        assert encode_frame(frame) == data
        assert len(frame.payload) > 0
        assert frame.offset + len(frame.payload) <= CHUNK_SIZE


CLAIMS = {
    "iss": "pk_demo",
    "content": "/media/show/",
    "jti": "token-1",
    "iat": 1_800_000_000,
    "nbf": 1_800_000_000,
    "exp": 1_800_000_120,
    "cnf": {"jkt": "A" * 43},
    "origins": ["https://www.example.com", "https://[2001:db8::1]:8443"],
    "client": "browser",
}
TOKEN = f"{signing_input(CLAIMS, 'k1')}.{'A' * 86}"
TOKEN_PARTS = (
    TOKEN.encode(),
    json.dumps(CLAIMS).encode(),
    b'{"alg":"ES256","typ":"p2pcdn+jwt","kid":"k1"}',
    b'{"alg":"none","alg":"ES256","typ":"p2pcdn+jwt","crit":["exp"]}',
    b'{"exp":1e999,"iss":"\\u0000","jti":"' + b"x" * 64 + b'","content":"/"}',
)

FRAMES = tuple(
    encode_frame(Frame(want, offset, b"x" * size))
    for want in (0, 7, 2**32 - 1)
    for offset, size in ((0, 1), (49_152, 16_384), (65_535, 1), (0, 16_384), (60_000, 5_536))
)


# What the tracker passes on


def _sieve() -> Sieve:
    return Sieve(Vantage(HERE), 10)


def _is_fit_to_pass(candidate: str) -> bool:
    """No address but that of the socket, or one public one of the other family."""
    host = candidate.split(" ")[4]
    address = parse_address(host)
    if address is None:
        return host.lower().endswith(".local") and " typ host" in candidate
    return address == HERE or (address.version == 6 and address.is_global)


def _candidate(data: bytes) -> None:
    with suppress(RemoteError):
        passed = _sieve().sift(_text(data))
        if passed is not None:
            assert _is_fit_to_pass(passed), passed
            assert _sieve().sift(passed) == passed


CANDIDATES = (
    mdns(),
    "candidate:1 1 udp 1677729535 198.51.100.7 51234 typ srflx raddr 10.0.0.5 rport 41000",
    "candidate:1 1 udp 2113937151 10.0.0.5 51234 typ host generation 0 ufrag abcd network-id 1",
    "candidate:1 1 udp 2113937151 2001:4860:4860::8888 51234 typ host generation 0",
    "candidate:1 1 udp 2113937151 fe80::1%eth0 51234 typ host",
    "candidate:1 1 udp 2113937151 ::ffff:10.0.0.5 51234 typ host",
    "candidate:1 1 tcp 1518280447 198.51.100.7 9 typ host tcptype active",
    "candidate:1 1 udp 41885439 203.0.113.9 61000 typ relay raddr 198.51.100.7 rport 51234",
    "",
    "candidate:",
)


def _description(data: bytes) -> None:
    with suppress(RemoteError):
        cleaned = clean_description(_text(data), _sieve(), SDP_BYTES)
        for line in cleaned.split("\r\n"):
            assert not line.startswith("a=candidate:") or _is_fit_to_pass(line[2:]), line
        # What has been cleaned is clean.
        assert clean_description(cleaned, _sieve(), 2 * SDP_BYTES) == cleaned


DESCRIPTIONS = (
    sdp(),
    sdp("active"),
    sdp("actpass", *CANDIDATES[:7]),
    sdp("passive", ufrag="A" * 256),
)


# HTTP and files

LENGTHS = (0, 1, 1000, 2**40)


def _range(data: bytes) -> None:
    for length in LENGTHS:
        found = requested(data.decode("latin-1"), length)
        if not isinstance(found, Extent):
            assert isinstance(found, Span)
            assert 0 <= found.first <= found.last < length


RANGES = tuple(
    text.encode()
    for text in (
        "bytes=0-", "bytes=0-0", "bytes=5-499", "bytes=-500", "bytes=-0", "bytes=999-1000",
        "bytes=1-0",
        "bytes=0-1,5-9", "bytes= , 0-4 ,", "items=0-4", "BYTES=0-4", "bytes=-", "bytes 0-4",
    )
)  # fmt: skip


def _path(data: bytes) -> None:
    with suppress(HttpError):
        _check_path(path_below("/media/", data.decode("utf-8", "surrogateescape")))
    found = resolve("film/index.m3u8", _text(data))
    if found is not None:
        _check_path(found)


def _check_path(path: str) -> None:
    assert all(part and not part.startswith(".") for part in path.split("/")), path
    assert not set(path) & set("\\\0\r\n")


PATHS = tuple(
    text.encode()
    for text in (
        "/media/film/index.m3u8", "/media/../etc/passwd", "/media/%2e%2e/x", "/media/a%2fb",
        "/media/a//b",
        "http://host/media/film/1.ts", "/media/fi%C3%BC.ts?x#y", "../film/2.ts", "//host/media/x",
        "?x", "",
        "/media/a\\b", "/media/%00", "/media/%zz", "/media/.hidden", "a/./b", "segment%20one.m4s",
    )
)  # fmt: skip


def _playlist(data: bytes) -> None:
    with suppress(PlaylistError):
        playlist = parse("film/index.m3u8", data)
        if isinstance(playlist, MediaPlaylist):
            for segment in playlist.segments:
                assert segment.sequence >= playlist.first >= 0
                assert segment.offset >= 0
                assert segment.length is None or segment.length >= 0
                _check_path(segment.path)
        else:
            for rendition in playlist.renditions:
                _check_path(rendition.path)


PLAYLISTS = (
    b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n"
    b"#EXTINF:2.0,\n7.ts\n#EXTINF:2.0,\n8.ts\n#EXT-X-ENDLIST\n",
    b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n#EXT-X-BYTERANGE:1000@0\nall.mp4\n"
    b"#EXTINF:2,\n#EXT-X-BYTERANGE:500\nall.mp4\n#EXT-X-GAP\n#EXTINF:2,\ngone.mp4\n",
    b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="audio.m3u8"\n'
    b'#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.4d401e",AUDIO="a"\n360p.m3u8\n',
    b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=1\n"
    b'#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1\n'
    b'#EXT-X-MAP:URI="init.mp4"\n#EXT-X-DISCONTINUITY\n#EXTINF:4,t\n1.m4s\n#EXT-X-PART:DURATION=1,URI="p"\n',
    b'#EXTM3U\n#EXT-X-DEFINE:NAME="a",VALUE="b"\n#EXT-X-DEFINE:NAME="c",VALUE="{$a}{$a}"\n'
    b'#EXT-X-DEFINE:QUERYPARAM="q"\n#EXTINF:4,\n{$a}/1.m4s?{$q}\n#EXTINF:4,\n{$c}.m4s\n',
)


def _mpd(data: bytes) -> None:
    """A manifest and all of its representations, in whose files are any indexes."""
    with suppress(PresentationError):
        presentation = dash.read(data)
        for name in list(presentation.representations)[:3]:
            _check_path(f"film/show.mpd/{name}")
            with suppress(PresentationError):
                found = presentation.segments(name, "/media/film/show.mpd", lambda *_: data[-200:])
                for segment in found:
                    assert 0 <= segment.sequence < 2**53
                    assert segment.offset >= 0
                    assert segment.length is None or segment.length >= 0


_SIDX = bytes.fromhex(
    "00000038736964780000000000000001000003e8000000000000000000000002"
    "000003e8000007d090000000800001f4000005dc90000000"
)
MPDS = tuple(
    f'<MPD mediaPresentationDuration="PT9.5S"><Period>{inside}</Period></MPD>'.encode()
    for inside in (
        '<AdaptationSet><SegmentTemplate timescale="10" duration="20" media="$Number%05d$.m4s"/>'
        '<Representation id="v" bandwidth="9"/><Representation id="w"/></AdaptationSet>',
        '<BaseURL>a/</BaseURL><AdaptationSet><Representation><SegmentTemplate startNumber="0" '
        'media="$RepresentationID$-$Time$"><SegmentTimeline><S t="0" d="3" r="2"/><S d="2" r="-1"/>'
        "</SegmentTimeline></SegmentTemplate></Representation></AdaptationSet>",
        '<AdaptationSet><Representation id="x"><BaseURL>v</BaseURL><SegmentList duration="2">'
        '<SegmentURL mediaRange="0-99"/><SegmentURL media="b"/></SegmentList></Representation>'
        "</AdaptationSet>",
        '<AdaptationSet><Representation id="y"><BaseURL>../v.mp4</BaseURL>'
        '<SegmentBase indexRange="800-855"/></Representation></AdaptationSet>',
    )
)


def _sidx(data: bytes) -> None:
    with suppress(PresentationError):
        for reference in sidx.read(data, 800):
            assert reference.offset >= 800
            assert 0 <= reference.length < 2**31
            assert reference.duration >= 0


# Networks


def _stun(data: bytes) -> None:
    for source in (
        ("198.51.100.7", 4000),
        ("2001:db8::1", 4000, 0, 0),
        ("::ffff:198.51.100.7", 1, 0, 0),
    ):
        reply = answer(data, source)
        assert reply is None or len(reply) <= max(44, len(data) + 24)


STUN = (
    bytes.fromhex("000100002112a442") + b"t" * 12,
    bytes.fromhex("000100082112a442") + b"t" * 12 + bytes.fromhex("8022000474657374"),
    bytes.fromhex("010100002112a442") + b"t" * 12,
)


def _mdns(data: bytes) -> None:
    with suppress(ValueError):
        names = decode_answers(data)
        assert len(names) <= len(data)


MDNS = (
    bytes.fromhex("000084000000000100000000")
    + b"\x04peer\x05local\0"
    + bytes.fromhex("0001800100000078000401020304"),
    bytes.fromhex("000084000001000200000000")
    + b"\x04peer\x05local\0\0\x01\0\x01\xc0\x0c"
    + bytes.fromhex("000180010000007800040a000001")
    + b"\xc0\x0c\0\x1c\0\x01\0\0\0\x78\0\x10"
    + b"\x20\x01\x0d\xb8" + b"\0" * 12,
)  # fmt: skip

_PROXIED = Admission(TrackerConfig(trusted_proxies=("10.0.0.0/8",)))


def _forwarded(data: bytes) -> None:
    peer = ipaddress.ip_address("10.0.0.1")
    _PROXIED.believed(peer, _text(data).split("\n"))
    assert _PROXIED.believed(HERE, [_text(data)]) == HERE  # no proxy of ours: it is not listened to


FORWARDED = (
    b"203.0.113.9", b"203.0.113.9, 10.0.0.2", b"[2001:db8::1]:4711", b"203.0.113.9:80", b"unknown",
    b"_hidden",
    b"for=1.2.3.4", b"2001:db8::1%eth0, 10.1.1.1\n203.0.113.9",
)  # fmt: skip


# Machines: what can be read must do no harm either

OURS = Hello(PROTOCOL, CONTENT, "0" * 16, upload=True)


def _link(data: bytes) -> None:
    """A link hears one message a line; a line that is no message is a frame."""
    link = Link(0, OURS, 0.0)
    link.receive(Hello(PROTOCOL, CONTENT, "a" * 16, upload=True), 0.0)
    for chunk in range(2):
        link.want(ChunkKey("v", 7, chunk), CHUNK_SIZE, Need.USUAL, 0.0)
    for number, line in enumerate(data.split(b"\n")[:64]):
        if link.state is State.OVER:
            break
        with suppress(RemoteError):
            message = codec.decode_link(line) if line[:1] == b"{" else decode_frame(line)
            link.receive(message, number * 0.01)
        link.take_messages()
        link.take_events()
        at = link.timer_at()
        assert at is None or at > 0
        assert link.owed <= MOST_WANTS * CHUNK_SIZE
    link.on_timer(100.0)


def _swarm(data: bytes) -> None:
    """Three sockets say one message a line; what they say of pairings is about those there are."""
    swarms = Swarms(Rules(), Random(1))
    pairings: list[str] = []
    for socket in range(3):
        swarms.receive(Opened(socket, Vantage(HERE)), 0.0)
    for number, line in enumerate(data.split(b"\n")[:32]):
        with suppress(RemoteError):
            message = codec.decode_to_tracker(line)
            if isinstance(message, SendOffer | SendAnswer | SendCandidate) and pairings:
                message = replace(message, pairing=pairings[number % len(pairings)])
            swarms.receive(Said(number % 3, message), number * 0.1)
        for tell in swarms.take_messages():
            pairings += [tell.message.pairing] if hasattr(tell.message, "pairing") else []
            codec.encode(tell.message)
        swarms.take_events()
    swarms.on_timer(1000.0)


def _torrents(data: bytes) -> None:
    """Three of WebTorrent's clients say one message a line."""
    torrents = Torrents(TorrentRules(), Random(1))
    for socket in range(3):
        home = bytes([socket])
        torrents.receive(torrent_ports.Opened(socket, home, Where(home, home)), 0.0)
    for number, line in enumerate(data.split(b"\n")[:32]):
        torrents.receive(torrent_ports.Said(number % 3, line), number * 0.1)
        for tell in torrents.take_messages():
            told = json.loads(tell.text.decode())
            assert told["action"] in ("announce", "scrape")
            assert isinstance(told.get("info_hash", ""), str)
            assert told.get("complete", 0) >= 0
            assert told.get("incomplete", 0) >= 0
            assert told["action"] == "announce" or "files" in told or "failure reason" in told
        assert torrents.take_events() == []
    for socket in range(3):
        torrents.receive(torrent_ports.Closed(socket), 10.0)
    assert torrents.peers == torrents.swarms == 0


def _announce(**changes: object) -> bytes:
    fields = {"action": "announce", "info_hash": "h" * 20, "peer_id": "\xe9" * 20}
    return json.dumps(fields | changes, ensure_ascii=False).encode()


ANNOUNCES = (
    _announce(peer_id="a" * 20, event="started", left=None),
    _announce(peer_id="b" * 20, offers=[{"offer": {"sdp": "v=0"}, "offer_id": "o" * 20}] * 2),
    _announce(peer_id="a" * 20, to_peer_id="b" * 20, offer_id="o" * 20, answer={"sdp": "v=0"}),
    _announce(event="stopped", numwant=5, uploaded=0),
    b'{"action":"scrape","info_hash":["' + b"h" * 20 + b'","' + b"\\u0000" * 20 + b'"]}',
)


def _lines(texts: Iterable[bytes], count: int) -> tuple[bytes, ...]:
    """Several messages in one input."""
    texts = [text.replace(b"\n", b" ") for text in texts if len(text) < 3_000]
    return tuple(b"\n".join(texts[at : at + count]) for at in range(0, len(texts), count))


def _join(**changes: object) -> bytes:
    fields = {
        "type": "join",
        "protocol": PROTOCOL,
        "site": "s",
        "content": CONTENT,
        "client": "browser",
    }
    offers = [{"offer": 0, "sdp": sdp("actpass", mdns())}]
    return json.dumps(fields | {"upload": True, "offers": offers} | changes).encode()


GATEWAY, OWNER, PAGES = "127.0.0.1:54321", "o" * 32, {gateway.hash_of("p" * 32): "https://a.b"}
HEADS = tuple(
    f"{line} HTTP/1.1\r\nHost: {GATEWAY}\r\n{more}\r\n".encode()
    for line in (f"GET /{OWNER}/media/x?y", f"POST /{'p' * 32}/api/v1/contents", "GET /", "PRI *")
    for more in ("", "Origin: https://a.b\r\n", "Sec-Fetch-Site: cross-site\r\nRange: bytes=0-\r\n")
)


def _head(data: bytes) -> None:
    """Nobody is let in to the gateway without a secret, and its address."""
    head = gateway.read_head(data)
    codes = Codes(Random(0).getrandbits)
    door = gateway.Admission(GATEWAY, OWNER, PAGES, codes)
    if head is not None and door.admit(head, 0.0) is not None:
        assert GATEWAY.encode() in data
        assert OWNER.encode() in data or b"p" * 32 in data


_TO_TRACKER = _texts("to-tracker")
_LINK = _texts("link")
_DATA = encode_frame(next(frames_of(0, b"x" * 100)))

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("to-tracker", _TO_TRACKER, _json(codec.decode_to_tracker), 14),
        Target("from-tracker", _texts("from-tracker"), _json(codec.decode_from_tracker), 10),
        Target("link-message", _LINK, _link_message, 14),
        Target("manifest", _texts("manifest"), _manifest, 10),
        Target("base64", (b"", b"AA", b"_-_-", b"A" * 44, b"AAA="), _base64, 2),
        Target("token", TOKEN_PARTS, _token, 2),
        Target("frame", FRAMES, _frame, 6),
        Target("candidate", tuple(text.encode() for text in CANDIDATES), _candidate, 12),
        Target("description", tuple(text.encode() for text in DESCRIPTIONS), _description, 6),
        Target("range", RANGES, _range, 5),
        Target("path", PATHS, _path, 3),
        Target("gateway", HEADS, _head, 2),
        Target("playlist", PLAYLISTS, _playlist, 2),
        Target("mpd", MPDS, _mpd, 1),
        Target("sidx", (_SIDX, b"\0\0\0\x08free" + _SIDX), _sidx, 1),
        Target("stun", STUN, _stun, 4),
        Target("mdns", MDNS, _mdns, 3),
        Target("forwarded", FORWARDED, _forwarded, 3),
        Target("link", (*_lines(_LINK, 6), _DATA), _link, 1),
        Target(
            "swarm",
            (*_lines([_join(), *_TO_TRACKER], 6), b"\n".join([_join()] * 3 + [*_TO_TRACKER[:12]])),
            _swarm,
            1,
        ),
        Target("torrents", (b"\n".join(ANNOUNCES), *ANNOUNCES), _torrents, 1),
    )
}
