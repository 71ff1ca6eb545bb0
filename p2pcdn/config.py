"""Everything that can be set, each with its default, its bounds and the reason for it.

A section is a frozen struct, a setting is one of its fields. The description of a setting is what
`p2pcdn config --default` and the reference print; where its value comes from is the business of
`p2pcdn.settings`. Sizes are bytes and times are seconds.
"""

from __future__ import annotations

import abc
import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeGuard
from urllib.parse import unquote, urlsplit

from msgspec import Meta, Struct

from p2pcdn.errors import ConfigError
from p2pcdn.model import Mode, page_origin

SITE_PATTERN = r"^[A-Za-z0-9_.-]{1,64}\Z"
_THUMBPRINT = re.compile("[0-9a-f]{64}")
_DATABASE = re.compile(r"/([A-Za-z_][A-Za-z0-9_-]{0,63})/?")
_STORE = re.compile(r"(/\d{0,4})?")
_MOUNT = re.compile(r"(?![./])(?:[^/\\\x00-\x1f\x7f]|/(?![./]))+(?<!/)")
_FOLDER = re.compile(r"https?://[^/?#\s@]+/(?:[^?#\s]*/)?")
_HOURS = re.compile(r"(\d{1,2})(?::([0-5]\d))?-(\d{1,2})(?::([0-5]\d))?")

ANYBODY = "*"
"""In a list of origins: whoever comes."""

INFO_HASH = 20
"""Bytes of one."""

LEAST_TOKEN = 16
"""Characters of an admin token, which may be tried as often as anybody likes."""

EVERYWHERE = frozenset({"", "0.0.0.0", "::"})
"""Hosts that stand for all addresses of a machine, where a server listens."""

TURN_URL = re.compile(
    r"(?P<scheme>turns?):(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>\d{1,5}))?"
    r"(\?transport=(?P<transport>udp|tcp))?"
)
"""A TURN server (RFC 7065)."""

SOCKET_URL = re.compile(r"wss?://[^/?#\s]+(/[!-~]*)?(?<!/)")
"""A WebSocket of ours, to which the content's id may be added; without a slash at the end."""

SECRET = "secret"
"""Marks a setting that is a secret itself, and no file with one: its value is never printed."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

if TYPE_CHECKING:
    Content = Path | str
    """Where media are: a directory or an archive of this machine, or else the URL of another place,
    as it was given."""
else:

    class Content(abc.ABC):  # noqa: B024
        """A `Path`, or a text that is a URL: msgspec takes a type of ours, but no union of such."""

    Content.register(Path)
    Content.register(str)

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of settings, a table of the TOML file."""


class Tls(Section, frozen=True):
    """The certificate of the server. Peers need a secure page: HTTPS, or localhost."""

    cert: Annotated[
        Path | None, Meta(description="PEM file with the certificate chain; turns HTTPS on.")
    ] = None
    key: Annotated[Path | None, Meta(description="PEM file with the certificate's key.")] = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            missing = "tls.cert" if self.cert is None else "tls.key"
            raise ConfigError(f"HTTPS needs both tls.cert and tls.key: {missing} is not set.")


class UpstreamConfig(Section, frozen=True):
    """Other HTTP servers that have the media, where content is a URL."""

    private_networks: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks that are not of the public internet, as `10.0.5.0/24` or "
            "`127.0.0.1/32`, and may be fetched from nevertheless. A name that leads to any other "
            "such address is not connected to, since services there trust whoever reaches them."
        ),
    ] = ()

    def __post_init__(self) -> None:
        _ = self.networks

    @property
    def networks(self) -> tuple[IPNetwork, ...]:
        """The same as networks."""
        key = "origin.upstream.private_networks"
        return tuple(_network(key, network) for network in self.private_networks)


