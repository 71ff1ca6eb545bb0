"""Who may come in: honest viewers may, and none of ten thousand forgeries of theirs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import msgspec
import pytest

from p2pcdn.core.access import SKEW, Site, Sites, Visitor
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import PROTOCOL, TOKEN_LASTS, Mode, content_id
from p2pcdn.wire.manifest import to_base64
from p2pcdn.wire.tracker import Credentials, Join, Renew
from tests.p2pcdn.core.minting import NOW, ORDER, Signer, claims_for
from tracker.sites import verifies

SITE, OTHER = "pk_demo", "pk_other"
PAGE = "https://www.example.com"
URL = "/media/show/master.m3u8"
CONTENT = content_id(SITE, URL)
NONCE = "0123456789abcdef" * 2
BACK_END, NEXT, STRANGER = Signer.of("back end"), Signer.of("next key"), Signer.of("stranger")
VIEWER, THIEF = Signer.of("viewer"), Signer.of("thief")

RULES = Site(
    keys={"k1": BACK_END.point, "k2": NEXT.point},
    tokens=True,
    origins=frozenset({PAGE}),
    revoked_tokens=frozenset({"stolen"}),
)
SITES = {SITE: RULES, OTHER: replace(RULES, keys={"k1": Signer.of("another site").point})}


class Case(NamedTuple):
    """Somebody who asks to be let in."""

    what: str
    token: str | None
    signer: Signer = VIEWER
    nonce: str = NONCE
    site: str = SITE
    content: str = CONTENT
    url: str | None = None
    client: Literal["browser", "native"] = "browser"
    origin: str | None = PAGE
    unix: float = NOW
    proof: Any = ...
    """`...`: of the signer, for just this."""

    def credentials(self) -> Credentials | None:
        if self.token is None:
            return None
        proof = self.proof
        if proof is ...:
            proof = self.signer.proof(self.nonce, self.site, self.content, self.token)
        return Credentials(self.token, proof, self.url)

    def join(self) -> Join:
        return Join(
            PROTOCOL,
            self.site,
            self.content,
            self.client,
            True,
            credentials=self.credentials(),
        )


def refusal(case: Case, sites: Sites) -> ErrorCode | None:
    """Why somebody is not let in; None if he is."""
    try:
        sites.admit(case.join(), Visitor(case.nonce, case.origin), case.unix)
    except RemoteError as error:
        return error.code
    return None


def claims(**changes: Any) -> dict[str, Any]:
    return claims_for(VIEWER, **({"content": CONTENT} | changes))


def header(**changes: Any) -> dict[str, Any]:
    fields = {"alg": "ES256", "typ": "p2pcdn+jwt"} | changes
    return {name: value for name, value in fields.items() if value is not None}


HONEST = [
    Case("plain", BACK_END.token(claims())),
    Case("named key", BACK_END.token(claims(), header(kid="k1"))),
    Case("next key", NEXT.token(claims(jti="2"), header(kid="k2"))),
    Case("next key, not named", NEXT.token(claims(jti="3"))),
    Case("by path", BACK_END.token(claims(content=URL))),
    Case("by the beginning of paths", BACK_END.token(claims(content="/media/show/")), url=URL),
    Case("all media", BACK_END.token(claims(content="/media/")), url=URL),
    Case("pages", BACK_END.token(claims(origins=["https://m.example.com", PAGE]))),
    Case("a page that only the token names", BACK_END.token(claims(origins=["https://m.example"])),
         origin="https://m.example"),
    Case("for browsers", BACK_END.token(claims(client="browser", nbf=NOW - 5))),
    Case("native", BACK_END.token(claims(client="native")), client="native", origin=None),
    Case("as long as it may be", BACK_END.token(claims(exp=NOW + 300))),
    Case("a clock that is a little behind", BACK_END.token(claims(iat=NOW + 9, exp=NOW + 305))),
    Case("just expired, by our clock", BACK_END.token(claims(iat=NOW - 100, exp=NOW - 5))),
    Case("as long as two clocks may make it",
         BACK_END.token(claims(exp=NOW + TOKEN_LASTS + SKEW))),
    Case("good from the last second that a clock may be behind",
         BACK_END.token(claims(nbf=NOW + SKEW))),
    Case("what nobody knows", BACK_END.token(claims(sub="user 7", admin=True, exp=NOW + 30.5))),
]  # fmt: skip


def forgeries() -> Iterator[Case]:
    for case in HONEST:
        assert case.token is not None
        yield from mutations(case, case.token)
        yield from replays(case)
    yield from foreign_signatures()
    yield from header_games()
    yield from other_claims()
    yield from other_proofs()


def mutations(case: Case, token: str) -> Iterator[Case]:
    """Each character is another; pieces are missing, twice there, or in another place."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for at, character in enumerate(token):
        if character == ".":
            others = ["", "..", "-"]
        else:
            place = alphabet.index(character)
            others = [alphabet[place ^ 32], alphabet[(place + 1) % 64]][: 1 + at % 2]
        for other in others:
            yield case._replace(
                what=f"{case.what}: character {at}", token=token[:at] + other + token[at + 1 :]
            )
    header, payload, signature = token.split(".")
    for name, text in {
        "white space before": f" {token}", "after": f"{token} ", "a line feed": f"{token}\n",
        "a tab": f"\t{token}", "NUL": f"{token}\0", "padding": f"{token}==",
        "four parts": f"{token}.", "five": f"{token}..", "two": f"{header}.{payload}",
        "no signature": f"{header}.{payload}.", "no header": f".{payload}.{signature}",
        "no claims": f"{header}..{signature}", "swapped": f"{payload}.{header}.{signature}",
        "twice": token + token, "its claims alone": payload, "nothing": "",
        "JSON": json.dumps({"protected": header, "payload": payload, "signature": signature}),
        "standard base64": f"{token[:-1]}+", "a bearer's": f"Bearer {token}",
        "signature twice": f"{header}.{payload}.{signature}{signature}",
        "signature of zeros": f"{header}.{payload}.{to_base64(bytes(64))}",
        "r and s swapped": f"{header}.{payload}.{signature[43:] + signature[:43]}",
        "letters of another alphabet": token.replace("A", "\u0391"),
    }.items():  # fmt: skip
        if text != token:
            yield case._replace(what=f"{case.what}: {name}", token=text)


