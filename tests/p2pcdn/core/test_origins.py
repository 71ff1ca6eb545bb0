"""The page's Origin header: a table of what browsers say, and of what looks like it."""

from __future__ import annotations

import pytest

from p2pcdn.config import SiteConfig
from p2pcdn.core.access import Site, Sites, Visitor
from p2pcdn.errors import ConfigError, ErrorCode, RemoteError
from p2pcdn.model import PROTOCOL, page_origin
from p2pcdn.wire.tracker import Credentials, Join
from tests.p2pcdn.core.minting import NOW, Signer, claims_for
from tracker.sites import verifies

SITE, CONTENT = "pk_demo", "c" * 32
BACK_END = Signer.of("back end")

ALLOWED = (
    "https://www.example.com",
    "http://localhost:8080",
    "https://xn--bcher-kva.example",
    "https://[2001:db8::1]:8443",
    "http://192.0.2.7",
    "https://shop.example.org:444",
    "https://a_b.example",
)


def refusal(
    origin: str | None,
    *,
    token: str | None = None,
    client: str = "browser",
    site: Site | None = None,
) -> ErrorCode | None:
    """Why a page of this origin may not join; None if it may."""
    site = site or Site(origins=frozenset(ALLOWED))
    shown = None if token is None else Credentials(token)
    join = Join(PROTOCOL, SITE, CONTENT, client, True, credentials=shown)  # type: ignore[arg-type]
    try:
        Sites({SITE: site}, verifies).admit(join, Visitor("0" * 32, origin), NOW)
    except RemoteError as error:
        return error.code
    return None


@pytest.mark.parametrize("origin", ALLOWED)
def test_pages_that_are_named_may_join(origin: str) -> None:
    assert refusal(origin) is None


REFUSED = {
    "missing": None,
    "empty": "",
    "null": "null",
    "null in capitals": "NULL",
    "any": "*",
    "any of a domain": "https://*.example.com",
    # Hosts that look like it
    "a prefix": "https://www.example.com.evil.example",
    "a prefix without a dot": "https://www.example.comevil.example",
    "a prefix with a dash": "https://www.example.com-evil.example",
    "a suffix": "https://evilwww.example.com",
    "a suffix with a dash": "https://evil-www.example.com",
    "a subdomain": "https://evil.www.example.com",
    "the domain above": "https://example.com",
    "a sibling": "https://mail.example.com",
    "its name alone": "www.example.com",
    "its name as a path": "https://evil.example/https://www.example.com",
    "its name as a query": "https://evil.example?https://www.example.com",
    "its name as a fragment": "https://evil.example#https://www.example.com",
    "its name as a user": "https://www.example.com@evil.example",
    "its name as a user with a password": "https://www.example.com:x@evil.example",
    "another user": "https://evil@www.example.com",
    "an empty user": "https://@www.example.com",
    "its name before a backslash": "https://www.example.com\\.evil.example",
    "its name before a NUL": "https://www.example.com\0.evil.example",
    "its name, escaped": "https://www%2eexample%2ecom",
    "another letter": "https://www.examp1e.com",
    "one letter less": "https://www.example.co",
    # The same host, not as browsers write it
    "a trailing dot": "https://www.example.com.",
    "two trailing dots": "https://www.example.com..",
    "a leading dot": "https://.www.example.com",
    "capitals": "https://WWW.EXAMPLE.COM",
    "a capital": "https://www.Example.com",
    "the scheme in capitals": "HTTPS://www.example.com",
    "a slash": "https://www.example.com/",
    "two slashes": "https://www.example.com//",
    "a path": "https://www.example.com/watch",
    "a query": "https://www.example.com?",
    "a fragment": "https://www.example.com#",
    "white space before": " https://www.example.com",
    "white space after": "https://www.example.com ",
    "a tab": "https://www.example.com\t",
    "a line feed": "https://www.example.com\n",
    "a zero-width space": "https://www.example.com\u200b",
    "twice": "https://www.example.com https://www.example.com",
    "two headers": "https://www.example.com, https://www.example.com",
    "two headers, one of another": "https://www.example.com, https://evil.example",
    "quoted": '"https://www.example.com"',
    # Ports
    "the usual port": "https://www.example.com:443",
    "another port": "https://www.example.com:8443",
    "port 0": "https://www.example.com:0",
    "no port after a colon": "https://www.example.com:",
    "the usual port in another way": "https://www.example.com:0443",
    "a port that is none": "https://www.example.com:65979",
    "a port that is missing": "http://localhost",
    "another port of this machine": "http://localhost:8081",
    "the usual port of a host with one": "https://shop.example.org",
    "a port with more digits": "https://shop.example.org:4444",
    # Schemes
    "not encrypted": "http://www.example.com",
    "encrypted": "https://192.0.2.7",
    "encrypted, on this machine": "https://localhost:8080",
    "a socket": "wss://www.example.com",
    "a plain socket": "ws://localhost:8080",
    "a file": "file://",
    "a file of that host": "file://www.example.com",
    "an extension": "chrome-extension://www.example.com",
    "data": "data:text/html,x",
    "a blob": "blob:https://www.example.com",
    "no scheme": "//www.example.com",
    "a scheme with one slash": "https:/www.example.com",
    "a scheme with three slashes": "https:///www.example.com",
    "a script": "javascript://www.example.com",
    # Names in other scripts
    "a name, not encoded": "https://b\u00fccher.example",
    "a name, decomposed": "https://bu\u0308cher.example",
    "a name in capitals": "https://XN--BCHER-KVA.example",
    "a name that looks the same": "https://www.ex\u0430mple.com",
    "that name, encoded": "https://www.xn--exmple-4nf.com",
    "a full-width dot": "https://www\uff0eexample.com",
    # Addresses
    "the address without its port": "https://[2001:db8::1]",
    "the address, written out": "https://[2001:db8:0:0:0:0:0:1]:8443",
    "the address in capitals": "https://[2001:DB8::1]:8443",
    "the address without brackets": "https://2001:db8::1:8443",
    "the address with a zone": "https://[2001:db8::1%25eth0]:8443",
    "another address": "https://[2001:db8::2]:8443",
    "mapped": "http://[::ffff:192.0.2.7]",
    "a number": "http://3221225991",
    "in octal": "http://0300.0.02.07",
    "in hexadecimal": "http://0xc0.0.2.7",
    "short": "http://192.0.519",
    "a dot after the address": "http://192.0.2.7.",
    "this machine by its address": "http://127.0.0.1:8080",
}


