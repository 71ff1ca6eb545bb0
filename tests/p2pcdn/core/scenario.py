"""Plays a scenario of tests/vectors/scenarios, as the README there says."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from p2pcdn.core import ports
from p2pcdn.core.node import STORE_BYTES, Node
from p2pcdn.errors import SourceReason
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.chunk import Frame, frames_of
from p2pcdn.wire.codec import decode_from_tracker, decode_link
from p2pcdn.wire.fields import Message, Part
from p2pcdn.wire.manifest import Records, RenditionManifest, from_base64, to_base64
from p2pcdn.wire.tracker import Credentials
from tests.p2pcdn.core.media import (
    IDENTITY,
    Media,
    Piece,
    genuine,
    inverted,
    signed,
    synthetic,
    time_of,
)

VECTORS = Path(__file__).parents[2] / "vectors"
SCENARIOS = VECTORS / "scenarios"

Json = dict[str, Any]

KINDS = {"link": "link", "offer": "link", "fetch": "fetch", "check": "check"}
"""Which fields hold numbers that the node gave out, and of which kind."""

MARGIN = 1e-6
"""Seconds that a step keeps away from every timer: no rounding must decide which comes first."""

MOST_ROUNDS = 10_000
"""So many timers and answers a step, and something goes round in a circle."""


def names() -> list[str]:
    """Every scenario there is."""
    return sorted(path.stem for path in SCENARIOS.glob("*.json"))


def load(name: str) -> Json:
    scenario: Json = json.loads((SCENARIOS / f"{name}.json").read_text(encoding="utf-8"))
    return scenario


def preludes() -> Json:
    found: Json = json.loads((VECTORS / "preludes.json").read_text(encoding="utf-8"))
    return found


def start(scenario: Json) -> Player:
    """A player that has been through what the scenario begins with."""
    player = Player(scenario)
    known = preludes()
    for prelude in scenario.get("before", []):
        for step in known[prelude]["steps"]:
            player.step(step)
    return player


@dataclasses.dataclass(slots=True)
class Outcome:
    """What came out of one step, in the form in which a scenario expects it."""

    sends: list[Json] = dataclasses.field(default_factory=list)
    events: list[Json] = dataclasses.field(default_factory=list)


class Player:
    """One node, and everything that a scenario does to it."""

    def __init__(self, scenario: Json) -> None:
        self.node = Node(IDENTITY, 0.0, scenario.get("store_bytes", STORE_BYTES))
        self.media = Media.of(map(piece_of, scenario["segments"]), live=scenario.get("live", False))
        self.now = 0.0
        self._manual = set(scenario.get("manual", []))
        self._numbers = Numbers()
        self._checks: dict[int, bool] = {}
        self._answers: deque[ports.Input] = deque()
        self._outcome = Outcome()

    def step(self, step: Json) -> Outcome:
        """Do what the step says; returns what came of it."""
        self._outcome = Outcome()
        if step.get("asleep"):
            self.now = step["at"]
        else:
            self._pass_until(step["at"])
        received = step.get("receive", [])
        for given in received if isinstance(received, list) else [received]:
            self._give(given)
        return self._outcome

    def state(self) -> Json:
        """What a step's ``state`` may speak of."""
        return {**dataclasses.asdict(self.node.stats), "store_bytes": self.node.store.size}

    # In

    def _pass_until(self, at: float) -> None:
        for _ in range(MOST_ROUNDS):
            timer = self.node.timer_at()
            assert timer is None or abs(timer - at) > MARGIN, f"a timer is at {timer!r} already"
            if timer is None or timer > at:
                self.now = at
                return
            self.now = max(self.now, timer)
            self.node.on_timer(self.now)
            self._drain()
            after = self.node.timer_at()
            assert after is None or after > self.now, f"a machine spins at {self.now}"
        raise AssertionError(f"{MOST_ROUNDS} timers before {at}")

    def _give(self, given: Json) -> None:
        if given["type"] == "Farewell":
            self.node.farewell()
            self._drain()
            return
        for message in self._inputs(self._numbers.back(given)):
            self.node.receive(message, self.now)
            self._drain()

    def _inputs(self, given: Json) -> Iterator[ports.Input]:
        """The inputs that a scenario's input stands for."""
        fields = dict(given)
        kind = fields.pop("type")
        if kind == "Frames":
            for frame in frames_of(fields["want"], self._data(fields["data"])):
                yield ports.LinkSends(fields["link"], frame)
        elif kind == "LinkSends":
            frame = Frame(fields["want"], fields["offset"], self._data(fields["data"]))
            yield ports.LinkSends(fields["link"], frame)
        elif kind == "ManifestArrived":
            yield self._page(**fields)
        elif kind == "HashesArrived":
            yield self._hashes(**fields)
        elif kind == "Records":
            yield self._records(**fields)
        elif kind == "Checked":
            check = fields["check"]
            yield ports.Checked(check, fields.get("ok", self._checks[check]))
        else:
            values = {name: self._value(kind, name, item) for name, item in fields.items()}
            yield getattr(ports, kind)(**values)

    def _value(self, kind: str, name: str, item: Any) -> Any:
        match name:
            case "key":
                return SegmentKey(**item)
            case "caps":
                return ports.Caps(**item)
            case "watched":
                return ports.Watched(**item)
            case "data":
                return self._data(item)
            case "reason" if kind == "RangeFailed":
                return SourceReason(item)
            case "credentials":
                return msgspec.convert(item, Credentials)
            case "message" if kind == "TrackerSays":
                return decode_from_tracker(json.dumps(item))
            case "message":
                return decode_link(json.dumps(item))
        return item

    def _data(self, data: Json) -> bytes:
        """The bytes that an input's ``data`` stands for."""
        key = SegmentKey(data["rendition"], data["sequence"])
        whole = Span(0, self.media.pieces[key].length - 1)
        found = synthetic(key, data.get("first", whole.first), data.get("last", whole.last))
        return inverted(found) if data.get("wrong") else found

    def _page(
        self,
        rendition: str,
        sequences: list[int],
        time: int | None = None,
        era: int = 0,
        first: int | None = None,
        last: int | None = None,
        wrong: bool = False,
    ) -> ports.ManifestArrived:
        there = self.media.published(rendition, self.now)
        page = self.media.page_of(
            rendition,
            [piece for piece in there if piece.key.sequence in Span(*sequences)],
            self.now,
            time=time_of(there) if time is None else time,
            era=era,
            wrong=wrong,
        )
        first = page.first if first is None else first
        last = page.last if last is None else last
        return ports.ManifestArrived(signed(msgspec.structs.replace(page, first=first, last=last)))

    def _records(
        self,
        rendition: str,
        sequences: list[int],
        link: int | None = None,
        forged: bool = False,
        wrong: bool = False,
        **page: Any,
    ) -> ports.LinkSays | ports.TrackerSays:
        """What somebody says who knows these segments."""
        told = self._page(rendition, sequences, **page).page
        told = msgspec.structs.replace(told, keys=())
        if forged:
            told = with_signature(told, inverted)
        hashes = self.media.hashes(rendition, Span(*sequences), self.now) or b""
        records = Records(told, to_base64(inverted(hashes) if wrong else hashes))
        return ports.TrackerSays(records) if link is None else ports.LinkSays(link, records)

    def _hashes(
        self, rendition: str, sequences: list[int], failed: bool = False, wrong: bool = False
    ) -> ports.HashesArrived:
        span = Span(*sequences)
        data = None if failed else self.media.hashes(rendition, span, self.now)
        return ports.HashesArrived(rendition, span, inverted(data) if data and wrong else data)

    # Out

    def _drain(self) -> None:
        for _ in range(MOST_ROUNDS):
            self._outcome.sends += [
                self._numbers.forth(plain(out)) for out in self.node.take_messages()
            ]
            for event in self.node.take_events():
                self._take(event)
            if not self._answers:
                return
            self.node.receive(self._answers.popleft(), self.now)
        raise AssertionError(f"{MOST_ROUNDS} answers at {self.now}")

    def _take(self, event: ports.Event) -> None:
        if isinstance(event, ports.SegmentReady):
            assert event.data == self.media.bytes_of(event.key), f"{event.key} has wrong bytes"
        if isinstance(event, ports.Check):
            self._checks[event.check] = hashlib.sha256(event.data).digest() == event.digest
        if isinstance(event, ports.Verify):
            self._checks[event.check] = genuine(event.data, event.signature)
        answer = None if type(event).__name__ in self._manual else self._answer(event)
        if answer is None:
            self._outcome.events.append(self._numbers.forth(plain(event)))
        else:
            self._answers.append(answer)

    def _answer(self, event: ports.Event) -> ports.Input | None:
        match event:
            case ports.FetchManifest(rendition, sequence):
                return ports.ManifestArrived(self.media.page(rendition, sequence, self.now))
            case ports.FetchRecords(rendition, sequences):
                return ports.ManifestArrived(self.media.few(rendition, sequences, self.now))
            case ports.FetchHashes(rendition, sequences):
                data = self.media.hashes(rendition, sequences, self.now)
                return ports.HashesArrived(rendition, sequences, data)
            case ports.Check(check) | ports.Verify(check):
                return ports.Checked(check, self._checks[check])
        return None