class OriginConfig(Section, frozen=True):
    """The HTTP server: what it tells browsers, and what it bears from clients."""

    allow_origin: Annotated[
        str,
        Meta(
            description="Access-Control-Allow-Origin of media and manifests: `*` or one page "
            "origin. Credentials are never allowed."
        ),
    ] = "*"
    list_contents: Annotated[
        bool,
        Meta(
            description="Whether /contents lists everything that can be had, for edge peers that "
            "follow the site; whoever asks learns of it."
        ),
    ] = False
    hash_buckets: Annotated[
        bool,
        Meta(
            description="Whether what is in buckets is hashed before anybody asks for it, as files "
            "are. Every byte is read for it once, which most stores charge for; otherwise that is "
            "when the first viewer of a content comes."
        ),
    ] = False
    urls: Annotated[
        tuple[str, ...],
        Meta(
            description="By which viewers reach this origin, such as https://media.example.com or "
            "a CDN's in front of it: absolute URIs in playlists that begin with one name files "
            "here. All others are left alone."
        ),
    ] = ()
    live_window: Annotated[
        int,
        Meta(
            ge=3,
            le=100_000,
            description="How many segments of a live playlist the manifest remembers, those "
            "that the playlist has dropped included.",
        ),
    ] = 256
    cache_size: Annotated[
        int,
        Meta(
            ge=0,
            le=2**50,
            description="Most bytes of files of upstreams and buckets that are kept in the data "
            "directory; those used longest ago go first. 0 keeps none: each is fetched whenever it "
            "is asked for.",
        ),
    ] = 10_737_418_240
    elsewhere_rate: Annotated[
        float,
        Meta(
            gt=0,
            le=1e12,
            description="Bytes a second that are fetched at most, on average, of media that stay "
            "elsewhere: 200 Mbit/s hash a film of 2 GB in 80 s. What is not hashed yet is loaded "
            "by plain HTTP.",
        ),
    ] = 25_000_000.0
    elsewhere_daily: Annotated[
        float,
        Meta(
            gt=0,
            le=1e15,
            description="Bytes of it in a day at the most, so that nobody makes the site pay for "
            "more: 500 GB are a library of 250 films.",
        ),
    ] = 500_000_000_000.0
    accel_redirect: Annotated[
        str,
        Meta(
            pattern=r"^(/([!-~]*/)?)?$",
            description="Have nginx, in front of the origin, send files of directories by itself: "
            "the path of its internal location, such as /internal/, whose alias is the content. "
            "Only what comes from tracker.trusted_proxies or from this machine is answered so.",
        ),
    ] = ""
    open_files: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="How many files stay open, those asked for last: they are sent by the "
            "kernel itself, which takes a fraction of the time. Each takes a descriptor. With 0 "
            "each request opens its own.",
        ),
    ] = 1024
    header_timeout: Annotated[
        float,
        Meta(
            gt=0,
            le=60,
            description="A request's header has to be complete this soon after the connection "
            "opens, or after its first byte on a kept connection; so that a client that drips "
            "bytes holds no connection.",
        ),
    ] = 5.0
    header_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=1_048_576,
            description="Largest request header. A browser's with its cookies takes 1 to 8 KB.",
        ),
    ] = 32_768
    header_count: Annotated[
        int,
        Meta(ge=16, le=1000, description="Most header lines of a request. Browsers send 10 to 25."),
    ] = 64
    keepalive: Annotated[
        float,
        Meta(
            ge=0,
            le=600,
            description="How long an idle connection is kept. Longer than the distance of two "
            "segments, so that playback reuses its connection.",
        ),
    ] = 15.0
    stall_timeout: Annotated[
        float,
        Meta(
            gt=0,
            le=3600,
            description="A client that takes next to nothing of an answer for so long is cut. "
            "Browsers stop reading when a player has buffered enough, and come back with a range "
            "when the connection is gone.",
        ),
    ] = 120.0
    connections: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Most connections at once, of everybody together; fewer where the system "
            "gives the process fewer descriptors.",
        ),
    ] = 16_384
    connections_per_address: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Most connections at once of one IPv4 address or IPv6 /64 that is no "
            "trusted proxy: nobody takes all. A viewer has one or two, seven at most. Where the "
            "system allows fewer in all, these are fewer in proportion.",
        ),
    ] = 8192
    upstream: UpstreamConfig = UpstreamConfig()

    def __post_init__(self) -> None:
        for url in self.urls:
            if not url.lower().startswith(("http://", "https://")):
                raise ConfigError(
                    f"origin.urls takes URLs such as https://media.example.com, not {url!r}."
                )


class IngestConfig(Section, frozen=True):
    """What encoders may put by HTTP at /ingest/, and how much of it is kept."""

    paths: Annotated[
        tuple[str, ...],
        Meta(
            description="Folders below /media/ into which encoders may put segments and playlists, "
            "as `live` or `tv/news`: what is put at /ingest/live/a.ts is had at /media/live/a.ts. "
            "Unless set, nobody may put anything. What no playlist in them names any more is "
            "deleted in time."
        ),
    ] = ()
    token: Annotated[
        str | None,
        SECRET,
        Meta(
            min_length=LEAST_TOKEN,
            max_length=256,
            pattern=r"^[!-~]+\Z",
            description="What an encoder has to send, as a Bearer token or as a password. Unless "
            "set, one is made in the data directory; `p2pcdn token ingest` prints it, and others "
            "for one folder alone.",
        ),
    ] = None
    window: Annotated[
        float,
        Meta(
            ge=1,
            le=31_536_000,
            description="How long a segment is kept after it has left its playlist, for viewers "
            "who are behind; a DELETE by the encoder makes it no shorter.",
        ),
    ] = 300.0
    max_size: Annotated[
        int,
        Meta(
            ge=1_048_576,
            description="Most bytes of the files in these folders, in each of several workers' "
            "view. What left its playlist longest ago goes first, when there is no room.",
        ),
    ] = 10_737_418_240
    segment_bytes: Annotated[
        int,
        Meta(
            ge=65_536,
            le=4_294_967_296,
            description="Largest segment. Ten seconds at 100 Mbit/s are 125 MB.",
        ),
    ] = 134_217_728
    uploads: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="Most uploads at once; an encoder has two, and one for each rendition.",
        ),
    ] = 64
    rate: Annotated[
        float,
        Meta(
            gt=0,
            le=1e11,
            description="Most bytes a second of all uploads together, but for a burst of a second; "
            "the rest waits, so that viewers are served meanwhile.",
        ),
    ] = 125_000_000.0
    idle_timeout: Annotated[
        float,
        Meta(gt=0, le=600, description="An upload of which nothing comes for so long is given up."),
    ] = 10.0
    timeout: Annotated[
        float,
        Meta(
            gt=0,
            le=3600,
            description="An upload has to be complete this soon. Some encoders send a segment "
            "while it is being made, which takes as long as it lasts.",
        ),
    ] = 60.0

    def __post_init__(self) -> None:
        for path in self.paths:
            if not _MOUNT.fullmatch(path):
                raise ConfigError(
                    "ingest.paths takes folders below /media/ such as live or tv/news, without a "
                    f"slash at their ends, and nothing in them begins with a dot; not {path!r}."
                )