@pytest.mark.parametrize("origin", REFUSED.values(), ids=REFUSED)
def test_all_others_may_not(origin: str | None) -> None:
    assert refusal(origin) is ErrorCode.WRONG_ORIGIN


def test_the_table_is_long() -> None:
    assert len(REFUSED) + len(ALLOWED) >= 60
    assert len(set(REFUSED.values())) == len(REFUSED)


def test_where_none_is_named_all_may_join() -> None:
    for origin in (*REFUSED.values(), *ALLOWED):
        assert refusal(origin, site=Site()) is None


# With tokens


CLOSED = Site(
    keys={"k": BACK_END.point}, tokens=True, bound=False, origins=frozenset({"https://a.example"})
)


@pytest.mark.parametrize(
    ("claims", "origin", "client", "code"),
    [
        ({}, "https://a.example", "browser", None),
        ({}, "https://b.example", "browser", ErrorCode.WRONG_ORIGIN),
        ({}, None, "browser", ErrorCode.WRONG_ORIGIN),
        ({}, None, "native", ErrorCode.WRONG_ORIGIN),
        ({"origins": ["https://b.example"]}, "https://b.example", "browser", None),
        ({"origins": ["https://b.example"]}, "https://a.example", "browser",
         ErrorCode.WRONG_ORIGIN),
        ({"origins": ["https://b.example"]}, None, "browser", ErrorCode.WRONG_ORIGIN),
        ({"origins": ["https://b.example"]}, "null", "browser", ErrorCode.WRONG_ORIGIN),
        ({"client": "native"}, None, "native", None),
        ({"client": "native"}, "https://a.example", "native", None),
        ({"client": "native"}, None, "browser", ErrorCode.BAD_TOKEN),
        ({"client": "native", "origins": ["https://a.example"]}, None, "native",
         ErrorCode.WRONG_ORIGIN),
        ({"client": "browser"}, None, "browser", ErrorCode.WRONG_ORIGIN),
        ({"client": "browser"}, None, "native", ErrorCode.BAD_TOKEN),
    ],
)  # fmt: skip
def test_a_token_may_name_pages_and_spares_native_peers_from_having_one(
    claims: dict[str, object], origin: str | None, client: str, code: ErrorCode | None
) -> None:
    token = BACK_END.token(claims_for(None, **claims))
    assert refusal(origin, token=token, client=client, site=CLOSED) is code


# In the configuration


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://a.example:443", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("https://[2001:db8:0::1]", "https://[2001:db8::1]"),
        ("https://a.example:65535", "https://a.example:65535"),
        ("https://a.example:65536", None),
        ("https://a.example:0", None),
        ("https://[::g]", None),
        ("http://1.2.3", None),
        ("http://1.2.3.256", None),
        ("https://a..example", None),
    ],
)
def test_the_form_that_browsers_write(text: str, canonical: str | None) -> None:
    assert page_origin(text) == canonical


@pytest.mark.parametrize("origin", [*ALLOWED])
def test_what_browsers_write_may_stand_in_the_configuration(origin: str) -> None:
    assert SiteConfig(origins=(origin,)).origins == (origin,)


@pytest.mark.parametrize(
    ("origin", "near"),
    [
        ("https://WWW.example.com/", "https://www.example.com"),
        ("https://www.example.com:443", "https://www.example.com"),
        ("www.example.com", "https://www.example.com"),
        ("*", "https://www.example.com"),
        ("null", "https://www.example.com"),
        ("https://b\u00fccher.example", "https://www.example.com"),
        ("wss://shop.example", "https://www.example.com"),
    ],
)
def test_anything_else_is_refused_with_what_would_be_right(origin: str, near: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SiteConfig(origins=(origin,))
    assert f"are like {near} (" in str(caught.value)
    assert repr(origin) in str(caught.value)
