"""Who is let in, and that nobody else is."""

from __future__ import annotations

from random import Random

import pytest

from peer.native.gateway.admission import Admission, Head, Pass, Role, hash_of, read_head
from peer.native.gateway.codes import ATTEMPTS, Codes

ADDRESS = "127.0.0.1:54321"
OWNER, THEIRS = "o" * 32, "p" * 32
SITE = "https://www.example.com"
NOW = 0.0


@pytest.fixture
def codes() -> Codes:
    return Codes(Random(1).getrandbits)


@pytest.fixture
def admission(codes: Codes) -> Admission:
    return Admission(ADDRESS, OWNER, {hash_of(THEIRS): SITE}, codes)


def head(path: str, method: str = "GET", host: str | None = ADDRESS, **fields: str) -> Head:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return Head(method, path, named if host is None else {"host": host, **named})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "same-origin", "origin": f"http://{ADDRESS}"},
    ],
)
def test_players_and_the_own_page_show_the_secret(
    admission: Admission, fields: dict[str, str]
) -> None:
    admitted = admission.admit(head(f"/{OWNER}/media/x", **fields), NOW)
    assert admitted == Pass(Role.OWNER, OWNER, "media/x")


@pytest.mark.parametrize("site", [{}, {"sec_fetch_site": "cross-site"}])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_a_paired_page_shows_its_secret(
    admission: Admission, method: str, site: dict[str, str]
) -> None:
    asked = head(f"/{THEIRS}/media/x", method, origin=SITE, **site)
    assert admission.admit(asked, NOW) == Pass(Role.PAGE, THEIRS, "media/x", SITE)


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_a_page_that_is_to_be_paired_shows_the_code(
    admission: Admission, codes: Codes, method: str
) -> None:
    code = codes.new(54321, NOW)
    origin = "https://other.example"
    asked = head(f"/{code}/pair", method, origin=origin, sec_fetch_site="cross-site")
    assert admission.admit(asked, NOW) == Pass(Role.CODE, code, "pair", origin)


STRANGERS = {
    "no secret": head("/"),
    "nothing": head("//"),
    "another secret": head(f"/{'x' * 32}/media/x"),
    "a secret alone": head(f"/{OWNER}"),
    "half a secret": head(f"/{OWNER[:-1]}/media/x"),
    "more than a secret": head(f"/{OWNER}o/media/x"),
    "beginning elsewhere": head(f"/x/{OWNER}/media/x"),
    "no host": head(f"/{OWNER}/", host=None),
    "a name made to resolve here": head(f"/{OWNER}/", host="evil.example:54321"),
    "localhost": head(f"/{OWNER}/", host="localhost:54321"),
    "a dot behind it": head(f"/{OWNER}/", host="127.0.0.1.:54321"),
    "no port": head(f"/{OWNER}/", host="127.0.0.1"),
    "another port": head(f"/{OWNER}/", host="127.0.0.1:80"),
    "the owner's secret from a page": head(f"/{OWNER}/", origin="https://evil.example"),
    "the owner's secret from null": head(f"/{OWNER}/", origin="null"),
    "the owner's secret from an empty origin": head(f"/{OWNER}/", origin=""),
    "the owner's secret in an image": head(f"/{OWNER}/media/x", sec_fetch_site="cross-site"),
    "the owner's secret on the same site": head(f"/{OWNER}/media/x", sec_fetch_site="same-site"),
    "a page's secret without a page": head(f"/{THEIRS}/media/x"),
    "a page's secret from another": head(f"/{THEIRS}/media/x", origin="https://evil.example"),
    "a page's secret from http": head(f"/{THEIRS}/media/x", origin="http://www.example.com"),
    "a page's secret from a subdomain": head(f"/{THEIRS}/m", origin="https://a.www.example.com"),
    "a page's secret from a port": head(f"/{THEIRS}/m", origin="https://www.example.com:8443"),
    "a page's secret with a slash": head(f"/{THEIRS}/m", origin=SITE + "/"),
    "a page's secret in capitals": head(f"/{THEIRS}/m", origin=SITE.upper()),
    "a page's secret in two": head(f"/{THEIRS}/m", origin=f"{SITE} {SITE}"),
    "a page's secret typed": head(f"/{THEIRS}/m", origin=SITE, sec_fetch_site="none"),
    "its hash": head(f"/{hash_of(THEIRS)}/m", origin=SITE),
    "a page's secret at another host": head(f"/{THEIRS}/m", host="evil.example", origin=SITE),
}


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_is_not_let_in(admission: Admission, stranger: Head) -> None:
    assert admission.admit(stranger, NOW) is None


@pytest.mark.parametrize(
    ("method", "rest", "fields"),
    [
        ("GET", "pair", {"origin": SITE}),
        ("POST", "media/x", {"origin": SITE}),
        ("POST", "pair/x", {"origin": SITE}),
        ("POST", "pair", {}),
        ("POST", "pair", {"origin": "null"}),
        ("POST", "pair", {"origin": "file://"}),
        ("POST", "pair", {"origin": SITE, "sec_fetch_site": "none"}),
    ],
)
def test_a_code_is_good_for_nothing_else(
    admission: Admission, codes: Codes, method: str, rest: str, fields: dict[str, str]
) -> None:
    code = codes.new(54321, NOW)
    assert admission.admit(head(f"/{code}/{rest}", method, **fields), NOW) is None


def test_codes_are_not_to_be_guessed(admission: Admission, codes: Codes) -> None:
    right = codes.new(54321, NOW)
    for guess in range(10_000):
        asked = head(f"/{guess:012}/pair", "POST", origin="https://evil.example")
        assert admission.admit(asked, NOW) is None
    asked = head(f"/{right}/pair", "POST", origin=SITE)
    assert admission.admit(asked, NOW) is None, f"after {ATTEMPTS} there is none"


REQUEST = b"GET /secret/media/a%20b.ts?x=1 HTTP/1.1\r\nHost: a\r\nRange:bytes=0-1 \r\n\r\n"


def test_a_header_is_read() -> None:
    assert read_head(REQUEST) == Head(
        "GET", "/secret/media/a%20b.ts", {"host": "a", "range": "bytes=0-1"}
    )


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nORIGIN: x\r\norigin: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_no_client_of_ours_sends_is_not_read(text: bytes) -> None:
    assert read_head(text) is None


@pytest.mark.parametrize("end", [b"", b"\x01"])
def test_a_long_run_of_spaces_is_read_at_once(end: bytes) -> None:
    """It took hours when the pattern tried every way to share the spaces out."""
    text = b"GET / HTTP/1.1\r\nX:" + b" \t" * 8_000 + end + b"\r\nHost: \tx \r\n\r\n"
    head = read_head(text)
    assert (head is None) == bool(end)
    assert head is None or head.fields == {"x": "", "host": "x"}