class WebTorrentConfig(Section, frozen=True):
    """WebTorrent's protocol at /announce, for clients that know nothing of p2pcdn: whom it serves,
    and what one of them may take."""

    enabled: Annotated[
        bool, Meta(description="Whether the tracker speaks it: to whom is said below.")
    ] = True
    origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins of pages that may use it, as `https://www.example.com`, beside "
            "the tracker's own and those that sites without tokens name in `origins`; `*` lets in "
            "anybody, pages or not."
        ),
    ] = ()
    info_hashes: Annotated[
        tuple[str, ...],
        Meta(
            description="Info hashes of the swarms that there may be: 40 hexadecimal digits, or 20 "
            "characters as p2p-media-loader makes them; empty: any."
        ),
    ] = ()
    interval: Annotated[
        int,
        Meta(
            ge=10,
            le=3600,
            description="How often clients announce. One that says nothing for twice as long is "
            "gone.",
        ),
    ] = 120
    message_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=1_048_576,
            description="Largest message: an announce carries several offers, of 1 to 3 KB each.",
        ),
    ] = 262_144
    offers: Annotated[
        int, Meta(ge=1, le=64, description="Most offers of one announce that are passed on.")
    ] = 10
    pending_offers: Annotated[
        int, Meta(ge=1, le=1000, description="Most offers that wait for one peer's answer.")
    ] = 16
    swarms_per_socket: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Most swarms of one socket. A page has one for video and one for audio, "
            "and those that it has left within two intervals.",
        ),
    ] = 128
    peers_per_address: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Most peers of one IPv4 address or IPv6 /64, in all swarms together.",
        ),
    ] = 10_000

    def __post_init__(self) -> None:
        for origin in self.origins:
            if origin != ANYBODY and page_origin(origin) != origin:
                raise ConfigError(_no_origin(origin, "tracker.webtorrent.origins"))
        for text in self.info_hashes:
            info_hash_of(text)

    @property
    def hashes(self) -> frozenset[str]:
        """The info hashes, as clients write them."""
        return frozenset(map(info_hash_of, self.info_hashes))


