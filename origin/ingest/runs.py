"""An encoder that begins anew at number 0, shown as if it had gone on.

Players take a playlist whose numbers go back for an old one, and wait until it is further than
before: for an hour, if the encoder had run for one. So the numbers go on, with a discontinuity in
between, and what was listed last stays until the new run fills the list::

    was shown    ... 10.ts 11.ts 12.ts           numbers 10, 11, 12
    is put       0.ts 1.ts                       numbers 0, 1
    is shown     12.ts <discontinuity> 0.ts 1.ts numbers 12, 13, 14    # p2pcdn: 13 13

What is to be added to numbers, and with which number the run began, stands in the playlist itself,
in a comment: so nothing else has to be kept, or is lost by a restart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from origin.paths import resolve

RECENT = 60.0
"""Seconds for which what was shown last is worth showing beside what is new."""

_STAMP = re.compile(rb"# p2pcdn: (\d+) (\d+)")
_FIRST = b"#EXT-X-MEDIA-SEQUENCE:"
_LEFT = b"#EXT-X-DISCONTINUITY-SEQUENCE:"
_TARGET = b"#EXT-X-TARGETDURATION:"
_OURS = (_FIRST, _LEFT, _TARGET, b"# p2pcdn:")
"""Lines that we write anew."""

_BREAK = b"#EXT-X-DISCONTINUITY"

_OF_SEGMENTS = re.compile(
    rb"#EXT(INF:|-X-(BYTERANGE|DISCONTINUITY$|KEY|MAP|PROGRAM-DATE-TIME|GAP|BITRATE|DATERANGE|PART:))"
)
"""Tags with which the list begins; all before are of the playlist."""

_CARRIED = re.compile(rb"^#EXT-X-(MAP|KEY|BYTERANGE)", re.MULTILINE)
"""Tags that hold for segments after them as well: such lists cannot be put together."""

_ALL = re.compile(rb"^#EXT-X-(PLAYLIST-TYPE|ENDLIST|STREAM-INF|SKIP)", re.MULTILINE)

Entry = tuple[bytes, ...]
"""A segment: its tags, and its URI last."""


@dataclass
class _List:
    head: list[bytes]
    entries: dict[int, Entry]
    """By number."""
    left: int
    """Discontinuities before the first."""
    target: int
    shift: int
    """What was added to the encoder's numbers."""
    began: int
    """With which number its run did."""

    @property
    def last(self) -> int:
        return max(self.entries, default=-1)

    def part_of(self, number: int) -> int:
        """How many discontinuities there are up to a segment."""
        return self.left + sum(
            _BREAK in entry for one, entry in self.entries.items() if one <= number
        )


def continued(path: str, shown: bytes, data: bytes, *, recent: bool) -> bytes:
    """What to show of a playlist that was put, after what was ``shown`` before it, which was put
    not long ago if ``recent``."""
    if _ALL.search(shown) or b"#EXT-X-PLAYLIST-TYPE" in data or b"#EXT-X-STREAM-INF" in data:
        return data  # it has ended, or lists everything
    try:
        before, new = _read(shown), _read(data)
    except (ValueError, OverflowError):
        return data  # numbers that are none
    if not before.entries or not new.entries:
        return data
    shift, began = _place(before, new)
    if not shift:
        return data
    entries = {number + shift: entry for number, entry in new.entries.items()}
    if began in entries and _BREAK not in entries[began]:
        entries[began] = (_BREAK, *entries[began])
    old: dict[int, Entry] = {}
    if recent and began in entries and not _CARRIED.search(shown + b"\n" + data):
        old = _old(path, before, entries, began)
    merged = _List([], old | entries, 0, max(new.target, before.target if old else 0), shift, began)
    known = next((one for one in merged.entries if one in before.entries), None)
    # A segment stays in the part that it was in.
    part = before.part_of(before.last) if known is None else before.part_of(known)
    merged.left = max(0, part - merged.part_of(min(merged.entries) if known is None else known))
    tail = [b"#EXT-X-ENDLIST"] if b"#EXT-X-ENDLIST" in data else []
    lines = [*_head(new.head, merged), *(line for one in merged.entries.values() for line in one)]
    return b"\n".join([*lines, *tail, b""])


def _place(before: _List, new: _List) -> tuple[int, int]:
    """What is to be added to its numbers, and where its run begins."""
    for shift, began in ((before.shift, before.began), (0, 0)):  # it may go on with ours
        if new.last + shift >= before.last and any(
            before.entries.get(number + shift, (b"",))[-1] == entry[-1]
            for number, entry in new.entries.items()
        ):
            return shift, began
    if new.last + before.shift > before.last:
        return before.shift, before.began
    return before.last + 1 - min(new.entries), before.last + 1


def _old(path: str, before: _List, entries: dict[int, Entry], began: int) -> dict[int, Entry]:
    """What stays listed of earlier runs: as much as makes the list no shorter than it was."""
    room = max(0, len(before.entries) - len(entries))
    put = {_file(path, entry) for entry in entries.values()}
    kept: dict[int, Entry] = {}
    for number in range(began - 1, began - 1 - room, -1):
        entry = before.entries.get(number)
        if entry is None or _file(path, entry) in put:  # its bytes are others now
            break
        kept[number] = entry
    return dict(reversed(kept.items()))


def _file(path: str, entry: Entry) -> str | None:
    return resolve(path, entry[-1].decode(errors="replace"))


def _read(data: bytes) -> _List:
    head: list[bytes] = []
    entries: dict[int, Entry] = {}
    tags: list[bytes] = []
    first = left = target = shift = began = 0
    listing = False
    for line in filter(None, map(bytes.strip, data.splitlines())):
        listing = listing or not line.startswith(b"#") or bool(_OF_SEGMENTS.match(line))
        if not listing or line.startswith(_OURS):
            head.append(line)
            first = int(line[len(_FIRST) :]) if line.startswith(_FIRST) else first
            left = int(line[len(_LEFT) :]) if line.startswith(_LEFT) else left
            target = int(float(line[len(_TARGET) :])) if line.startswith(_TARGET) else target
            if stamp := _STAMP.fullmatch(line):
                shift, began = int(stamp[1]), int(stamp[2])
            continue
        tags.append(line)
        if not line.startswith(b"#"):
            entries[first + len(entries)] = tuple(tags)
            tags = []
    return _List(head, entries, left, target, shift, began)


def _head(head: list[bytes], merged: _List) -> list[bytes]:
    return [
        *(line for line in head if not line.startswith(_OURS)),
        _TARGET + str(merged.target).encode(),
        _FIRST + str(min(merged.entries)).encode(),
        _LEFT + str(merged.left).encode(),
        b"# p2pcdn: %d %d" % (merged.shift, merged.began),
    ]