def replays(case: Case) -> Iterator[Case]:
    """What was honest once, again: elsewhere, later, by another."""
    shown = case.credentials()
    assert shown is not None
    assert shown.proof is not None
    again = case._replace(proof=shown.proof)
    for number in range(40):
        nonce = hashlib.sha256(f"{case.what}{number}".encode()).hexdigest()[:32]
        yield again._replace(what=f"{case.what}: on another socket", nonce=nonce)
    for content in ("c" * 32, "0" * 32, content_id(SITE, "/media/paid/master.m3u8")):
        yield again._replace(what=f"{case.what}: for another content", content=content)
        yield case._replace(what=f"{case.what}: another content, proved", content=content)
    yield again._replace(what=f"{case.what}: for another site", site=OTHER)
    yield case._replace(what=f"{case.what}: for another site, proved", site=OTHER)
    yield case._replace(what=f"{case.what}: for a site that is not there", site="pk_none")
    for late in (SKEW + 310, 3600, 1e6, 1e9):
        yield case._replace(what=f"{case.what}: {late} s later", unix=NOW + late)
    for early in (320, 3600, 1e6, NOW):
        yield case._replace(what=f"{case.what}: {early} s before", unix=NOW - early)
    yield case._replace(what=f"{case.what}: by a thief", signer=THIEF)
    yield again._replace(
        what=f"{case.what}: by a thief with its key",
        proof=msgspec.structs.replace(
            shown.proof, key=THIEF.proof(NONCE, SITE, CONTENT, case.token or "").key
        ),
    )
    if "native" not in case.what:
        for origin in (
            None,
            "null",
            "https://evil.example",
            "https://www.example.com.evil.example",
        ):
            yield case._replace(what=f"{case.what}: from {origin}", origin=origin)
        yield case._replace(what=f"{case.what}: no browser", client="native", origin=None)


