"""DASH manifests of recordings (ISO/IEC 23009-1, MPD of type static).

Each representation of each period is a rendition, named ``PERIOD/ID``: periods are counted from 1,
ids are those of the manifest. Segments have the numbers that DASH gives them, ``$Number$`` of a
template: from ``@startNumber``, or else 1.

::

    MPD --> Period --> AdaptationSet --> Representation    BaseURLs add up from left to right,
                 SegmentTemplate | SegmentList | SegmentBase      attributes of these as well
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple
from urllib.parse import urljoin

from p2pcdn.presentations import MOST_SEGMENTS, PresentationError, Segment, mpd, sidx
from p2pcdn.presentations.mpd import Element

Fetch = Callable[[str, int, int], bytes]
"""The bytes of what a URI names, from an offset and so many; fewer if there are no more."""

MOST_REPRESENTATIONS = 1000

_LONGEST_INDEX = 4 * 1024 * 1024
_MOST_INDEXES = 256
"""Of a file: an index may refer to further ones, and those to it."""
_LONGEST_URI = 2048
_MOST_URIS = 32 * 1024 * 1024
"""Characters of all URIs of a representation: by a template, a short manifest makes many long
ones. A day of 2 s segments with signed URLs takes 13 million."""
_LONGEST_ID = 512
_MOST = 2**53 - 1
"""What JavaScript can count."""

_DURATION = re.compile(
    r"P(?:(\d{1,9})D)?(?:T(?:(\d{1,9}(?:\.\d{1,9})?)H)?(?:(\d{1,9}(?:\.\d{1,9})?)M)?"
    r"(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?",
    re.ASCII,
)
"""Of XML Schema, without years and months: nobody knows how long they are."""
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", re.ASCII)
_NUMBER = re.compile(r"\s*(-?\d{1,18})\s*", re.ASCII)
_RANGE = re.compile(r"\s*(\d{1,18})-(\d{1,18})\s*", re.ASCII)
_IDENTIFIER = re.compile(r"\$(?:(RepresentationID|Number|Bandwidth|Time)(?:%0(\d{1,2})d)?)?\$")
_KINDS = ("SegmentTemplate", "SegmentList", "SegmentBase")

_ALMOST = 1e-6
"""Durations are written with few digits: so little over a whole number of segments is none."""


class Representation(NamedTuple):
    """One quality of one period, with all that it is part of."""

    name: str
    levels: tuple[Element, ...]
    """MPD, Period, AdaptationSet, Representation."""
    seconds: float | None
    """How long the period takes, if that is known."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """A manifest: its representations by name, in the order of the text."""

    representations: dict[str, Representation]

    def segments(self, name: str, base: str, fetch: Fetch) -> tuple[Segment, ...]:
        """The segments of a representation, with URIs resolved against ``base``, the manifest's.

        ``fetch`` reads the index of a file that has one.
        """
        return tuple(_Addressing(self._representation(name), base, fetch).segments())

    def init(self, name: str, base: str) -> str | None:
        """The URI of a representation's initialisation section, if that is a file of its own."""
        try:
            return _Addressing(self._representation(name), base, _nothing).init()
        except PresentationError:  # which is for the player to judge
            return None

    def _representation(self, name: str) -> Representation:
        found = self.representations.get(name)
        if found is None:
            raise PresentationError(f"There is no representation {name[:100]!a} in this manifest.")
        return found


def is_dynamic(data: bytes) -> bool:
    """Whether a manifest will change, told without parsing."""
    return re.search(rb"""\btype\s*=\s*["']dynamic["']""", data[:65_536]) is not None


def read(data: bytes) -> Presentation:
    """What a manifest says; `PresentationError` if it is none, or one of a live stream."""
    root = mpd.parse(data)
    if root.attributes.get("type", "static") != "static":
        raise PresentationError(
            "This DASH manifest is of a live stream (dynamic), of which segments are not known in "
            "advance here; HLS is."
        )
    found: dict[str, Representation] = {}
    for number, (period, seconds) in enumerate(_periods(root), 1):
        found_here = (
            (adaptation, element)
            for adaptation in period.all("AdaptationSet")
            for element in adaptation.all("Representation")
        )
        for position, (adaptation, element) in enumerate(found_here, 1):
            own = element.attributes.get("id", "")
            name = f"{number}/{own}"
            if not _NAME.fullmatch(own) or name in found:
                name = f"{number}/~{position}"
            found[name] = Representation(name, (root, period, adaptation, element), seconds)
            if len(found) > MOST_REPRESENTATIONS:
                raise PresentationError(
                    f"A DASH manifest has at most {MOST_REPRESENTATIONS} representations here."
                )
    return Presentation(found)


