"""A small model of what RFC 9110 asks for, written to be read rather than to be fast.

It makes requests and knows what each of their headers means, so that it has nothing to parse: a
date is its seconds, a list of tags those tags. Each header is either well formed or clearly not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from hypothesis import strategies as st

MODIFIED = "Tue, 02 Jan 2024 00:00:00 GMT"
OLDER = "Mon, 01 Jan 2024 00:00:00 GMT"
NEWER = "Wed, 03 Jan 2024 00:00:00 GMT"
MODIFIED_SECONDS = 1_704_153_600


class Tag(NamedTuple):
    """An entity tag; without a text that of the representation."""

    weak: bool = False
    text: str | None = None


class Range(NamedTuple):
    """A range-spec: ``first-last``, ``first-`` or ``-last``."""

    first: int | None
    last: int | None


Value = object
"""What a header means: see the fields of `Request`."""


class Header(NamedTuple):
    """A header in words, in which ETAG stands for the current entity tag, and what it means."""

    lines: tuple[str, ...]
    meaning: Value


@dataclass(frozen=True)
class Shown:
    """What is at a URL."""

    target: str
    data: bytes
    etag: str
    modified: int | None = MODIFIED_SECONDS


@dataclass(frozen=True)
class Request:
    """A request, in words and in meaning."""

    method: Literal["GET", "HEAD"] = "GET"
    lines: tuple[tuple[str, str], ...] = ()
    range: tuple[Range, ...] | None = None
    """None: there is none, or none that counts."""
    if_range: Tag | int | str | None = None
    """A text: something that is neither a tag nor a date."""
    if_match: tuple[Tag, ...] | Literal["*"] | None = None
    if_none_match: tuple[Tag, ...] | Literal["*"] | None = None
    if_modified_since: int | None = None
    if_unmodified_since: int | None = None


@dataclass(frozen=True)
class Expected:
    """The answer: its status, and what else is asked of it."""

    status: int
    body: bytes = b""
    content_range: str | None = None
    length: int | None = field(default=None, compare=False)
    """What Content-Length says, if not the length of the body."""


# What the RFC asks for, and where it leaves a choice what we chose


def expected(request: Request, shown: Shown) -> Expected:
    """The answer to a request (13.2.2)."""
    if request.if_match is not None:
        if not any_is(request.if_match, shown, weak=False):
            return Expected(412)
    elif is_later(shown, request.if_unmodified_since) is True:
        return Expected(412)
    if request.if_none_match is not None:
        if any_is(request.if_none_match, shown, weak=True):
            return Expected(304)
    elif is_later(shown, request.if_modified_since) is False:
        return Expected(304)
    size = len(shown.data)
    whole = Expected(200, shown.data if request.method == "GET" else b"", length=size)
    if request.method != "GET" or request.range is None or not is_this(request.if_range, shown):
        return whole
    return ranged(request.range, shown.data, whole)


def any_is(listed: tuple[Tag, ...] | Literal["*"], shown: Shown, *, weak: bool) -> bool:
    """Whether one of these is the tag of the representation, or any would do (8.8.3.2)."""
    return listed == "*" or any(
        tag.text in (None, shown.etag) and (weak or not tag.weak) for tag in listed
    )


def is_later(shown: Shown, date: int | None) -> bool | None:
    """Whether it was modified after a date; None if there is nothing to compare."""
    return None if date is None or shown.modified is None else shown.modified > date


def is_this(if_range: Tag | int | str | None, shown: Shown) -> bool:
    """Whether a range is of this very version (13.1.5)."""
    match if_range:
        case None:
            return True
        case Tag(weak, text):
            return not weak and text in (None, shown.etag)
        case int():
            return if_range == shown.modified
        case _:
            return False


def ranged(ranges: tuple[Range, ...], data: bytes, whole: Expected) -> Expected:
    """A part, if it is one part (14.2); several at once get the whole here."""
    if len(ranges) != 1:
        return whole
    [(first, last)] = ranges
    if first is None:
        count = last or 0
        if count and not data:
            return whole
        chosen = range(max(0, len(data) - count), len(data)) if count else range(0)
    else:
        chosen = range(first, len(data) if last is None else min(last + 1, len(data)))
    if not chosen:
        return Expected(416, content_range=f"bytes */{len(data)}")
    sent = data[chosen[0] : chosen[-1] + 1]
    return Expected(206, sent, f"bytes {chosen[0]}-{chosen[-1]}/{len(data)}")


# Requests

SPACES = st.sampled_from(["", "", "", " ", "\t", "  "])


def positions(size: int) -> st.SearchStrategy[int]:
    edges = [0, 1, size // 2, size - 1, size, size + 1, 65_535, 65_536, 10**18]
    return st.sampled_from([edge for edge in edges if edge >= 0]) | st.integers(0, size + 4)


@st.composite
def specs(draw: st.DrawFn, size: int) -> tuple[str, Range | None]:
    """A range-spec; None for one that is none, or that ends before it begins (14.1.1)."""
    one, other = draw(positions(size)), draw(positions(size))
    digits = "0" * draw(st.sampled_from([0, 0, 0, 1, 25])) + str(one)
    match draw(st.sampled_from(["both", "both", "open", "suffix", "none"])):
        case "both":
            return f"{digits}-{other}", Range(one, other) if one <= other else None
        case "open":
            return f"{digits}-", Range(one, None)
        case "suffix":
            return f"-{digits}", Range(None, one)
        case _:
            odd = ["-", "a-b", "1-2-3", "0x1-", "+1-2", "1.5-2", "-1-2", "1 - 2", "1", "1-2;q=1"]
            return draw(st.sampled_from([*odd, "\u0661-", "1-\u0662"])), None


@st.composite
def ranges(draw: st.DrawFn, size: int) -> Header:
    """A Range header."""
    unit = draw(st.sampled_from(["bytes"] * 5 + ["Bytes", "BYTES", "seconds", "none", "byte"]))
    found = draw(st.lists(specs(size), min_size=1, max_size=draw(st.sampled_from([1, 1, 4]))))
    texts = [text for text, _ in found]
    if draw(st.booleans()):
        texts.insert(draw(st.integers(0, len(texts))), "")  # empty elements are skipped (5.6.1.2)
    text = ",".join(draw(SPACES) + text + draw(SPACES) for text in texts)
    meaning = tuple(spec for _, spec in found if spec is not None)
    counts = unit.lower() == "bytes" and len(meaning) == len(found)
    equals = draw(st.sampled_from(["="] * 9 + [":"]))
    return Header((f"{unit}{equals}{text}",), meaning if counts and equals == "=" else None)


def tags() -> st.SearchStrategy[tuple[str, Tag]]:
    own = [("ETAG", Tag()), ("W/ETAG", Tag(weak=True))]
    texts = ['"other"', '""', '"with, comma"', '"*"', '"W/"', '"\u00fc"', '"a b"']
    others = [(prefix + text, Tag(prefix != "", text)) for text in texts for prefix in ("", "W/")]
    return st.sampled_from(own * 4 + others)


@st.composite
def tag_lists(draw: st.DrawFn) -> Header:
    """An If-Match or If-None-Match: a star, or a list, in one line or in several (5.3)."""
    if draw(st.integers(0, 7)) == 0:
        return Header((f"{draw(SPACES)}*{draw(SPACES)}",), "*")
    lines = draw(st.lists(st.lists(tags(), max_size=3), min_size=1, max_size=2))
    texts = []
    for line in lines:
        elements = [text for text, _ in line]
        if draw(st.integers(0, 3)) == 0:
            elements.insert(draw(st.integers(0, len(elements))), "")
        texts.append(",".join(draw(SPACES) + text + draw(SPACES) for text in elements))
    return Header(tuple(texts), tuple(tag for line in lines for _, tag in line))


INVALID_DATES = (
    "", "yesterday", "0", "-1", "1704153600", "2024-01-02T00:00:00Z",
    "Tue, 02 Jan 2024 00:00:00 +0200", "Tue, 32 Jan 2024 00:00:00 GMT",
    "Tue, 02 Foo 2024 00:00:00 GMT", "Tue, 02 Jan 2024 25:00:00 GMT", '"ETAG"',
    f"{MODIFIED}, {NEWER}",
)  # fmt: skip


@st.composite
def dates(draw: st.DrawFn) -> Header:
    """A date in one of the three formats (5.6.7), or something else; None for that."""
    if draw(st.integers(0, 4)) == 0:
        return Header((draw(st.sampled_from(INVALID_DATES)),), None)
    near = st.sampled_from([-86_400, -1, 0, 0, 0, 1, 86_400]).map(MODIFIED_SECONDS.__add__)
    seconds = draw(near | st.integers(631_152_000, 2_840_140_800))  # of the years 1990 to 2059
    date = datetime.fromtimestamp(seconds, UTC)
    formats = ["%a, %d %b %Y %H:%M:%S GMT"] * 3
    formats += ["%A, %d-%b-%y %H:%M:%S GMT", f"%a %b {date.day:2} %H:%M:%S %Y"]
    return Header((date.strftime(draw(st.sampled_from(formats))),), seconds)


@st.composite
def if_ranges(draw: st.DrawFn) -> Header:
    """An If-Range: a tag or a date."""
    if draw(st.booleans()):
        text, tag = draw(tags())
        return Header((text,), tag)
    header = draw(dates())
    return Header(header.lines, header.lines[0] if header.meaning is None else header.meaning)


IRRELEVANT = (
    ("Accept", "*/*"), ("Accept-Encoding", "gzip, br"), ("User-Agent", "a player"),
    ("Cache-Control", "no-cache"), ("Referer", "https://page.example/"), ("Cookie", "a=b"),
    ("Origin", "https://page.example"), ("DNT", "1"), ("X-Odd", "\u00fc"), ("X-Empty", ""),
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn, size: int) -> Request:
    """A request for a representation of so many bytes."""
    likely = {"Range": ranges(size), "If-Range": if_ranges()}
    rare = {
        "If-Match": tag_lists(),
        "If-None-Match": tag_lists(),
        "If-Modified-Since": dates(),
        "If-Unmodified-Since": dates(),
    }
    meanings: dict[str, Value] = {}
    lines: list[tuple[str, str]] = draw(
        st.lists(st.sampled_from(IRRELEVANT), max_size=2, unique=True)
    )
    for name, strategy in (likely | rare).items():
        if draw(st.integers(0, 1 if name in likely else 3)) == 0:
            header = draw(strategy)
            cased = draw(st.sampled_from([name, name, name.lower(), name.upper()]))
            lines += [(cased, line) for line in header.lines]
            meanings[name.lower().replace("-", "_")] = header.meaning
    order = draw(st.permutations(range(len(lines))))
    # Lines of one name stay in their order: they are one list. Any order does for tags.
    method = draw(st.sampled_from(["GET", "GET", "GET", "GET", "HEAD"]))
    return Request(method, tuple(lines[at] for at in order), **meanings)  # type: ignore[arg-type]