def foreign_signatures() -> Iterator[Case]:
    """Signed by others: a stranger, the viewer himself, another site, the wrong one of two keys."""
    others = [STRANGER, VIEWER, THIEF, Signer.of("another site")]
    others += [Signer.of(f"guess {number}") for number in range(200)]
    for number, signer in enumerate(others):
        for kid in (None, "k1", "k2", "k3"):
            yield Case(f"signed by {number}, kid {kid}", signer.token(claims(), header(kid=kid)))
    yield Case("signed by the other of two", NEXT.token(claims(), header(kid="k1")))
    yield Case("signed by the next of two", BACK_END.token(claims(), header(kid="k2")))


def header_games() -> Iterator[Case]:
    """Headers that want to be verified in another way, with the site's own signature, a stranger's,
    and none; the classics are signed with the public key as if it were a secret."""
    jwk = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}
    unwanted: dict[str, list[Any]] = {
        "crit": [[], ["exp"], ["b64"], "exp"], "jwk": [jwk, {}], "jku": ["https://evil.example"],
        "x5u": ["https://evil.example"], "x5c": [["MII"]], "x5t": ["AA"], "b64": [False, True],
        "cty": ["JWT"], "zip": ["DEF"], "enc": ["A128GCM"], "alg ": ["ES256"], "ALG": ["ES256"],
        "apu": ["AA"], "iss": [SITE], "nonce": [NONCE], "p2s": ["AA"], "__proto__": [{}],
    }  # fmt: skip
    headers: list[Any] = [
        header(alg=alg)
        for alg in ("none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "PS256",
                    "ES384", "ES512", "ES256K", "EdDSA", "es256", "ES256 ", "ES256\0", 256, True,
                    ["ES256"], {"ES256": 1}, None)
    ] + [
        header(typ=typ)
        for typ in ("JWT", "jwt", "at+jwt", "P2PCDN+JWT", "application/p2pcdn+jwt", "", 1, None,
                    ["p2pcdn+jwt"])
    ] + [
        header() | {name: value}
        for name, values in unwanted.items()
        for value in values
    ] + [
        header(kid=kid)
        for kid in ("", "k3", "../k1", "k1\0", "K1", "k1 ", " k1", "k1'--", 1, ["k1"], {"k1": 1},
                    "x" * 65, True)
    ] + [
        [], "", "null", "[]", "{}", "1", '"ES256"', "{", '{"alg":"ES256"}', '{"typ":"p2pcdn+jwt"}',
        '{"alg":"none","alg":"ES256","typ":"p2pcdn+jwt"}',
        '{"alg":"ES256","alg":"none","typ":"p2pcdn+jwt"}',
        '{"alg":"ES256","typ":"p2pcdn+jwt","typ":"p2pcdn+jwt"}',
        '{"alg":"ES256","typ":"p2pcdn+jwt"}{}', '\ufeff{"alg":"ES256","typ":"p2pcdn+jwt"}',
        "{'alg':'ES256','typ':'p2pcdn+jwt'}", '{"alg":NaN,"typ":"p2pcdn+jwt"}',
    ]  # fmt: skip
    for number, game in enumerate(headers):
        signed = BACK_END.token(claims(), game)
        what = f"header {number}: {game}"
        yield Case(what, signed)
        yield Case(f"{what}, by a stranger", STRANGER.token(claims(), game))
        front = signed.rpartition(".")[0]
        yield Case(f"{what}, not signed", f"{front}.")
        for size in (hashlib.sha256, hashlib.sha384, hashlib.sha512):
            value = hmac.digest(BACK_END.point, front.encode(), size)
            yield Case(f"{what}, with the key as a secret", f"{front}.{to_base64(value)}")


