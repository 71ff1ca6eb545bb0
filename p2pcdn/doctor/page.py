"""The page that embeds the snippet: what its address and its Content Security Policy forbid."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp

from p2pcdn.doctor import Finding, doubt, good, wrong
from p2pcdn.doctor.site import is_local, text_of

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SECURE = {"http": "https", "ws": "wss"}


class _Page(HTMLParser):
    """Collects the scripts of a page, its base, and policies in its head."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.policies: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and given.get("src"):
            self.scripts.append(given["src"] or "")
        elif tag == "base" and not self.base:
            self.base = given.get("href") or ""
        elif tag == "meta" and (given.get("http-equiv") or "").lower() == "content-security-policy":
            self.policies.append(given.get("content") or "")


def origin_of(url: SplitResult) -> str:
    """Scheme and authority, as browsers name a page's origin."""
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


async def examine(
    session: aiohttp.ClientSession, page: SplitResult, site: SplitResult
) -> AsyncIterator[Finding]:
    """What there is to say of a page that is to get its media from ``site``."""
    try:
        async with session.get(page.geturl()) as answer:
            status, policies = answer.status, answer.headers.getall("Content-Security-Policy", [])
            text = await text_of(answer)
    except (aiohttp.ClientError, TimeoutError) as error:
        yield wrong("page", f"The page cannot be had: {error}.", "Is this its address?")
        return
    if status != 200:
        yield wrong("page", f"The page answers {status}.", "Is this its address?")
        return
    found = _Page()
    found.feed(text)
    yield _secure(page)
    yield _tag(page, site, found)
    yield _mixed(page, site)
    for finding in _policy(page, site, [*policies, *found.policies]):
        yield finding


def _secure(page: SplitResult) -> Finding:
    if page.scheme == "https" or is_local(page.hostname or ""):
        return good("page", "The page is secure, so it has WebCrypto and WebRTC.")
    return wrong(
        "page",
        f"The page comes by {page.scheme}: browsers give it no WebCrypto, so it has no peers.",
        "Serve it by https.",
    )


def _tag(page: SplitResult, site: SplitResult, found: _Page) -> Finding:
    base = (_url(page.geturl(), found.base) or page).geturl()
    scripts = [url for script in found.scripts if (url := _url(base, script)) is not None]
    ours = [s for s in scripts if "/p2pcdn" in s.path and s.path.endswith((".js", ".mjs"))]
    here = [s for s in ours if _authority(s) == _authority(site)]
    if here:
        return good("tag", f"It has the snippet's tag ({here[0].geturl()}).")
    if ours:
        return doubt(
            "tag",
            f"Its snippet comes from {ours[0].geturl()}, not from {site.geturl()}.",
            "The end point is where the snippet comes from: look at that one, or set data-tracker.",
        )
    return doubt(
        "tag",
        "It has no tag of the snippet as it comes from its server.",
        f'Add <script defer src="{site.geturl()}/p2pcdn.js" data-site="..."></script>, unless '
        "a tag manager or a bundle does.",
    )


def _url(base: str, script: str) -> SplitResult | None:
    """The address of a script; None for what is none."""
    try:
        url = urlsplit(urljoin(base, script))
        _ = url.port
    except ValueError:
        return None
    return url


def _mixed(page: SplitResult, site: SplitResult) -> Finding:
    if page.scheme == "https" and site.scheme == "http" and not is_local(site.hostname or ""):
        return wrong(
            "mixed",
            f"A page by https may not load anything from {site.geturl()} (mixed content).",
            "Serve the end point by https: tls.cert and tls.key, or a proxy in front.",
        )
    return good("mixed", "It may load what comes from there: no mixed content.")


# Content Security Policy (level 3), as far as it is about us


def _policy(page: SplitResult, site: SplitResult, policies: list[str]) -> Iterator[Finding]:
    forbidden = [fault for policy in policies for fault in _faults(policy, page, site)]
    if not policies:
        return
    if not forbidden:
        yield good("csp", "Its Content Security Policy lets the snippet do its work.")
    for sentence, advice in forbidden:
        yield wrong("csp", sentence, advice)


def _faults(policy: str, page: SplitResult, site: SplitResult) -> Iterator[tuple[str, str]]:
    directives: dict[str, list[str]] = {}
    for part in policy.split(";"):
        name, *words = part.split() or [""]
        directives.setdefault(name.lower(), words)
    origin = origin_of(site)
    socket = urlsplit(f"{'wss' if site.scheme == 'https' else 'ws'}://{site.netloc}")
    wanted = (
        ("script-src", ("script-src-elem", "script-src", "default-src"), site),
        ("connect-src", ("connect-src", "default-src"), site),
        ("connect-src", ("connect-src", "default-src"), socket),
    )
    for name, fallbacks, url in wanted:
        sources = next((directives[f] for f in fallbacks if f in directives), None)
        if sources is None or any(_matches(source, url, page) for source in sources):
            continue
        if name == "script-src" and any(s.startswith(("'nonce-", "'strict-dyn")) for s in sources):
            continue  # the tag carries the nonce, or a script that does adds it
        yield (
            f"Its Content Security Policy forbids {origin_of(url)} ({name}).",
            f"Add {origin if url is site else origin_of(url)} to {name}.",
        )
    if directives.get("webrtc") == ["'block'"]:
        yield "Its Content Security Policy blocks WebRTC.", "Take webrtc 'block' out of it."


def _matches(source: str, url: SplitResult, page: SplitResult) -> bool:
    """Whether a source expression allows a URL's origin (paths are not looked at)."""
    source = source.lower()
    if source == "'self'":
        return _authority(url) == _authority(page) or (
            (url.hostname, _SECURE.get(url.scheme)) == (page.hostname, page.scheme)
        )
    if source == "*":
        return url.scheme in _DEFAULT_PORTS
    if source.endswith(":"):
        return source[:-1] in (url.scheme, *_less_secure(url.scheme))
    scheme, colon, rest = source.partition("://")
    if not colon:
        scheme, rest = page.scheme, source
    host, _, port = rest.partition("/")[0].partition(":")
    if not host or host.startswith("'"):
        return False
    plain = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
    if scheme not in (url.scheme, plain, *_less_secure(url.scheme), *_less_secure(plain)):
        return False
    if port not in ("", "*") and port != str(_port(url)):
        return False
    if not port and _port(url) != _DEFAULT_PORTS[url.scheme]:
        return False
    name = url.hostname or ""
    return name.endswith(host[1:]) if host.startswith("*.") else name == host


def _less_secure(scheme: str) -> list[str]:
    """What a more secure scheme may stand in for."""
    return [less for less, more in _SECURE.items() if more == scheme]


def _port(url: SplitResult) -> int:
    return url.port or _DEFAULT_PORTS[url.scheme]


def _authority(url: SplitResult) -> tuple[str | None, int]:
    """Host and port; a socket's are those of the page that may open it."""
    return url.hostname, _port(url)