class TrackerConfig(Section, frozen=True):
    """The tracker's socket: what one viewer may take of it."""

    message_bytes: Annotated[
        int, Meta(ge=1024, le=1_048_576, description="Largest message on the socket.")
    ] = 65_536
    hello_timeout: Annotated[
        float,
        Meta(gt=0, le=60, description="A socket has to join this soon after it opens."),
    ] = 5.0
    heartbeat: Annotated[
        float,
        Meta(
            gt=0,
            le=300,
            description="How often the socket is pinged; a peer that is silent for half as long "
            "again is gone.",
        ),
    ] = 20.0
    messages_per_second: Annotated[
        float, Meta(gt=0, le=10_000, description="Messages of one socket, on average.")
    ] = 20.0
    burst: Annotated[
        int,
        Meta(ge=1, le=100_000, description="Messages of one socket at once: ICE candidates burst."),
    ] = 40
    sdp_bytes: Annotated[
        int,
        Meta(
            ge=512,
            le=8192,
            description="Largest session description. One with a data channel alone takes 500 to "
            "2,000 bytes.",
        ),
    ] = 8192
    candidates: Annotated[
        int, Meta(ge=1, le=100, description="Most ICE candidates of one end of a pairing.")
    ] = 10
    sockets_per_address: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Most sockets of one IPv4 address or IPv6 /64. Generous: an office behind "
            "one NAT is the best swarm there is.",
        ),
    ] = 2000
    joins_per_second: Annotated[
        float,
        Meta(
            gt=0,
            le=100_000,
            description="Joins of one IPv4 address or IPv6 /64, on average; renewals of tokens "
            "count, too.",
        ),
    ] = 100.0
    send_queue: Annotated[
        int,
        Meta(
            ge=8,
            le=100_000,
            description="Messages that may wait for a socket; a reader slower than that is "
            "dropped, so that it takes no memory.",
        ),
    ] = 256
    largest_swarm: Annotated[
        int,
        Meta(
            ge=2,
            le=1_000_000,
            description="Most members of a swarm in one of several workers; who joins beyond that "
            "is in a swarm of its own at another, which fetches a copy of its own.",
        ),
    ] = 20_000
    links: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Most pairings of a peer at once. Each costs the browser memory and "
            "the viewer privacy.",
        ),
    ] = 16
    neighbours: Annotated[
        int, Meta(ge=1, le=64, description="How many links the tracker aims at for each peer.")
    ] = 8
    pending_offers: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Most offers that wait for one peer's answer, so that nobody is flooded "
            "with them.",
        ),
    ] = 2
    peers_per_hour: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Most distinct peers that one viewer learns of in an hour: a harvester of "
            "addresses gets no more, however often it comes back. An address with n viewers learns "
            "of √n times as many other addresses.",
        ),
    ] = 60
    local_share: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Of a viewer's neighbours, how many are to be near it, if there are such: "
            "in its local network, of its operator or country (tracker.mmdb), or cheap to go to; "
            "all but one at the most. The others come by chance, so that what is new gets into "
            "every network; with 0 all do.",
        ),
    ] = 0.75
    prefix_share: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Of a viewer's neighbours, how many may be of one network (IPv4 /24, IPv6 "
            "/48) beyond its local one, two at least, while there are others: nobody is to be "
            "surrounded by one person's many sockets.",
        ),
    ] = 0.25
    jury: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="So many independent networks have to say that an address sent them wrong "
            "bytes, three quarters of those that it was linked with, before it is banned; 0 bans "
            "nobody.",
        ),
    ] = 6
    ban_time: Annotated[
        float,
        Meta(ge=0, le=31_536_000, description="How long a banned address is not let in."),
    ] = 3600.0
    lease_ahead: Annotated[
        float,
        Meta(
            ge=0,
            le=120,
            description="How many seconds ahead (of a live stream ten at most) the tracker names "
            "who fetches what from the origin, so that it is fetched once; 0 leaves it to the "
            "peers alone.",
        ),
    ] = 30.0
    importers: Annotated[
        bool,
        Meta(
            description="Name viewers of each operator's network (tracker.mmdb) who bring what "
            "comes out into it, and have the others there wait for them: less of it crosses from "
            "one network into another. It costs time: live segments are complete seconds later, "
            "and where there are many networks the origin may send more copies."
        ),
    ] = False
    mode: Annotated[
        Mode,
        Meta(
            description="Whom viewers share with, at the most: `off` (nobody), `lan` (only behind "
            "the same public address), `network` (only of the same network operator), `any`, or "
            "`relay` (anybody, but through tracker.turn alone, which hides their addresses and "
            "saves nothing). A viewer may choose less."
        ),
    ] = "any"
    mmdb: Annotated[
        tuple[Path, ...],
        Meta(
            description="Databases in MaxMind's format that say which autonomous system an address "
            "is in (such as GeoLite2-ASN.mmdb), in which country (GeoLite2-Country.mmdb), or how "
            "it is connected (`connection_type`): of each, the first that knows is believed. They "
            "are for finding viewers others who are near; for the mode `network`, in which without "
            "one viewers in the same IPv4 /24 or IPv6 /48 count as of one network; and for the "
            "dashboard, which tells viewers apart by them in sums alone. Of no viewer is it kept."
        ),
    ] = ()
    alto: Annotated[
        tuple[str, ...],
        Meta(
            max_length=2,
            description="Files or URLs of ALTO maps (RFC 7285, JSON), in which a network's "
            "operator says which addresses belong together (a network map) and what it costs to go "
            "from some to others (the cost map that belongs to it, of `routingcost`): viewers find "
            "others where it is cheap first. Files are read when they change, URLs when what they "
            "said is stale; what is wrong with one stands in `/readyz?verbose`, and the last that "
            "was right stays in force. No viewer is told of them.",
        ),
    ] = ()
    edges: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses or networks (as `203.0.113.0/28`) of native peers that you run "
            "yourself: what they bring counts apart, since you pay for it."
        ),
    ] = ()
    turn: Annotated[
        tuple[str, ...],
        Meta(
            description="TURN servers of your own, as `turn:turn.example.com:3478?transport=udp`, "
            "for viewers in the mode `relay`; nobody else uses them."
        ),
    ] = ()
    turn_secret: Annotated[
        Path | None,
        Meta(
            description="File with the secret that these servers share with the tracker, coturn's "
            "`static-auth-secret`."
        ),
    ] = None
    turn_relays: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks (as `203.0.113.0/28`) that these servers relay from; empty: the "
            "addresses of their hosts, which are looked up every five minutes. Viewers are sent to "
            "no other relay."
        ),
    ] = ()
    turn_lasts: Annotated[
        float,
        Meta(
            gt=0,
            le=604_800,
            description="How long what lets a viewer use these servers is good for. Longer than a "
            "viewing: links that come later need it, too.",
        ),
    ] = 43_200.0
    stun: Annotated[
        bool,
        Meta(
            description="Answer STUN on UDP at the server's port number, so that viewers behind "
            "NATs link without a third party."
        ),
    ] = True
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks (as `10.0.0.0/8`) of reverse proxies whose X-Forwarded-For is "
            "believed; of anybody else it is ignored."
        ),
    ] = ()
    sites: Annotated[
        tuple[str, ...],
        Meta(
            description="Site ids that this tracker serves, beside those that have a table; where "
            "there are neither, that of `site`."
        ),
    ] = ()
    store: Annotated[
        str | None,
        SECRET,  # where it carries a password
        Meta(
            description="Valkey or Redis by which several trackers, the nodes, act as one: "
            "`valkey://:PASSWORD@HOST:6379/0`, `valkeys://` with TLS, `unix://PATH`; or `redis://` "
            "and `rediss://`. Unless set, this tracker is alone. Needs the extra `valkey`."
        ),
    ] = None
    url: Annotated[
        str | None,
        Meta(
            max_length=200,
            description="Where viewers reach this node's socket, and no other node's, as "
            "`wss://a.tracker.example/tracker/v1`: viewers whose content is at home here are sent "
            "there. Needed with tracker.store.",
        ),
    ] = None
    exchange: Annotated[
        str | None,
        Meta(
            description="HOST:PORT of this node, for the other nodes alone, which dial it: an "
            "address that is this host's and that they reach. They pass on what viewers say who "
            "cannot be sent here. It is authenticated, not encrypted: whoever is on the way can "
            "read it. Unless set, such viewers meet only those at their own node."
        ),
    ] = None
    report_every: Annotated[
        float,
        Meta(gt=0, le=3600, description="How often peers report what they moved."),
    ] = 10.0
    admin_token: Annotated[
        str | None,
        SECRET,
        Meta(
            min_length=LEAST_TOKEN,
            max_length=256,
            pattern=r"^[!-~]+\Z",
            description="What lets people see the dashboard and the API. Unless set, one is made "
            "in the data directory, and only needed where the server listens on more than loopback "
            "or a proxy is in between; once set, it is always needed.",
        ),
    ] = None
    price_per_gb: Annotated[
        float | None,
        Meta(
            ge=0,
            le=1000,
            description="What a gigabyte (1,000,000,000 bytes) of your origin's or CDN's traffic "
            "costs: with it, the dashboard shows the money that was saved.",
        ),
    ] = None
    currency: Annotated[
        str,
        Meta(
            pattern=r"^[A-Z]{3}\Z",
            description="The price's currency, by its ISO 4217 code, as `EUR`.",
        ),
    ] = "USD"
    open_metrics: Annotated[
        bool,
        Meta(
            description="Whether /metrics needs no token in any case: its figures name nobody, but "
            "tell how much goes on."
        ),
    ] = False

    webtorrent: WebTorrentConfig = WebTorrentConfig()

    def __post_init__(self) -> None:
        for network in self.trusted_proxies:
            _network("tracker.trusted_proxies", network)
        for network in self.turn_relays:
            _network("tracker.turn_relays", network)
        for network in self.edges:
            _network("tracker.edges", network)
        for url in self.turn:
            turn_host(url)
        for name in self.alto:
            _alto(name)
        if bool(self.turn) != (self.turn_secret is not None):
            missing = "tracker.turn_secret" if self.turn else "tracker.turn"
            raise ConfigError(
                f"Relays need both tracker.turn and tracker.turn_secret: {missing} is not set."
            )
        if self.mode == "relay" and not self.turn:
            raise ConfigError("tracker.mode = relay needs TURN servers: set tracker.turn.")
        if self.store is not None:
            store_url(self.store)
        if (self.store is None) != (self.url is None):
            missing = "tracker.url" if self.url is None else "tracker.store"
            raise ConfigError(
                f"Several nodes need both tracker.store and tracker.url: {missing} is not set."
            )
        if self.url is not None and SOCKET_URL.fullmatch(self.url) is None:
            raise ConfigError(
                "tracker.url is the URL of a WebSocket, such as "
                f"wss://a.tracker.example/tracker/v1, not {self.url!r}."
            )
        if self.exchange is not None:
            if self.store is None:
                raise ConfigError(
                    "tracker.exchange is for several nodes: tracker.store is not set."
                )
            if split_address(self.exchange, "tracker.exchange").host in EVERYWHERE:
                raise ConfigError(
                    "tracker.exchange is where other nodes reach this one, such as "
                    f"10.0.0.1:7070: {self.exchange} is nowhere to them."
                )

    @property
    def proxy_networks(self) -> tuple[IPNetwork, ...]:
        """The trusted proxies as networks."""
        return tuple(
            _network("tracker.trusted_proxies", network) for network in self.trusted_proxies
        )

    @property
    def edge_networks(self) -> tuple[IPNetwork, ...]:
        """The site's own peers, as networks."""
        return tuple(_network("tracker.edges", network) for network in self.edges)

    @property
    def relay_networks(self) -> tuple[IPNetwork, ...]:
        """Where relays send from, as networks."""
        return tuple(_network("tracker.turn_relays", network) for network in self.turn_relays)