def other_claims() -> Iterator[Case]:
    """What a back end signs by mistake, or for something else."""
    nan = "NaN"
    wrong: dict[str, list[Any]] = {
        "iss": [None, "", OTHER, "PK_DEMO", "pk_demo ", "pk_demo.evil", 1, [SITE], {}, f"{SITE}\n"],
        "content": [
            None, "", "c" * 32, CONTENT.upper(), CONTENT[:-1], CONTENT + "0", "*", "/", "/media",
            "/media/", "/media/show", "/media/show/master", URL + "/", "media/show/",
            "/media/show/master.m3u8#x/", "//media/show/", "/other/", "https://www.example.com/",
            "//[", "http://[", 1, [CONTENT], {}, True,
        ],
        "exp": [
            None, NOW - 11, NOW - 60, 0, -1, NOW + 311, NOW + 3600, 2**53, 2**63, 1e300, True, "",
            f"{NOW + 100}", [NOW + 100], {}, NOW * 1000,
        ],
        "iat": [NOW + 11, NOW + 60, 2**53, -1, "now", True, [NOW], {}, ""],
        "nbf": [NOW + 11, NOW + 60, 2**53, -1, "now", True, [NOW], {}, ""],
        "jti": [None, "", "stolen", 1, True, ["a"], {}, "x" * 65, "a b", "a\n", "\u00e9"],
        "aud": ["", "p2pcdn", "api", ["api"], [], 1],
        "client": ["", "native", "Browser", "browser ", 1, ["browser"], {}, True],
        "origins": [
            [], "", PAGE, "*", ["*"], ["null"], [None], [PAGE, 1], [PAGE, "*"], {PAGE: 1}, True,
            ["https://example.com"], ["https://www.example.com/"], ["HTTPS://WWW.EXAMPLE.COM"],
            ["http://www.example.com"], ["https://www.example.com:443"], ["https://evil.example"],
            ["https://www.example.com."], ["https://*.example.com"], [PAGE] * 17,
            ["www.example.com"],
        ],
        "cnf": [
            None, {}, [], "", VIEWER.thumbprint, {"jkt": ""}, {"jkt": THIEF.thumbprint},
            {"jkt": VIEWER.thumbprint[:-1]}, {"jkt": VIEWER.thumbprint + "="}, {"jkt": None},
            {"jkt": VIEWER.thumbprint, "jwk": {}}, {"jwk": {"kty": "EC"}}, {"kid": "k1"},
            {"jkt": [VIEWER.thumbprint]}, {"JKT": VIEWER.thumbprint}, {"x5t#S256": "A" * 43},
            {"jkt": VIEWER.thumbprint.swapcase()},
        ],
    }  # fmt: skip
    for name, values in wrong.items():
        for value in values:
            what = f"{name}: {value!r}"
            yield Case(what, BACK_END.token(claims(**{name: value})))
            yield Case(f"{what}, by the next key", NEXT.token(claims(**{name: value})))
            # Twice: whoever reads the first and whoever reads the last would each see another.
            honest, other = json.dumps(claims())[1:-1], json.dumps({name: value})[1:-1]
            yield Case(f"{what}, and right", BACK_END.token(f"{{{other},{honest},{other}}}"))
    for prefix in ("/", "/media/", "/media/show/"):
        for url in (
            None,
            "",
            URL + "x",
            "/media/",
            f"{prefix}other.m3u8",
            f"{prefix}../{URL}",
            "//[",
        ):
            token = BACK_END.token(claims(content=prefix))
            yield Case(f"content: {prefix} as {url}", token, url=url)
    for prefix in (
        "/media/paid/",
        "/media/show/x/",
        "/media/sho/",
        "//media/",
        "/Media/",
        URL + "/",
    ):
        yield Case(f"content: {prefix}", BACK_END.token(claims(content=prefix)), url=URL)
    whole = json.dumps(claims())
    for name, text in {
        "not an object": "[]", "null": "null", "a number": "1", "a text": json.dumps(whole),
        "nothing": " ", "cut": whole[:-1], "two": whole + whole, "a comma": whole[:-1] + ",}",
        "a comment": whole[:-1] + "/**/}", nan: whole.replace(f"{NOW + 120}", nan),
        "infinity": whole.replace(f"{NOW + 120}", "Infinity"), "BOM": "\ufeff" + whole,
        "huge": whole.replace(f"{NOW + 120}", "1e999"), "deep": "[" * 300 + "]" * 300,
        "single quotes": whole.replace('"', "'"), "long": json.dumps(claims(sub="x" * 600)),
        "cnf twice": whole.replace('"cnf": {', '"cnf": {"jkt": "' + "A" * 43 + '", '),
    }.items():  # fmt: skip
        yield Case(f"claims: {name}", BACK_END.token(text))


