"""Join tokens as text: what is read, what is refused, and how keys and proofs are written."""

from __future__ import annotations

import json

import pytest

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.manifest import from_base64, to_base64
from p2pcdn.wire.token import (
    LONGEST,
    key_of,
    parse,
    point_of,
    proof_text,
    signature_of,
    signing_input,
    thumbprint,
)
from p2pcdn.wire.tracker import Proof, PublicKey

CLAIMS = {"iss": "pk_demo", "content": "/media/show/", "exp": 1_800_000_000, "jti": "t-1"}
SIGNATURE = to_base64(bytes(range(64)))


def token(**changes: object) -> str:
    return f"{signing_input(CLAIMS | changes, None)}.{SIGNATURE}"


def headed(**changes: object) -> str:
    """A token with more, or something else, in its header."""
    header = json.dumps({"alg": "ES256", "typ": "p2pcdn+jwt"} | changes)
    return f"{to_base64(header.encode())}.{token().partition('.')[2]}"


def saying(payload: str) -> str:
    """A token of this payload."""
    return f"{token().partition('.')[0]}.{to_base64(payload.encode())}.{SIGNATURE}"


def test_what_a_token_says() -> None:
    more = {"cnf": {"jkt": "A" * 43}, "origins": ["https://a.example"]}
    said = parse(f"{signing_input(CLAIMS | more, 'k1')}.{SIGNATURE}")
    assert said.kid == "k1"
    assert said.signature == bytes(range(64))
    claims = said.claims
    assert (claims.site, claims.content, claims.id) == ("pk_demo", "/media/show/", "t-1")
    assert (claims.expires, claims.issued, claims.not_before) == (1.8e9, 0.0, 0.0)
    assert (claims.thumbprint, claims.client) == ("A" * 43, None)
    assert claims.origins == frozenset({"https://a.example"})


def test_what_a_token_may_say_besides() -> None:
    claims = parse(
        token(iat=0, nbf=2**53 - 1, client="native", content="https://a.example/")
    ).claims
    assert (claims.issued, claims.not_before, claims.client) == (0.0, 2.0**53 - 1, "native")
    assert parse(token(client="browser", content="http://a.example/")).claims.client == "browser"
    origins = [f"https://{n}.example" for n in range(16)]
    assert parse(token(origins=origins)).claims.origins == frozenset(origins)


def test_what_is_signed_is_the_text_before_the_last_dot() -> None:
    text = token()
    assert parse(text).signed.decode() == text.rpartition(".")[0]


def test_claims_that_are_none_are_left_out() -> None:
    payload = from_base64(signing_input({"a": 1, "b": None}, None).partition(".")[2])
    assert payload is not None
    assert json.loads(payload) == {"a": 1}


def test_a_token_has_at_most_a_kibibyte() -> None:
    fill = next(n for n in range(1, LONGEST) if len(token(sub="x" * n)) > LONGEST)
    assert LONGEST - 4 < len(token(sub="x" * (fill - 1))) <= LONGEST
    parse(token(sub="x" * (fill - 1)))
    with pytest.raises(RemoteError, match="characters; 1024 is the limit"):
        parse(token(sub="x" * fill))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "three parts"),
        ("a.b", "three parts"),
        (token()[:-1], "base64url"),
        (token() + "=", "base64url"),
        (token()[:-1] + "9", "base64url"),
        (f"{signing_input(CLAIMS, None)}.{to_base64(bytes(63))}", "64 bytes"),
        (token(content="show"), "neither an id nor a URL"),
        (token(aud="p2pcdn"), "audience"),
        (token(origins=["a.example"]), "origin"),
        (token(origins=[]), "list of 1 to 16"),
        (token(cnf={"jkt": "A" * 43, "jwk": {}}), "jkt alone"),
        (token(exp=True), "no exp"),
        (token(exp=2**53), "no exp"),
        (token(exp=-1), "no exp"),
        (token(exp="1800000000"), "no exp"),
        (token(iat=-1), "no iat"),
        (token(nbf=-1), "no nbf"),
        (token(client="viewer"), "another client"),
        (token(jti="a b"), "no jti"),
        (token(jti=""), "no jti"),
        (token(jti=1), "no jti"),
        (token(cnf={"jkt": "A" * 42}), "no jkt"),
        (token(origins=[f"https://{n}.example" for n in range(17)]), "list of 1 to 16"),
        (saying('{"iss":"a","iss":"b"}'), "has a claims that is not JSON, or names"),
        (saying('{"sub":NaN}'), "has a claims that is not JSON, or names"),
        (headed(kid="a b"), "no kid"),
        (headed(alg="none"), "not signed by ES256"),
        (headed(typ="JWT"), "another typ than 'p2pcdn+jwt'"),
        (headed(jku="https://a.example"), "'jku' in its header"),
        (f"{to_base64(b'1')}.{to_base64(b'{}')}.{SIGNATURE}", "header"),
        (f"{headed().partition('.')[0]}.{to_base64(b'1')}.{SIGNATURE}", "claims"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(RemoteError) as caught:
        parse(text)
    assert caught.value.code is ErrorCode.BAD_TOKEN
    assert said in caught.value.detail


def test_a_thumbprint_is_that_of_rfc_7638() -> None:
    """Of the key of RFC 7515, A.3."""
    key = PublicKey(
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    )
    assert thumbprint(key) == "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
    assert key_of(point_of(key)) == key


def test_what_is_no_key_or_signature_is_refused() -> None:
    good = "A" * 43
    with pytest.raises(RemoteError, match="not base64url"):
        point_of(PublicKey("A" * 42 + "B", good))  # bits that say nothing
    with pytest.raises(RemoteError, match="not base64url"):
        signature_of(Proof(PublicKey(good, good), "A" * 85 + "B"))
    assert signature_of(Proof(PublicKey(good, good), "A" * 86)) == bytes(64)


def test_a_proof_is_of_the_socket_the_site_the_content_and_the_token() -> None:
    assert proof_text("n", "s", "c", "t").decode() == (
        "p2pcdn join v1\nn\ns\nc\n47mKTaMaEn1L3m5DAz9muidMqw636xxw7EFAK_YnPdg\n"
    )