class LedgerConfig(Section, frozen=True):
    """The ledger's storage: where it is, how often it is written, and how long figures are kept.
    The totals are kept for good."""

    clickhouse: Annotated[
        str | None,
        SECRET,  # where it carries a password
        Meta(
            description="Database in ClickHouse in which several trackers keep one ledger: "
            "`https://USER:PASSWORD@HOST:8443/DATABASE`, or http and 8123. Unless set, the ledger "
            "is in SQLite, in the data directory. Needs the extra `clickhouse`."
        ),
    ] = None
    write_every: Annotated[
        float,
        Meta(
            gt=0,
            le=5,
            description="How often the figures are written; those since are lost if the process is "
            "killed.",
        ),
    ] = 4.0
    most_bitrate: Annotated[
        float,
        Meta(
            gt=0,
            le=1e12,
            description="Highest bit rate of the media, in bits a second. Reports of more than "
            "can have been played since the viewer came, and 60 s ahead, are not believed; "
            "of media that this process serves itself, its own rate counts if it is lower.",
        ),
    ] = 100_000_000.0
    keep_10s: Annotated[
        float,
        Meta(ge=900, le=604_800, description="How long there are figures of each 10 seconds."),
    ] = 7200.0
    keep_1min: Annotated[
        float,
        Meta(ge=7200, le=31_536_000, description="How long there are figures of each minute."),
    ] = 259_200.0
    keep_1h: Annotated[
        float,
        Meta(ge=259_200, le=315_360_000, description="How long there are figures of each hour."),
    ] = 34_560_000.0

    def __post_init__(self) -> None:
        if self.clickhouse is not None:
            clickhouse_place(self.clickhouse)
        if not self.keep_10s <= self.keep_1min <= self.keep_1h:
            raise ConfigError(
                "What is finer is not kept longer than what is coarser: ledger.keep_10s, "
                "ledger.keep_1min and ledger.keep_1h have to ascend."
            )