def other_proofs() -> Iterator[Case]:
    """The right token, and a proof of something else."""
    token = BACK_END.token(claims())
    other = BACK_END.token(claims(jti="another"))
    right = Case("", token)
    proofs: dict[str, Any] = {
        "none": None,
        "another nonce": VIEWER.proof("f" * 32, SITE, CONTENT, token),
        "no nonce": VIEWER.proof("", SITE, CONTENT, token),
        "another site": VIEWER.proof(NONCE, OTHER, CONTENT, token),
        "another content": VIEWER.proof(NONCE, SITE, "c" * 32, token),
        "another token": VIEWER.proof(NONCE, SITE, CONTENT, other),
        "moved line feeds": VIEWER.proof(f"{NONCE}\n{SITE}", CONTENT, "", token),
        "the back end's key": BACK_END.proof(NONCE, SITE, CONTENT, token),
        "a thief's": THIEF.proof(NONCE, SITE, CONTENT, token),
    }
    for what, proof in proofs.items():
        yield right._replace(what=f"proof: {what}", proof=proof)
    honest = VIEWER.proof(NONCE, SITE, CONTENT, token)
    for field in ("x", "y"):
        for at in range(43):
            key = msgspec.structs.replace(
                honest.key, **{field: changed(getattr(honest.key, field), at)}
            )
            yield right._replace(
                what=f"proof: {field} {at}", proof=msgspec.structs.replace(honest, key=key)
            )
    for at in range(86):
        signature = changed(honest.signature, at)
        yield right._replace(
            what=f"proof: signature {at}",
            proof=msgspec.structs.replace(honest, signature=signature),
        )


def changed(text: str, at: int) -> str:
    return text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1 :]


@pytest.mark.timeout(1200)  # a few seconds of work for a processor that has nothing else to do
def test_no_forgery_gets_in_and_nobody_honest_is_kept_out() -> None:
    sites = Sites(SITES, verifies)
    let_in, refusals = [], Counter[ErrorCode]()
    for number, case in enumerate(forgeries()):
        code = refusal(case, sites)
        if code is None:
            let_in.append(case.what)
        else:
            refusals[code] += 1
        if number % 1000 == 0:
            assert [refusal(honest, sites) for honest in HONEST] == [None] * len(HONEST)
    assert let_in == []
    assert refusals.total() >= 10_000
    assert set(refusals) == {
        ErrorCode.BAD_TOKEN,
        ErrorCode.EXPIRED,
        ErrorCode.REVOKED,
        ErrorCode.WRONG_ORIGIN,
        ErrorCode.UNKNOWN_SITE,
    }


@pytest.mark.parametrize("case", HONEST, ids=lambda case: case.what)
def test_whoever_may_come_in_may_renew(case: Case) -> None:
    sites = Sites(SITES, verifies)
    admitted = sites.admit(case.join(), Visitor(case.nonce, case.origin), case.unix)
    shown = case.credentials()
    assert shown is not None
    assert sites.renew(admitted, Renew(shown), case.unix) == admitted
    sites.stays(admitted)
    with pytest.raises(RemoteError, match="expired"):
        sites.renew(admitted, Renew(shown), NOW + TOKEN_LASTS + 2 * SKEW)
    other = Case("other", STRANGER.token(claims())).credentials()
    assert other is not None
    with pytest.raises(RemoteError, match="bad_token"):
        sites.renew(admitted, Renew(other), case.unix)