def _periods(root: Element) -> Iterator[tuple[Element, float | None]]:
    """The periods, and how long each takes (5.3.2.1)."""
    periods = list(root.all("Period"))
    starts = [_seconds(period.attributes.get("start")) for period in periods]
    starts.append(_seconds(root.attributes.get("mediaPresentationDuration")))
    at: float | None = 0.0
    for n, period in enumerate(periods):
        at = at if starts[n] is None else starts[n]
        end = starts[n + 1]
        seconds = _seconds(period.attributes.get("duration"))
        if seconds is None and at is not None and end is not None:
            seconds = max(end - at, 0.0)
        yield period, seconds
        at = None if at is None or seconds is None else at + seconds


class _Addressing:
    """How one representation says where its segments are."""

    def __init__(self, representation: Representation, base: str, fetch: Fetch) -> None:
        self._seconds = representation.seconds
        self._levels = representation.levels
        self._own = representation.levels[-1].attributes
        self._fetch = fetch
        self._base = base
        for level in representation.levels:
            # The first of several: the others are the same elsewhere.
            url = level.first("BaseURL")
            if url is not None:
                self._base = _joined(self._base, url.text.strip())
        self._has_base = any(level.first("BaseURL") for level in representation.levels)
        self._indexes = 0
        self._kind, self._parts = self._information()

    def segments(self) -> Iterator[Segment]:
        match self._kind:
            case "SegmentTemplate":
                found = self._templated()
            case "SegmentList":
                found = self._listed()
            case _:
                found = self._indexed()
        characters = 0
        for count, segment in enumerate(found):
            characters += len(segment.uri)
            if count == MOST_SEGMENTS:
                raise _too_many()
            if characters > _MOST_URIS:
                raise PresentationError(
                    f"The URIs of a representation have at most {_MOST_URIS} characters here."
                )
            if segment.sequence > _MOST:
                raise PresentationError(f"Segments are numbered up to {_MOST}.")
            yield segment

    def init(self) -> str | None:
        """Where the initialisation section is, if it is not in the file of the segments."""
        template = self._attribute("initialization")
        if template is not None:
            return _joined(self._base, self._filled(template, 0, 0))
        element = self._child("Initialization")
        uri = None if element is None else element.attributes.get("sourceURL")
        return None if uri is None else _joined(self._base, uri)

    def _information(self) -> tuple[str, list[Element]]:
        """The kind of the innermost, and all of that kind, the innermost first."""
        for level in reversed(self._levels):
            for kind in _KINDS:
                if level.first(kind) is not None:
                    parts = (each.first(kind) for each in reversed(self._levels))
                    return kind, [part for part in parts if part is not None]
        return "", []

    def _attribute(self, name: str) -> str | None:
        return next((p.attributes[name] for p in self._parts if name in p.attributes), None)

    def _number(self, name: str, default: int) -> int:
        value = self._attribute(name)
        return default if value is None else _number(name, value)

    def _child(self, name: str) -> Element | None:
        return next((child for part in self._parts if (child := part.first(name))), None)

    # Many files

    def _templated(self) -> Iterator[Segment]:
        media = self._attribute("media")
        if media is None:
            raise PresentationError("A SegmentTemplate needs @media to name segments by.")
        for number, time, duration in self._times(None):
            uri = _joined(self._base, self._filled(media, number, time))
            yield Segment(number, uri, 0, None, duration)

    def _listed(self) -> Iterator[Segment]:
        urls = next((found for p in self._parts if (found := list(p.all("SegmentURL")))), [])
        if len(urls) > MOST_SEGMENTS:
            raise _too_many()
        times = self._times(len(urls))
        for url, (number, _, duration) in zip(urls, times, strict=False):
            media, part = url.attributes.get("media"), url.attributes.get("mediaRange")
            uri = self._base if media is None else _joined(self._base, media)
            offset, length = (0, None) if part is None else _range("mediaRange", part)
            yield Segment(number, uri, offset, length, duration)

    def _filled(self, template: str, number: int, time: int) -> str:
        """A template with its identifiers replaced (5.3.9.4.4)."""
        if len(template) > _LONGEST_URI:
            raise _too_long()
        values = {
            "RepresentationID": self._own.get("id", "")[:_LONGEST_ID],
            "Bandwidth": self._own.get("bandwidth", "0")[:_LONGEST_ID],
            "Number": number,
            "Time": time,
        }

        def value(match: re.Match[str]) -> str:
            if match[1] is None:
                return "$"
            return str(values[match[1]]).zfill(int(match[2] or 0))

        if "$SubNumber" in template:
            raise PresentationError("Segments in parts ($SubNumber$) are not understood here.")
        return _IDENTIFIER.sub(value, template)

    def _times(self, count: int | None) -> Iterator[tuple[int, int, int]]:
        """Of each segment its number, its time in units of the timescale, and its milliseconds."""
        timescale = self._number("timescale", 1)
        start, last = self._number("startNumber", 1), self._number("endNumber", _MOST)
        if timescale < 1 or start < 0:
            raise PresentationError("@timescale is above 0, and @startNumber not below.")
        for number, (time, units) in enumerate(self._units(timescale, count), start):
            if number > last:
                return
            if number - start == MOST_SEGMENTS:
                raise _too_many()
            yield number, time, round(units * 1000 / timescale)

    def _units(self, timescale: int, count: int | None) -> Iterator[tuple[int, int]]:
        offset = self._number("presentationTimeOffset", 0)
        timeline = self._child("SegmentTimeline")
        if timeline is not None:
            end = None if self._seconds is None else round(self._seconds * timescale) + offset
            yield from _timeline(list(timeline.all("S")), end)
            return
        duration = self._number("duration", 0)
        if duration < 1:
            # "a single segment": one in a list, or a template that says nothing of others.
            yield from ((0, 0) for _ in range(1 if count is None else count))
            return
        if count is None:
            if self._seconds is None:
                raise PresentationError(
                    "How many segments there are depends on how long the period takes, which this "
                    "manifest does not say."
                )
            count = math.ceil(self._seconds * timescale / duration - _ALMOST)
            if count > MOST_SEGMENTS:
                raise _too_many()
        yield from ((n * duration, duration) for n in range(count))

    # One file

    def _indexed(self) -> Iterator[Segment]:
        if not self._has_base:
            raise PresentationError("A representation without segments needs a BaseURL.")
        index = self._attribute("indexRange")
        if index is None:
            milliseconds = round((self._seconds or 0) * 1000)
            yield Segment(1, self._base, 0, None, milliseconds)
            return
        offset, length = _range("indexRange", index)
        references = self._references(offset, length)
        for number, reference in enumerate(references, 1):
            yield Segment(
                number, self._base, reference.offset, reference.length, reference.duration
            )

    def _references(self, offset: int, length: int) -> Iterator[sidx.Reference]:
        self._indexes += 1
        if not 0 < length <= _LONGEST_INDEX or self._indexes > _MOST_INDEXES:
            raise PresentationError(
                f"A segment index takes at most {_LONGEST_INDEX} bytes here, and a file has at "
                f"most {_MOST_INDEXES}."
            )
        for reference in sidx.read(self._fetch(self._base, offset, length), offset):
            if reference.is_index:
                yield from self._references(reference.offset, reference.length)
            else:
                yield reference


