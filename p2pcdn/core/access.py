"""Who may come in, and who may stay.

::

    join --> the site is on --> its page may --> its token is good --> its key is the peer's own
                                                                            |
    dismissed <-- expired, revoked, switched off ------ in, by a `Pass` <---'

A `Site` is what the operator has said of one; `Sites` are all of them, and may be others from one
moment to the next. Whoever came in by what does not count any more goes (`Sites.stays`). Times in
tokens are Unix times, which the shell tells; ECDSA is the shell's business, too (`Verifies`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import TOKEN_LASTS, Mode, content_id
from p2pcdn.wire.token import (
    Claims,
    Token,
    parse,
    point_of,
    proof_text,
    signature_of,
    thumbprint,
)
from p2pcdn.wire.tracker import Credentials, Join, Renew

SKEW = 10.0
"""Seconds that the clock of a back end may be wrong by."""


Verifies = Callable[[bytes, bytes, bytes], bool]
"""Whether by a public key (an uncompressed point of P-256) some data has this signature (r and s in
32 bytes each). Whatever is wrong with any of them is a no."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the operator has said of a site; `p2pcdn.config.SiteConfig` explains it."""

    enabled: bool = True
    mode: Mode = "any"
    keys: Mapping[str, bytes] = field(default_factory=dict)
    """Public keys that sign its tokens, by their ids."""
    tokens: bool = False
    """Whether a join needs one."""
    bound: bool = True
    origins: frozenset[str] = frozenset()
    revoked_tokens: frozenset[str] = frozenset()
    revoked_contents: frozenset[str] = frozenset()
    """Their ids."""


OPEN = Site()
"""A site of which nothing was said."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A socket, as far as access is concerned."""

    nonce: str = ""
    """What its `welcome` said."""
    origin: str | None = None
    """Its ``Origin`` header; None if there was none."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a peer came in by."""

    site: str
    content: str
    visitor: Visitor
    client: Literal["browser", "native"]
    claims: Claims | None = None
    """Of its token."""
    key: bytes = b""
    """By which that was signed."""

    def lasts(self, unix: float) -> float | None:
        """How many seconds it is good from then on; None if for ever."""
        return None if self.claims is None else self.claims.expires + SKEW - unix


class Sites:
    """All sites of a tracker. Without any, whoever comes may come in."""

    def __init__(
        self, sites: Mapping[str, Site] | None = None, verifies: Verifies | None = None
    ) -> None:
        self._sites = dict(sites or {})
        self._verifies = verifies or (lambda *_: False)

    def put(self, sites: Mapping[str, Site]) -> None:
        """These are the sites from now on."""
        self._sites = dict(sites)

    def get(self, name: str) -> Site:
        """What was said of a site; `RemoteError` if there is none of that name."""
        if not self._sites:
            return OPEN
        site = self._sites.get(name)
        if site is None:
            raise RemoteError(ErrorCode.UNKNOWN_SITE, f"there is no site {name} here")
        return site

    def mode(self, name: str) -> Mode:
        """Whom a site lets its viewers link with; nobody if there is no such site."""
        try:
            return self.get(name).mode
        except RemoteError:
            return "off"

    def admit(self, join: Join, visitor: Visitor, unix: float) -> Pass:
        """Let a peer in; `RemoteError` says why not."""
        visit = Pass(join.site, join.content, visitor, join.client)
        return self._admit(visit, join.credentials, unix)

    def renew(self, old: Pass, renewal: Renew, unix: float) -> Pass:
        """Let a peer stay for longer; `RemoteError` says why not."""
        return self._admit(old, renewal.credentials, unix)

    def stays(self, admitted: Pass) -> None:
        """Whether somebody may still be there who came in before; `RemoteError` says why not."""
        site, claims = self.get(admitted.site), admitted.claims
        _check_site(site, admitted.content)
        if claims is not None:
            _check_revoked(site, claims)
            if site.keys and admitted.key not in site.keys.values():
                raise RemoteError(ErrorCode.REVOKED, "the key that signed the token is gone")
        elif site.tokens:
            raise RemoteError(ErrorCode.BAD_TOKEN, "this site wants a join token now")
        _check_origin(site, admitted, claims)

    def _admit(self, visit: Pass, shown: Credentials | None, unix: float) -> Pass:
        site = self.get(visit.site)
        _check_site(site, visit.content)
        claims, key = None, b""
        if shown is not None and site.keys:
            claims, key = self._claims(site, visit, shown, unix)
        elif site.tokens:
            raise RemoteError(ErrorCode.BAD_TOKEN, "this site wants a join token")
        _check_origin(site, visit, claims)
        return replace(visit, claims=claims, key=key)

    def _claims(
        self, site: Site, visit: Pass, shown: Credentials, unix: float
    ) -> tuple[Claims, bytes]:
        """What a token says by which this visitor may come in now, and the key that signed it."""
        token = parse(shown.token)
        claims = token.claims
        keys = site.keys if token.kid is None else {token.kid: site.keys.get(token.kid, b"")}
        signer = next((key for key in keys.values() if key and self._signed(token, key)), None)
        if signer is None:
            raise _bad("is not signed by a key of this site")
        _check_claims(claims, unix)
        _check_use(claims, visit, shown.url)
        _check_revoked(site, claims)
        if claims.thumbprint is not None:
            self._check_proof(claims.thumbprint, visit, shown)
        elif site.bound:
            raise _bad("names no key (cnf), which this site wants")
        return claims, signer

    def _signed(self, token: Token, key: bytes) -> bool:
        return self._verifies(key, token.signed, token.signature)

    def _check_proof(self, expected: str, visit: Pass, shown: Credentials) -> None:
        proof = shown.proof
        if proof is None:
            raise _bad("is bound to a key, and there is no proof that it is the peer's")
        if thumbprint(proof.key) != expected:
            raise _bad("is bound to another key")
        said = proof_text(visit.visitor.nonce, visit.site, visit.content, shown.token)
        if not self._verifies(point_of(proof.key), said, signature_of(proof)):
            raise _bad("comes with a proof that is not for this socket, site, content and token")