def test_a_pass_lasts_until_its_token_expires_and_a_little_longer() -> None:
    sites = Sites(SITES, verifies)
    admitted = sites.admit(HONEST[0].join(), Visitor(NONCE, PAGE), NOW)
    assert admitted.lasts(NOW) == 120 + SKEW
    assert admitted.lasts(NOW + 100) == 20 + SKEW
    assert Sites().admit(HONEST[0].join(), Visitor(), NOW).lasts(NOW) is None


def unproved(**changes: Any) -> Case:
    return Case("", BACK_END.token(claims(**changes)), proof=None)


@pytest.mark.parametrize(
    ("case", "site", "said"),
    [
        (HONEST[0]._replace(site="pk_none"), RULES, "no site pk_none"),
        (HONEST[0], replace(RULES, enabled=False), "this site shares nothing"),
        (HONEST[0], replace(RULES, revoked_contents=frozenset({CONTENT})), "this content"),
        (unproved(jti="stolen"), RULES, "the token counts no longer"),
        (HONEST[0]._replace(origin="https://evil.example"), RULES, "pages of this origin"),
        (Case("", None), RULES, "this site wants a join token"),
        (Case("", STRANGER.token(claims())), RULES, "the token is not signed by a key of this"),
        (unproved(exp=NOW - 20), RULES, "the token expired 20 s ago"),
        (unproved(exp=NOW - SKEW), RULES, "the token expired 10 s ago"),
        (unproved(exp=NOW + 311), RULES, "the token is good for more than 300 s"),
        (unproved(nbf=NOW + 11), RULES, "the token is not good yet"),
        (unproved(iss=OTHER), RULES, "the token is for another site"),
        (unproved(content="c" * 32), RULES, "the token is for another content"),
        (unproved(client="native"), RULES, "the token is for native peers"),
        (unproved(cnf=None), RULES, "the token names no key"),
        (unproved(), RULES, "the token is bound to a key, and there is no proof"),
        (HONEST[0]._replace(signer=THIEF), RULES, "the token is bound to another key"),
        (HONEST[0]._replace(proof=VIEWER.proof("f" * 32, SITE, CONTENT, HONEST[0].token or "")),
         RULES, "the token comes with a proof that is not for this socket"),
    ],
)  # fmt: skip
def test_who_is_not_let_in_is_told_why(case: Case, site: Site, said: str) -> None:
    sites = Sites({SITE: site}, verifies)
    with pytest.raises(RemoteError) as caught:
        sites.admit(case.join(), Visitor(case.nonce, case.origin), case.unix)
    assert said in caught.value.detail


def test_who_cannot_stay_is_told_why() -> None:
    sites = Sites(SITES, verifies)
    admitted = sites.admit(HONEST[0].join(), Visitor(NONCE, PAGE), NOW)
    sites.put({SITE: replace(RULES, keys={"k2": NEXT.point})})
    with pytest.raises(RemoteError, match="the key that signed the token is gone"):
        sites.stays(admitted)
    with pytest.raises(RemoteError, match="this site wants a join token now"):
        sites.stays(replace(admitted, claims=None))


def test_where_nobody_verifies_no_token_is_good() -> None:
    assert refusal(HONEST[0], Sites(SITES)) is ErrorCode.BAD_TOKEN


def admitted_by(site: Site, case: Case = HONEST[0]) -> ErrorCode | None:
    return refusal(case, Sites({SITE: site}, verifies))


def test_without_any_site_everybody_may_come_in() -> None:
    nobody_knows = Case("", None, site="whatever", origin=None)
    assert refusal(nobody_knows, Sites()) is None
    assert refusal(nobody_knows, Sites({SITE: Site()})) is ErrorCode.UNKNOWN_SITE
    assert refusal(nobody_knows._replace(site=SITE), Sites({SITE: Site()})) is None