def _timeline(entries: list[Element], end: int | None) -> Iterator[tuple[int, int]]:
    """The times and durations of a SegmentTimeline (5.3.9.6)."""
    time = 0
    following = (entry.attributes.get("t") for entry in entries[1:])
    for entry, next_time in zip(entries, chain(following, [None]), strict=True):
        attributes = entry.attributes
        time = _number("t", attributes["t"]) if "t" in attributes else time
        duration = _number("d", attributes.get("d", "0"))
        repeat = _number("r", attributes.get("r", "0"))
        if duration < 1 or "k" in attributes:
            raise PresentationError("An S has @d above 0, and no @k: sequences are not understood.")
        if repeat < 0:  # until the next begins, or the period ends
            until = end if next_time is None else _number("t", next_time)
            if until is None:
                raise PresentationError(
                    "An S is repeated (@r) to the end of its period, which this manifest does not "
                    "tell."
                )
            repeat = max(math.ceil((until - time) / duration - _ALMOST), 1) - 1
        if repeat > MOST_SEGMENTS:
            raise _too_many()
        for _ in range(repeat + 1):
            yield time, duration
            time += duration


def _nothing(uri: str, offset: int, size: int) -> bytes:
    return b""


def _seconds(text: str | None) -> float | None:
    match = _DURATION.fullmatch(text.strip()) if text else None
    if match is None:
        return None
    days, hours, minutes, seconds = (float(group or 0) for group in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _number(name: str, text: str) -> int:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise PresentationError(f"@{name} is a whole number, not {text[:40]!a}.")
    return int(match[1])


def _range(name: str, text: str) -> tuple[int, int]:
    """Where a byte range begins, and how many bytes it has."""
    match = _RANGE.fullmatch(text)
    if match is None or int(match[2]) < int(match[1]):
        raise PresentationError(f"@{name} is FIRST-LAST, not {text[:40]!a}.")
    return int(match[1]), int(match[2]) - int(match[1]) + 1


def _joined(base: str, uri: str) -> str:
    try:
        joined = urljoin(base, uri)
    except ValueError as error:
        raise PresentationError(f"This is no URI: {uri[:80]!a}.") from error
    if len(joined) > _LONGEST_URI:
        raise _too_long()
    return joined


def _too_long() -> PresentationError:
    return PresentationError(f"A URI has at most {_LONGEST_URI} characters here.")


def _too_many() -> PresentationError:
    return PresentationError(f"A representation has at most {MOST_SEGMENTS} segments here.")
