"""A scene: who watches what, how they are connected, and what goes wrong. A small TOML file.

A key that nobody knows, or a value of the wrong type, is refused with a sentence that says where it
stands and what would be right. ``--set KEY=VALUE`` changes the same keys.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta, Struct

from p2pcdn.errors import ConfigError

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a scene's file."""


class MediaPart(Table, frozen=True):
    """What is watched."""

    bitrate: Positive = 4.0
    """Mbit/s."""
    segment: Positive = 4.0
    """Seconds of a segment."""
    length: Positive = 600.0
    """Seconds of a VOD content."""


class LinesPart(Table, frozen=True):
    """How viewers are connected."""

    mix: Literal["broad", "tight", "equal"] = "broad"
    """Uplinks: {2, 10, 20, 50} Mbit/s for {.1, .3, .4, .2} of the viewers, or {1, 4, 8} for
    {.25, .5, .25}, or the same for all."""
    uplink: NotNegative = 0.0
    """The mean uplink as a multiple of the bitrate, to which the mix is scaled; 0: as it is."""
    downlink: Positive = 3.0
    """The least downlink as a multiple of the bitrate."""
    asymmetry: Positive = 5.0
    """A downlink is so many times the (unscaled) uplink, if that is more."""
    spread: NotNegative = 30.0
    """Milliseconds from one end of the map to the other, there and back."""
    loss: Share = 0.001
    """Chance of each group of frames to lose a packet, and wait for it."""


class HttpPart(Table, frozen=True):
    """The way to the origin."""

    rate: Positive = 25.0
    """Mbit/s that the origin's side allows a viewer, on average."""
    loss: Share = 0.0005
    """Chance of each 64 KiB to lose a packet, and wait for it."""
    good: Positive = 20.0
    """Seconds of good weather, on average."""
    bad: NotNegative = 0.0
    """Seconds of bad weather, on average; 0: there is none."""
    dip: Positive = 0.1
    """The share of the rate that is left in bad weather."""
    outages: Share = 0.5
    """The share of bad weathers in which nothing is left."""


class NatPart(Table, frozen=True):
    """Who can reach whom."""

    blocked: Share = 0.0
    """Viewers without any UDP."""
    cone: Share = 0.0
    """Viewers behind a NAT that only lets in whom something was sent to."""
    symmetric: Share = 0.0
    """Viewers behind a NAT with an address for each destination."""


class NetworksPart(Table, frozen=True):
    """Whose networks viewers are in."""

    kind: Literal["none", "one", "zipf", "each"] = "none"
    """Nothing is said of that; one has ``share`` of all viewers, and the others as many each; their
    sizes are Zipf's; or each viewer is in one of his own."""
    count: Annotated[int, Meta(ge=2)] = 50
    """How many there are, unless each viewer has his own."""
    share: Share = 0.6
    countries: Annotated[int, Meta(ge=1, le=16)] = 8
    transit: NotNegative = 40.0
    """Milliseconds that the way from one to another takes longer, there and back."""
    uplink: NotNegative = 0.0
    """What the viewers of one can send to others together, as a part of the sum of their uplinks;
    0: there is no such limit."""
    importers: bool = False
    """Whether the tracker names who brings what comes out into each network."""
    blind: bool = False
    """Whether the tracker knows nothing of networks."""
    pair: bool = False
    """Whether the same viewers are also run with a tracker that knows nothing, to compare."""


class ArrivalsPart(Table, frozen=True):
    """When viewers come."""

    kind: Literal["start", "flash", "poisson", "ramp"] = "start"
    """All at the beginning, all within ``over`` seconds, at random with so many watching at a time
    as ``viewers`` says, or evenly over ``over`` seconds."""
    over: Positive = 4.0
    """Seconds."""


class SessionsPart(Table, frozen=True):
    """How long viewers stay."""

    kind: Literal["end", "lognormal"] = "end"
    """To the end, or for a time that is spread lognormally."""
    median: Positive = 300.0
    """Seconds."""
    sigma: NotNegative = 1.0
    """The spread of its logarithm."""
    linger: NotNegative = 0.0
    """Seconds that a page stays open after the end of a VOD content."""


class WavePart(Table, frozen=True):
    """Many leave at once, without a word: sockets close, links die."""

    at: NotNegative = 0.0
    """When; 0: never."""
    share: Share = 0.5
    """How many of those who are there."""
    over: Positive = 1.0
    """Within so many seconds."""
    noticed: NotNegative = 8.0
    """Seconds until the other end of a link sees that it is dead."""


class ConductPart(Table, frozen=True):
    """Shares of viewers that do not do what they should; all others are honest."""

    liars: Share = 0.0
    """Announce what they lack, and never answer."""
    garbage: Share = 0.0
    """Announce what they lack, and answer with anything."""
    drip: Share = 0.0
    """Announce what they lack, and answer with a byte a second."""
    silent: Share = 0.0
    """Fall silent just before the end of each segment."""
    idle: Share = 0.0
    """Take leases and do nothing."""
    free: Share = 0.0
    """Free riders: they do not upload."""