class Numbers:
    """The scenario's numbers for links, fetches and checks, and the node's."""

    def __init__(self) -> None:
        self._known: dict[str, dict[int, int]] = {kind: {} for kind in KINDS.values()}

    def forth(self, value: Any) -> Any:
        """From the node's numbers to the scenario's."""
        return self._map(value, self._number)

    def back(self, value: Any) -> Any:
        """From the scenario's numbers to the node's."""
        return self._map(value, lambda kind, number: list(self._known[kind])[number - 1])

    def _number(self, kind: str, number: int) -> int:
        known = self._known[kind]
        return known.setdefault(number, len(known) + 1)

    def _map(self, value: Any, change: Any) -> Any:
        if isinstance(value, list):
            return [self._map(item, change) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            name: change(KINDS[name], item)
            if name in KINDS and isinstance(item, int)
            else self._map(item, change)
            for name, item in value.items()
        }


def with_signature(page: RenditionManifest, change: Callable[[bytes], bytes]) -> RenditionManifest:
    """The page with another value for its only signature."""
    [signature] = page.signatures
    value = to_base64(change(from_base64(signature.value) or b""))
    return msgspec.structs.replace(
        page, signatures=(msgspec.structs.replace(signature, value=value),)
    )


def piece_of(segment: Json) -> Piece:
    return Piece(
        SegmentKey(segment["rendition"], segment["sequence"]),
        segment["length"],
        segment["duration"],
        segment.get("published", 0.0),
    )