class PeerConfig(Section, frozen=True):
    """A native peer: what it gives to the swarm."""

    store_bytes: Annotated[
        int,
        Meta(
            ge=1_048_576,
            description="Most media that the peer holds in memory, of all contents together; "
            "beyond it the segments furthest from use are dropped. With peer.store, only what is "
            "not on disk.",
        ),
    ] = 1_073_741_824
    store: Annotated[
        Path | None,
        Meta(
            description="Directory where the peer keeps media on disk, so that they outlive it; "
            "each process needs one of its own."
        ),
    ] = None
    max_size: Annotated[
        int,
        Meta(
            ge=16_777_216,
            description="Most bytes of that directory; beyond it the contents least asked for are "
            "dropped.",
        ),
    ] = 20_000_000_000
    mode: Annotated[
        Mode,
        Meta(
            description="Whom the peer shares with, as in tracker.mode; what holds is what both "
            "allow."
        ),
    ] = "any"
    upload: Annotated[
        bool, Meta(description="Whether the peer sends to others, or only receives.")
    ] = True
    upload_rate: Annotated[
        float | None,
        Meta(
            ge=0,
            description="Most bytes a second that the peer sends; with less than 32,768 it sends "
            "none, since a chunk would take too long.",
        ),
    ] = None
    upload_budget: Annotated[
        int | None,
        Meta(ge=0, description="Most bytes that the peer sends as long as it runs."),
    ] = None
    daily_budget: Annotated[
        int | None,
        Meta(
            ge=0,
            description="Most bytes that `p2pcdn peer` sends a day, by this machine's clock; not "
            "with a gateway. With peer.store it holds over restarts, too.",
        ),
    ] = None
    hours: Annotated[
        tuple[str, ...],
        Meta(
            description="When `p2pcdn peer` sends, by this machine's clock, such as `22:00-6:30`; "
            "at other times it only fetches. Not with a gateway. Empty: always."
        ),
    ] = ()
    follow: Annotated[
        tuple[str, ...],
        Meta(
            description="Sites whose contents the peer holds, as they come and go: an origin that "
            "lists them (origin.list_contents) as https://HOST, or the URL of a list of URLs, as "
            "JSON or one a line."
        ),
    ] = ()
    processes: Annotated[
        int,
        Meta(
            ge=1,
            le=256,
            description="Processes that share out the contents, one for each core that is to work."
            " Each has its part of the store, the rates and the budgets.",
        ),
    ] = 1
    upload_ratio: Annotated[
        float | None,
        Meta(ge=0, description="Most bytes sent for each byte of media that the peer gets."),
    ] = None
    token: Annotated[
        str | None,
        SECRET,
        Meta(description="A join token, where the site wants one. It is good for minutes."),
    ] = None
    token_url: Annotated[
        str | None,
        SECRET,  # where it carries credentials
        Meta(
            description="Where join tokens come from: asked by POST, with the thumbprint of the "
            "peer's key, it answers a token. It is asked again before that expires."
        ),
    ] = None
    advertise: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses by which other peers reach this one, where the tracker sees "
            "another (a 1:1 NAT, a container)."
        ),
    ] = ()
    transport: Annotated[
        Literal["auto", "aiortc", "fast"],
        Meta(
            description="What carries the links: aiortc, or libdatachannel (`fast`), which takes a "
            "fraction of the CPU time and needs the extra `fast` and Python 3.12. `auto`: that one "
            "where it is installed."
        ),
    ] = "auto"
    keys: Annotated[
        tuple[str, ...],
        Meta(
            description="Keys of which one has to sign every manifest, by their thumbprints, as "
            "`p2pcdn keys` prints them; with none, the origin is believed when it says which keys "
            "it has."
        ),
    ] = ()

    gateway: Annotated[
        str | None,
        Meta(
            description="HOST:PORT of the gateway: plain HTTP for players and paired pages on this "
            "machine. Port 0 takes a free one, and keeps it. Unless set, there is no gateway."
        ),
    ] = None
    gateway_exposed: Annotated[
        bool,
        Meta(
            description="Whether the gateway may listen on other addresses than this machine's own "
            "(127.0.0.1, [::1]). Its traffic is not encrypted, and its secret is in every URL."
        ),
    ] = False

    def __post_init__(self) -> None:
        if self.gateway is not None:
            split_address(self.gateway, "peer.gateway")
        for text in self.hours:
            span_of_day(text)
        for url in self.follow:
            if not url.lower().startswith(("http://", "https://")):
                raise ConfigError(
                    f"peer.follow takes URLs such as https://www.example.com, not {url!r}."
                )
        for key in self.keys:
            if not _THUMBPRINT.fullmatch(key):
                raise ConfigError(
                    "peer.keys takes thumbprints of keys, 64 hexadecimal digits each as `p2pcdn "
                    f"keys` prints them, not {key!r}."
                )
        for address in self.advertise:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise ConfigError(
                    f"peer.advertise takes IP addresses such as 203.0.113.7, not {address!r}."
                ) from None