def _check_site(site: Site, content: str) -> None:
    if not site.enabled or site.mode == "off":
        raise RemoteError(ErrorCode.SITE_OFF, "this site shares nothing at the moment")
    if content in site.revoked_contents:
        raise RemoteError(ErrorCode.REVOKED, "this content is shared no longer")


def _check_revoked(site: Site, claims: Claims) -> None:
    if claims.id in site.revoked_tokens:
        raise RemoteError(ErrorCode.REVOKED, "the token counts no longer")


def _check_claims(claims: Claims, unix: float) -> None:
    """Whether a genuine token is good now."""
    if claims.expires + SKEW <= unix:
        raise RemoteError(ErrorCode.EXPIRED, f"the token expired {unix - claims.expires:.0f} s ago")
    if claims.expires - unix > TOKEN_LASTS + SKEW:
        raise _bad(f"is good for more than {TOKEN_LASTS} s")
    if max(claims.issued, claims.not_before) > unix + SKEW:
        raise _bad("is not good yet; are both clocks right?")


def _check_use(claims: Claims, visit: Pass, url: str | None) -> None:
    """Whether it is good for what this visitor wants."""
    if claims.site != visit.site:
        raise _bad("is for another site")
    if not _covers(claims.content, visit, url or ""):
        raise _bad("is for another content")
    if claims.client not in (None, visit.client):
        raise _bad(f"is for {claims.client} peers")


def _covers(content: str, visit: Pass, url: str) -> bool:
    try:
        if content.endswith("/"):
            # The id is a hash of the URL as it stands: no detour (`..`) leads to another content.
            return url.startswith(content) and content_id(visit.site, url) == visit.content
        return visit.content in (content, content_id(visit.site, content))
    except ValueError:  # what was said to be a URL is none
        return False


def _check_origin(site: Site, visit: Pass, claims: Claims | None) -> None:
    """Whether the page may join: a second check, since what is no browser says what it likes."""
    named = None if claims is None else claims.origins
    if named is None and claims is not None and claims.client == "native":
        return  # which has no page
    allowed = site.origins if named is None else named
    if allowed and visit.visitor.origin not in allowed:
        raise RemoteError(ErrorCode.WRONG_ORIGIN, "pages of this origin may not join")


def _bad(what: str) -> RemoteError:
    return RemoteError(ErrorCode.BAD_TOKEN, f"the token {what}")