def plain(value: Any) -> Any:
    """What came out, as a scenario writes it; bytes are left out."""
    if isinstance(value, ports.SendFrame):
        want, offset, payload = value.frame
        return {
            "type": "SendFrame",
            "link": value.link,
            "want": want,
            "offset": offset,
            "length": len(payload),
        }
    if isinstance(value, SegmentKey):
        return value._asdict()
    if isinstance(value, Message | Part):
        return json.loads(msgspec.json.encode(value))
    if dataclasses.is_dataclass(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        out = {name: plain(item) for name, item in fields.items() if not isinstance(item, bytes)}
        return {"type": type(value).__name__, **out}
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def difference(expected: Any, found: Any, where: str = "") -> str | None:
    """Where ``found`` is not what was expected of it; None if it is."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, item in expected.items():
            wrong = difference(item, found.get(name), f"{where}.{name}")
            if wrong:
                return wrong
        return None
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"{where}: {len(expected)} expected, {len(found)} found:\n{_written(found)}"
        pairs = enumerate(zip(expected, found, strict=True))
        wrongs = (difference(e, f, f"{where}[{n}]") for n, (e, f) in pairs)
        return next(filter(None, wrongs), None)
    return None if expected == found else f"{where}: {expected!r} expected, {found!r} found"


def _written(found: list[Any]) -> str:
    return "\n".join(json.dumps(item) for item in found)