class SiteConfig(Section, frozen=True):
    """Who may come in, a table for each site. A running tracker applies changes of the file, and
    of those with keys, within seconds, and at once on SIGHUP."""

    enabled: Annotated[
        bool,
        Meta(description="The kill switch: false ends all sharing of the site's viewers in 5 s."),
    ] = True
    mode: Annotated[
        Mode,
        Meta(
            description="Whom the site lets its viewers link with: nobody, peers of the local "
            "network, of the same operator, anybody, or anybody through a relay."
        ),
    ] = "any"
    keys: Annotated[
        tuple[str, ...],
        Meta(
            description="Public keys (P-256) of who signs join tokens: PEM files, or a key itself "
            "as a JWK or in base64. `p2pcdn token new-key` makes one."
        ),
    ] = ()
    tokens: Annotated[
        bool | None,
        Meta(description="Whether a join needs a token. Unless set, it does if there are keys."),
    ] = None
    bound: Annotated[
        bool,
        Meta(
            description="Whether a token has to name the viewer's key (`cnf`). If not, whoever "
            "sees a token can use it until it expires."
        ),
    ] = True
    origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins of the pages that may join, as `https://www.example.com`; empty: "
            "any. What is no browser can claim any origin: tokens keep it out, this does not."
        ),
    ] = ()
    revoked_tokens: Annotated[
        tuple[str, ...],
        Meta(description="Ids (`jti`) of tokens that count no longer; who came by one has to go."),
    ] = ()
    revoked_contents: Annotated[
        tuple[str, ...],
        Meta(
            description="Contents that nobody may share any more: ids, or paths such as "
            "`/media/show/master.m3u8`."
        ),
    ] = ()

    def __post_init__(self) -> None:
        for origin in self.origins:
            if page_origin(origin) != origin:
                raise ConfigError(_no_origin(origin))
        if self.tokens and not self.keys:
            raise ConfigError(
                "A site whose joins need tokens needs keys, too: nobody could sign one."
            )

    @property
    def needs_token(self) -> bool:
        """Whether a join needs one."""
        return bool(self.keys) if self.tokens is None else self.tokens


class MountConfig(Section, frozen=True):
    """A source, and the path below /media/ where it is: a table ``[[mount]]`` of the file."""

    path: str
    """As `shows` or `tv/shows`."""
    content: Content
    """A directory, a zip archive, or a URL."""

    def __post_init__(self) -> None:
        if not _MOUNT.fullmatch(self.path):
            raise ConfigError(
                "The path of a mount is one below /media/ such as shows or tv/shows, without a "
                f"slash at its ends, and nothing in it begins with a dot; not {self.path!r}."
            )


class ElsewhereConfig(Section, frozen=True):
    """Media that stay elsewhere, at a CDN: a table ``[[elsewhere]]`` of the file."""

    prefix: str
    """The folder that they are in, as `https://cdn.example/films/`."""
    mirrors: tuple[str, ...] = ()
    """Folders of other hosts that have the same."""
    query: tuple[str, ...] = ()
    """The parameters that say what is wanted, and not who wants it."""
    token: str = ""
    """A regular expression for what, in a path, says who wants it."""

    def __post_init__(self) -> None:
        for url in (self.prefix, *self.mirrors):
            if not _FOLDER.fullmatch(url):
                raise ConfigError(
                    "The prefix of media elsewhere is the URL of a folder, with a slash at its end "
                    f"and without a query, such as https://cdn.example/films/; not {url!r}."
                )
        try:
            re.compile(self.token)
        except re.error as error:
            raise ConfigError(
                f"The token of media elsewhere is a regular expression, such as /token=[^/]*; "
                f"{self.token!r} is none: {error}."
            ) from None


class Config(Section, frozen=True):
    """All settings of a process."""

    listen: Annotated[
        str,
        Meta(
            description="HOST:PORT of the server. Port 0 takes a free one; an empty host stands for"
            " all addresses of the machine."
        ),
    ] = "127.0.0.1:8080"
    content: Annotated[
        Content | None,
        Meta(
            description="Directory of the media that the origin serves, a zip archive of it, or "
            "the URL of another place that has them."
        ),
    ] = None
    mount: Annotated[
        tuple[MountConfig, ...],
        Meta(
            description="More directories, zip archives and URLs, each served under a path below "
            "/media/ that belongs to it alone: tables `[[mount]]` with `path` and `content`; by "
            "flag and by variable PATH=CONTENT."
        ),
    ] = ()
    elsewhere: Annotated[
        tuple[ElsewhereConfig, ...],
        Meta(
            description="Media that stay at a CDN, whence viewers load what peers do not bring; "
            "the origin fetches them once, to hash them. Tables `[[elsewhere]]` with `prefix`, the "
            "URL of the folder that they are in, and if need be `mirrors` (folders of other hosts "
            "with the same), `query` (the parameters of the query that tell one file from another; "
            "all others are taken for tokens) and `token` (a regular expression for tokens in the "
            "path); by flag and by variable just the prefix."
        ),
    ] = ()
    data: Annotated[
        Path,
        Meta(description="Directory where hashes, keys and the ledger outlive a restart."),
    ] = Path(".p2pcdn")
    site: Annotated[
        str,
        Meta(
            pattern=SITE_PATTERN,
            description="Id of the site, as in the snippet's data-site: it keeps the swarms of "
            "sites that share a tracker apart.",
        ),
    ] = "pk_demo"
    workers: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Processes that share the work of `p2pcdn serve`, `p2pcdn origin` and "
            "`p2pcdn tracker` on one port, one for each core that is to work.",
        ),
    ] = 1
    tls: Tls = Tls()
    origin: OriginConfig = OriginConfig()
    ingest: IngestConfig = IngestConfig()
    tracker: TrackerConfig = TrackerConfig()
    ledger: LedgerConfig = LedgerConfig()
    peer: PeerConfig = PeerConfig()
    sites: dict[str, SiteConfig] = {}
    """By the site's id. Where there is none, whoever comes may join."""

    def __post_init__(self) -> None:
        split_address(self.listen)
        paths = [mount.path for mount in self.mount]
        for path in paths:
            if paths.count(path) > 1:
                raise ConfigError(f"There are two mounts at {path!r}; a path has one content.")

    @property
    def address(self) -> Address:
        """Where to listen."""
        return split_address(self.listen)

    @property
    def served_sites(self) -> dict[str, SiteConfig]:
        """The sites that the tracker serves, and who may come in."""
        named = self.tracker.sites or (() if self.sites else (self.site,))
        return dict.fromkeys(named, SiteConfig()) | self.sites


