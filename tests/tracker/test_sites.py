"""What the configuration says of sites: how keys may be written, and what is said of wrong ones."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import structlog.testing
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from p2pcdn.config import Config, SiteConfig, TrackerConfig
from p2pcdn.core.access import Site
from p2pcdn.errors import ConfigError
from p2pcdn.model import content_id
from p2pcdn.wire.manifest import to_base64
from tests.p2pcdn.core.minting import Signer
from tracker.sites import key_files, sites_of, tell_who_may_come, verifies

SIGNER = Signer.of("back end")
PUBLIC = SIGNER.private.public_key()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
X, Y = to_base64(SIGNER.point[1:33]), to_base64(SIGNER.point[33:])
JWK = {"kty": "EC", "crv": "P-256", "x": X, "y": Y}


def keys_of(*keys: str) -> dict[str, bytes]:
    return dict(sites_of(Config(sites={"shop": SiteConfig(keys=keys)}))["shop"].keys)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(JWK),
        "\n" + json.dumps(JWK),
        base64.b64encode(DER).decode(),
        base64.b64encode(SIGNER.point).decode(),
        to_base64(SIGNER.point),
        to_base64(DER),
    ],
    ids=["JWK", "JWK on a line of its own", "SPKI", "point", "point, base64url", "SPKI, base64url"],
)
def test_a_key_may_stand_in_the_configuration(text: str) -> None:
    assert keys_of(text) == {SIGNER.thumbprint: SIGNER.point}


@pytest.mark.parametrize("name", ["site.pem", "site"])
def test_a_key_may_be_a_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(PEM)
    assert keys_of(str(file)) == {SIGNER.thumbprint: SIGNER.point}


def test_a_file_is_looked_for_wherever_it_may_be() -> None:
    keys = ("site.pem", "/run/site", to_base64(SIGNER.point), json.dumps(JWK), "~nobody-of-this/x")
    found = set(key_files(Config(sites={"shop": SiteConfig(keys=keys)})))
    assert found >= {Path("site.pem"), Path("/run/site")}
    assert not any("{" in str(path) for path in found)


def test_a_jwk_has_the_name_that_it_gives_itself_too() -> None:
    assert keys_of(json.dumps(JWK | {"kid": "2026"})) == {
        SIGNER.thumbprint: SIGNER.point,
        "2026": SIGNER.point,
    }


def test_a_private_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(
        SIGNER.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(ConfigError, match=r"\[sites\.shop\] keys: .*key\.pem is a private key"):
        keys_of(str(file))
    with pytest.raises(ConfigError, match="is no public key"):
        keys_of(json.dumps(JWK | {"d": X}))


@pytest.mark.parametrize("name", ["none.pem", "none.pub", "none.key", "none.crt"])
def test_a_file_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} cannot be read: No such file"):
        keys_of(name)


def test_a_file_without_a_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "site.pem"
    file.write_text("no key", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"keys: {file} is no public key"):
        keys_of(str(file))


@pytest.mark.parametrize(
    ("text", "said"), [("A" * 60, "'" + "A" * 60 + "'"), ("A" * 61, "'" + "A" * 57 + "...'")]
)
def test_a_long_text_is_cut_where_it_is_quoted(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        keys_of(text)
    assert f"keys: {said} is no public key" in str(caught.value)


WRONG_CURVE = ec.generate_private_key(ec.SECP384R1()).public_key()
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "A" * 300,
        "~nobody-of-this-name/key.pem",
        "{}",
        "{",
        json.dumps(JWK | {"crv": "P-384"}),
        json.dumps(JWK | {"kty": "oct"}),
        json.dumps(JWK | {"y": X}),
        json.dumps(JWK | {"x": 1}),
        base64.b64encode(b"\x04" + bytes(64)).decode(),
        base64.b64encode(DER[:-1]).decode(),
        to_base64(SIGNER.point) + "!!!!",
        base64.b64encode(
            WRONG_CURVE.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode(),
        base64.b64encode(
            ED25519.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode(),
    ],
)
def test_what_is_no_public_key_of_the_curve_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no public key of P-256"):
        keys_of(text)


def test_a_site_is_as_its_table_says() -> None:
    said = SiteConfig(
        enabled=False,
        mode="lan",
        bound=False,
        keys=(to_base64(SIGNER.point),),
        origins=("https://a.example",),
        revoked_tokens=("t",),
        revoked_contents=("c" * 32, "/media/a.m3u8"),
    )
    assert sites_of(Config(sites={"shop": said})) == {
        "shop": Site(
            enabled=False,
            mode="lan",
            keys={SIGNER.thumbprint: SIGNER.point},
            tokens=True,
            bound=False,
            origins=frozenset({"https://a.example"}),
            revoked_tokens=frozenset({"t"}),
            revoked_contents=frozenset({"c" * 32, content_id("shop", "/media/a.m3u8")}),
        )
    }


def test_a_content_that_is_none_is_said_by_its_name() -> None:
    with pytest.raises(ConfigError, match=r"\[sites\.shop\] revoked_contents takes .* not '//\['"):
        sites_of(Config(sites={"shop": SiteConfig(revoked_contents=("//[",))}))


def test_without_tables_the_sites_are_those_that_are_named() -> None:
    assert sites_of(Config()) == {"pk_demo": Site()}
    assert sites_of(Config(tracker=TrackerConfig(sites=("a", "b")))) == {"a": Site(), "b": Site()}
    # With one, nothing is open that nobody has named.
    assert set(sites_of(Config(sites={"shop": SiteConfig()}))) == {"shop"}


def test_a_site_that_anybody_may_join_is_named_in_the_log() -> None:
    closed = Site(tokens=True)
    with structlog.testing.capture_logs() as logs:
        tell_who_may_come({"open": Site(), "closed": closed, "off": Site(enabled=False)})
    assert [(entry["event"], entry["site"]) for entry in logs] == [("open", "open")]
    assert "no tokens" in logs[0]["why"]


def test_what_verifies() -> None:
    signature = SIGNER.sign(b"said")
    assert verifies(SIGNER.point, b"said", signature)
    assert not verifies(SIGNER.point, b"else", signature)
    assert not verifies(Signer.of("another").point, b"said", signature)
    for point in (b"", bytes(65), b"\x04" + bytes(64), SIGNER.point[:-1], SIGNER.point + b"\0"):
        assert not verifies(point, b"said", signature)
    for wrong in (b"", bytes(64), signature[:-1], signature + b"\0", b"\xff" * 64):
        assert not verifies(SIGNER.point, b"said", wrong)