class PeersPart(Table, frozen=True):
    """What peers may do."""

    store: Positive = 128.0
    """MiB that each holds."""
    prefetch: bool = True
    """VOD: whether they may load ahead of what the player asks for."""
    pushed: bool = True
    """Live: the origin tells the tracker what has come out, as where both are one process."""
    buffer: Positive = 30.0
    """Seconds of media that the player wants to have ahead."""


class Scene(Table, frozen=True, kw_only=True):
    """All that a run follows from, but for its seed."""

    about: str = ""
    kind: Literal["live", "vod"]
    viewers: Annotated[int, Meta(ge=1)]
    """In all; of Poisson arrivals those who watch at a time."""
    seconds: Positive
    """How long it goes."""
    warmup: NotNegative = 0.0
    """Seconds from the beginning that are not measured."""
    tail: NotNegative = 16.0
    """Live: segments that come out in so many last seconds are not measured; not all that want
    them have them by the end."""
    pair: bool = False
    """Whether the same viewers are also run without peers, to compare."""
    media: MediaPart = MediaPart()
    lines: LinesPart = LinesPart()
    http: HttpPart = HttpPart()
    nat: NatPart = NatPart()
    networks: NetworksPart = NetworksPart()
    arrivals: ArrivalsPart = ArrivalsPart()
    sessions: SessionsPart = SessionsPart()
    wave: WavePart = WavePart()
    conduct: ConductPart = ConductPart()
    peers: PeersPart = PeersPart()

    @property
    def live(self) -> bool:
        return self.kind == "live"

    @property
    def bytes_per_second(self) -> float:
        """Of the media."""
        return self.media.bitrate * 125_000


def _keys(table: type[Table], prefix: str = "") -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(table, include_extras=True)
    for field in msgspec.structs.fields(table):
        hint = hints[field.name]
        if isinstance(hint, type) and issubclass(hint, Table):
            yield from _keys(hint, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, hint


KEYS: dict[str, Any] = dict(_keys(Scene))
"""Every key of a scene with its type."""


def built_in() -> dict[str, str]:
    """The scenes that come with the package: their names, and what they are about."""
    files = (f for f in resources.files("p2pcdn.sim").joinpath("scenes").iterdir())
    texts = {f.name.removesuffix(".toml"): f.read_text(encoding="utf-8") for f in files}
    return {name: str(tomllib.loads(text)["about"]) for name, text in sorted(texts.items())}


def load(name: str, changes: Mapping[str, str] | None = None) -> Scene:
    """A built-in scene by its name, or one in a file, with these changes by dotted key."""
    text, source = _read(name)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The scene {source} is not TOML: {error}.") from error
    values = {key: _convert(key, value, source, text=False) for key, value in _flatten(tables)}
    for key, word in (changes or {}).items():
        values[key] = _convert(key, word, "the command line", text=True)
    missing = [key for key in ("kind", "viewers", "seconds") if key not in values]
    if missing:
        raise ConfigError(f"The scene {source} has no {missing[0]!r}.")
    return _assemble(values)


def _read(name: str) -> tuple[str, str]:
    names = built_in()
    if name in names:
        file = resources.files("p2pcdn.sim").joinpath("scenes", f"{name}.toml")
        return file.read_text(encoding="utf-8"), name
    if name.endswith(".toml") or "/" in name:
        try:
            return Path(name).read_text(encoding="utf-8"), name
        except OSError as error:
            raise ConfigError(f"The scene {name} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"The scene {name} is not a text in UTF-8.") from error
    raise ConfigError(
        f"There is no scene {name!r}{_nearest(name, names)}; `p2pcdn sim --list` lists them all."
    )


def _flatten(tables: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _convert(key: str, value: Any, source: str, *, text: bool) -> Any:
    if key not in KEYS:
        raise ConfigError(f"A scene has no {key!r} ({source}){_nearest(key, KEYS)}.")
    try:
        return msgspec.convert(value, KEYS[key], strict=not text)
    except msgspec.ValidationError as error:
        wrong = str(error).removeprefix("Expected ").partition(", got")[0].replace("`", "")
        raise ConfigError(
            f"{key} = {value!r} ({source}) is not right: it takes {_phrase(wrong)}."
        ) from None


def _phrase(wrong: str) -> str:
    """What msgspec expects, as `int >= 1`, in a person's words."""
    kind, space, bounds = wrong.partition(" ")
    return _WORDS.get(kind, kind) + space + bounds


_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}


def _nearest(key: str, keys: Iterable[str]) -> str:
    keys = list(keys)
    same_name = [known for known in keys if known.rpartition(".")[2] == key.rpartition(".")[2]]
    close = same_name or difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    return f"; the nearest is {close[0]}" if close else ""


def _assemble(values: Mapping[str, Any]) -> Scene:
    tables: dict[str, Any] = {}
    for key, value in values.items():
        table, _, name = key.rpartition(".")
        (tables.setdefault(table, {}) if table else tables)[name] = value
    scene = msgspec.convert(tables, Scene)
    for name, part in (("nat", scene.nat), ("conduct", scene.conduct)):
        if sum(msgspec.structs.astuple(part)) > 1 + 1e-9:
            raise ConfigError(f"The shares of {name} are more than one in all.")
    return scene