class Address(NamedTuple):
    """A host and a port. The host is a name or an address without brackets."""

    host: str
    port: int

    @property
    def here(self) -> str:
        """The host by which a program of this machine reaches who listens there."""
        return "localhost" if self.host in EVERYWHERE else self.host

    def url(self, *, tls: bool) -> str:
        """The URL by which a person on this machine does, without a slash at the end."""
        host = f"[{self.here}]" if ":" in self.here else self.here
        return f"{'https' if tls else 'http'}://{host}:{self.port}"


def split_address(text: str, name: str = "listen") -> Address:
    """``HOST:PORT`` (an IPv6 host in brackets) as a pair; `ConfigError` for anything else."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if port is None or parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ConfigError(f"{name} is HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, not {text}.")
    return Address(host or "", port)


def content_at(text: str) -> Content:
    """The content that a text names."""
    return text if _URL.match(text) else Path(text).expanduser()


def is_url(content: Content) -> TypeGuard[str]:
    """Whether it is elsewhere, and no path of this machine."""
    return isinstance(content, str)


class ClickHousePlace(NamedTuple):
    """A database, and who asks for it."""

    secure: bool
    host: str
    port: int
    user: str
    password: str
    database: str


def clickhouse_place(url: str) -> ClickHousePlace:
    """What a URL says of a database in ClickHouse. `ConfigError` if it is none of those; what is in
    it is not repeated, since that may be a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    match = _DATABASE.fullmatch(parts.path)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or match is None
        or parts.query
        or parts.fragment
    ):
        raise ConfigError(
            "ledger.clickhouse is the URL of ClickHouse's HTTP interface and a database, such as "
            "https://USER:PASSWORD@clickhouse.example.com:8443/p2pcdn, with what is special in the "
            "password as %XX."
        )
    secure = parts.scheme == "https"
    return ClickHousePlace(
        secure,
        parts.hostname,
        port or (8443 if secure else 8123),
        unquote(parts.username or "default"),
        unquote(parts.password or ""),
        match[1],
    )


def store_url(url: str) -> str:
    """The URL of a store as redis-py has it. `ConfigError` if it is none; what is in it is not
    repeated, since that may be a password."""
    scheme, colon, rest = url.partition("://")
    schemes = {"valkey": "redis", "valkeys": "rediss", "redis": "redis", "rediss": "rediss"}
    try:
        parts = urlsplit(f"//{rest}")
        known = scheme == "unix" or bool(parts.hostname)
        good = parts.port != 0 and (scheme == "unix" or _STORE.fullmatch(parts.path) is not None)
    except ValueError:
        known = good = False
    if not colon or scheme not in (*schemes, "unix") or not known or not good:
        raise ConfigError(
            "tracker.store is the URL of a Valkey or Redis server, such as "
            "valkey://:PASSWORD@valkey.example.com:6379/0, valkeys:// for TLS, or "
            "unix:///run/valkey.sock, with what is special in the password as %XX."
        )
    return f"{schemes.get(scheme, scheme)}://{rest}"


def span_of_day(text: str) -> tuple[int, int]:
    """``22:30-6`` as minutes since midnight, of its beginning and its end, which may be the next
    day's; `ConfigError` for anything else."""
    match = _HOURS.fullmatch(text)
    if match is not None:
        first, last = (int(match[n]) * 60 + int(match[n + 1] or 0) for n in (1, 3))
        if max(first, last) <= 24 * 60 and first != last:
            return first, last
    raise ConfigError(f"peer.hours takes times of day such as 22:00-6:30, not {text!r}.")


def info_hash_of(text: str) -> str:
    """An info hash as its 20 characters, one a byte; `ConfigError` if it is none."""
    if re.fullmatch("[0-9a-fA-F]{40}", text):
        return bytes.fromhex(text).decode("latin-1")
    if len(text) == INFO_HASH and max(text) <= "\xff":
        return text
    raise ConfigError(
        "tracker.webtorrent.info_hashes takes 40 hexadecimal digits, or 20 characters, not "
        f"{text!r}."
    )


def _no_origin(text: str, where: str = "A site's origins") -> str:
    near = page_origin(text.lower().rstrip("/"))
    example = near or "https://www.example.com"
    return f"{where} are like {example} (scheme, host, and port if unusual), not {text!r}."


def _alto(name: str) -> None:
    """A path, or a URL that can be fetched."""
    scheme, separator, _ = name.partition("://")
    try:
        fits = not separator or (scheme in ("http", "https") and urlsplit(name).hostname)
    except ValueError:
        fits = False
    if not name or not fits:
        raise ConfigError(
            f"tracker.alto: {name!r} is neither a file nor a URL such as "
            "https://alto.example.net/networkmap."
        )


def turn_host(url: str) -> str:
    """The host of a TURN server's URL (RFC 7065), without brackets; `ConfigError` if it is none."""
    match = TURN_URL.fullmatch(url)
    if match is None or not 0 < int(match["port"] or 3478) <= 65535:
        raise ConfigError(
            f"tracker.turn takes URLs such as turn:turn.example.com:3478, not {url!r}."
        )
    return match["host"].strip("[]")


def _network(key: str, text: str) -> IPNetwork:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ConfigError(f"{key} takes networks such as 10.0.0.0/8, not {text!r}.") from None