def test_a_token_is_asked_for_where_the_site_says_so() -> None:
    without = Case("", None)
    assert admitted_by(RULES, without) is ErrorCode.BAD_TOKEN
    assert admitted_by(replace(RULES, tokens=False), without) is None
    # One that is shown has to be right all the same.
    forged = Case("", STRANGER.token(claims()))
    assert admitted_by(replace(RULES, tokens=False), forged) is ErrorCode.BAD_TOKEN
    assert admitted_by(replace(RULES, tokens=False, keys={}), forged) is None


def test_a_token_that_names_no_key_is_for_sites_that_take_such() -> None:
    unbound = Case("", BACK_END.token(claims(cnf=None)), proof=None)
    assert admitted_by(RULES, unbound) is ErrorCode.BAD_TOKEN
    assert admitted_by(replace(RULES, bound=False), unbound) is None
    bound = Case("", BACK_END.token(claims()), proof=None)
    assert admitted_by(replace(RULES, bound=False), bound) is ErrorCode.BAD_TOKEN


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"enabled": False}, ErrorCode.SITE_OFF),
        ({"mode": "off"}, ErrorCode.SITE_OFF),
        ({"mode": "lan"}, None),
        ({"revoked_tokens": frozenset({"token-1"})}, ErrorCode.REVOKED),
        ({"revoked_contents": frozenset({CONTENT})}, ErrorCode.REVOKED),
        ({"revoked_contents": frozenset({"c" * 32})}, None),
        ({"keys": {"k2": NEXT.point}}, ErrorCode.REVOKED),
        ({"origins": frozenset({"https://m.example.com"})}, ErrorCode.WRONG_ORIGIN),
        ({"origins": frozenset()}, None),
    ],
)
def test_what_the_operator_says_later_is_for_those_who_are_in_too(
    change: dict[str, Any], code: ErrorCode | None
) -> None:
    sites = Sites(SITES, verifies)
    admitted = sites.admit(HONEST[0].join(), Visitor(NONCE, PAGE), NOW)
    sites.put({SITE: replace(RULES, **change)})
    assert outcome(lambda: sites.stays(admitted)) is code
    if "keys" not in change:
        assert refusal(HONEST[0], sites) is code
    sites.put({})
    sites.stays(admitted)
    sites.put({OTHER: RULES})
    assert outcome(lambda: sites.stays(admitted)) is ErrorCode.UNKNOWN_SITE


def test_tokens_that_are_wanted_from_now_on_are_wanted_of_those_who_are_in() -> None:
    sites = Sites({SITE: replace(RULES, tokens=False)}, verifies)
    admitted = sites.admit(Case("", None).join(), Visitor(NONCE, PAGE), NOW)
    sites.put({SITE: RULES})
    assert outcome(lambda: sites.stays(admitted)) is ErrorCode.BAD_TOKEN


def outcome(call: Callable[[], object]) -> ErrorCode | None:
    try:
        call()
    except RemoteError as error:
        return error.code
    return None


@pytest.mark.parametrize("mode", ["off", "lan", "network", "any", "relay"])
def test_whom_a_site_lets_its_viewers_link_with(mode: Mode) -> None:
    sites = Sites({SITE: Site(mode=mode)})
    assert sites.mode(SITE) == mode
    assert sites.mode("pk_none") == "off"
    assert Sites().mode(SITE) == "any"


def test_a_signature_with_the_other_s_is_the_same_token() -> None:
    """ECDSA has two signatures for each: who makes the second of one has gained nothing by it."""
    token = HONEST[0].token
    assert token is not None
    front, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    s = ORDER - int.from_bytes(raw[32:])
    other = f"{front}.{to_base64(raw[:32] + s.to_bytes(32))}"
    assert other != token
    assert refusal(Case("", other), Sites(SITES, verifies)) is None
    revoked = {SITE: replace(RULES, revoked_tokens=frozenset({"token-1"}))}
    assert refusal(Case("", other), Sites(revoked, verifies)) is ErrorCode.REVOKED
