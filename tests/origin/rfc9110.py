"""A small model of what RFC 9110 asks for, written to be read rather than to be fast.

It knows requests only in the forms that `requests` makes, in which each header is either well
formed or clearly not.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

OLDER = "Mon, 01 Jan 2024 00:00:00 GMT"
MODIFIED = "Tue, 02 Jan 2024 00:00:00 GMT"
NEWER = "Wed, 03 Jan 2024 00:00:00 GMT"
MODIFIED_SECONDS = 1_704_153_600

_DATES = {OLDER: -1, MODIFIED: 0, NEWER: 1}


@dataclass(frozen=True)
class Expected:
    status: int
    body: bytes = b""
    content_range: str | None = None


def spec() -> st.SearchStrategy[str]:
    number = st.integers(0, 24).map(str)
    return st.one_of(
        st.builds("{}-{}".format, number, number),
        st.builds("{}-".format, number),
        st.builds("-{}".format, number),
        st.just(f"0-{10**30}"),
        st.sampled_from(["-", "", "a-b", "1-2-3", "0x1-", "+1-2", "1.5-2", "-1-2", "\u0661-"]),
    )


def ranges() -> st.SearchStrategy[str]:
    sets = st.lists(spec(), min_size=1, max_size=3).map(", ".join)
    unit = st.sampled_from(["bytes=", "bytes=", "bytes=", "Bytes=", "seconds=", "bytes", ""])
    return st.builds("{}{}".format, unit, sets)


def tags() -> st.SearchStrategy[str]:
    one = st.sampled_from(["ETAG", "W/ETAG", '"other"', 'W/"other"', '"with, comma"'])
    return st.one_of(st.just("*"), st.lists(one, min_size=1, max_size=3).map(", ".join))


def dates() -> st.SearchStrategy[str]:
    return st.sampled_from([*_DATES, "yesterday"])


def requests() -> st.SearchStrategy[dict[str, str]]:
    """Headers, in which ETAG stands for the current entity tag."""
    return st.fixed_dictionaries(
        {},
        optional={
            "Range": ranges(),
            "If-Range": st.one_of(st.sampled_from(["ETAG", "W/ETAG", '"other"']), dates()),
            "If-Match": tags(),
            "If-None-Match": tags(),
            "If-Modified-Since": dates(),
            "If-Unmodified-Since": dates(),
        },
    )


def expected(method: str, headers: dict[str, str], data: bytes) -> Expected:
    """The answer that the RFC asks for, and where it leaves a choice the one that we made."""
    if not _may_proceed(headers):
        return Expected(412)
    if _is_known(headers):
        return Expected(304)
    body = b"" if method == "HEAD" else data
    if method != "GET" or "Range" not in headers or not _if_range(headers):
        return Expected(200, body)
    return _ranged(headers["Range"], data)


def _may_proceed(headers: dict[str, str]) -> bool:
    if "If-Match" in headers:
        listed = [tag.strip() for tag in headers["If-Match"].split(",")]
        return listed == ["*"] or "ETAG" in listed
    date = headers.get("If-Unmodified-Since")
    return date not in _DATES or _DATES[date] >= 0


def _is_known(headers: dict[str, str]) -> bool:
    if "If-None-Match" in headers:
        listed = [tag.strip().removeprefix("W/") for tag in headers["If-None-Match"].split(",")]
        return listed == ["*"] or "ETAG" in listed
    date = headers.get("If-Modified-Since")
    return date in _DATES and _DATES[date] >= 0


def _if_range(headers: dict[str, str]) -> bool:
    return headers.get("If-Range", "ETAG") in ("ETAG", MODIFIED)


def _ranged(header: str, data: bytes) -> Expected:
    whole = Expected(200, data)
    unit, _, listed = header.partition("=")
    specs = [item.strip() for item in listed.split(",") if item.strip()]
    if unit.lower() != "bytes" or len(specs) != 1 or specs[0].count("-") != 1:
        return whole
    first, last = specs[0].split("-")
    if not all(part == "" or (part.isascii() and part.isdigit()) for part in (first, last)):
        return whole
    if first == last == "":
        return whole
    if first == "":
        chosen = list(range(len(data)))[-int(last) :] if int(last) else []
        if int(last) and not data:
            return whole
    else:
        if last and int(last) < int(first):
            return whole
        end = int(last) if last else len(data)
        chosen = [at for at in range(len(data)) if int(first) <= at <= end]
    if not chosen:
        return Expected(416, content_range=f"bytes */{len(data)}")
    sent = bytes(data[at] for at in chosen)
    return Expected(206, sent, f"bytes {chosen[0]}-{chosen[-1]}/{len(data)}")
