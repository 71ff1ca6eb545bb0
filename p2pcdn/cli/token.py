"""`p2pcdn token`: join tokens for a site's viewers, and the keys that sign them; and tokens for
encoders.

A back end had better use a JWT library of its own language; this is for scripts, for native peers
and for trying things out.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from p2pcdn.cli.options import with_settings
from p2pcdn.errors import ConfigError, RemoteError
from p2pcdn.model import TOKEN_LASTS
from p2pcdn.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey


@click.group(invoke_without_command=True)
@click.option("--site", metavar="ID", help="The site's id.")
@click.option(
    "--content",
    metavar="PATH",
    help="What may be shared: a path such as /media/show/master.m3u8, the beginning of paths, "
    "which ends with a slash, or a content's id.",
)
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The site's private key, as `p2pcdn token new-key FILE` makes one.",
)
@click.option(
    "--cnf",
    metavar="THUMBPRINT",
    help="Of the viewer's key: only who has that key can use the token.",
)
@click.option(
    "--origin",
    "origins",
    metavar="ORIGIN",
    multiple=True,
    help="A page that may use it, as https://www.example.com. Can be given several times.",
)
@click.option("--client", type=click.Choice(["browser", "native"]), help="Who alone may use it.")
@click.option(
    "--ttl",
    type=click.IntRange(1, TOKEN_LASTS),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help=f"How long it is good, {TOKEN_LASTS} at the most.",
)
@click.option("--jti", metavar="ID", help="An id to revoke it by; a random one by default.")
@click.pass_context
def command(
    context: click.Context,
    site: str | None,
    content: str | None,
    key_file: Path | None,
    cnf: str | None,
    origins: tuple[str, ...],
    client: str | None,
    ttl: int,
    jti: str | None,
) -> None:
    """Print a join token, which lets a viewer of a site share a content.

    The site's table in the tracker's configuration names the public key: see docs/how-to/tokens.md.
    """
    if context.invoked_subcommand is not None:
        return
    if site is None or content is None or key_file is None:
        raise click.UsageError("A token needs --site, --content and --key.")
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": site,
        "content": content,
        "jti": jti or secrets.token_hex(8),
        "iat": now,
        "exp": now + ttl,
        "origins": list(origins) or None,
        "client": client,
        "cnf": None if cnf is None else {"jkt": cnf},
    }
    click.echo(_signed(claims, _private(key_file)))
    if cnf is None:
        click.echo(
            "p2pcdn: without --cnf whoever sees the token can use it, where the site allows that "
            "at all (bound = false).",
            err=True,
        )


@command.command("new-key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def new_key(file: Path) -> None:
    """Make a key: the private one goes into FILE, the public one is printed.

    The private key is for what signs tokens and for nobody else; trackers need the public one.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(
            f"{file} is there already: choose another name, or remove it if no site needs it."
        ) from None
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(pem)
    click.echo(f"The private key is in {file}. In the tracker's configuration, for the site:\n")
    click.echo(f'[sites.NAME]\nkeys = ["{_public(private)}"]')


@command.command()
@click.argument("folder", required=False)
@click.option(
    "--ttl",
    type=click.IntRange(1, 10**9),
    metavar="SECONDS",
    help="How long it is good; for ever by default.",
)
@with_settings("data")
def ingest(settings: Settings, folder: str | None, ttl: int | None) -> None:
    """Print a token for encoders, which lets them put live segments at /ingest/.

    Of one FOLDER alone, such as live/show, which has to be in one of `ingest.paths`; without it, of
    all of them. It is good for the origin whose data directory, or `ingest.token`, this is.
    """
    from origin.ingest.access import FILE, first_token, token_for

    config = settings.config
    if not config.ingest.paths:
        raise ConfigError(
            "Encoders may put nothing anywhere: ingest.paths has no folder, such as live."
        )
    is_new = config.ingest.token is None and not (config.data / FILE).exists()
    if folder is None:
        if ttl is not None:
            raise click.UsageError("The token of all folders has no end: name a folder.")
        click.echo(first_token(config))
        _tell_if(is_new, config.data)
        return
    if not any(f"{folder}/".startswith(f"{path}/") for path in config.ingest.paths):
        allowed = ", ".join(config.ingest.paths) or "none"
        raise ConfigError(
            f"{folder!r} is in no folder into which encoders may put anything (ingest.paths): "
            f"{allowed}."
        )
    click.echo(token_for(first_token(config), folder, int(time.time()) + ttl if ttl else 0))
    _tell_if(is_new, config.data)


def _tell_if(is_new: bool, data: Path) -> None:
    """A wrong directory is to be noticed: its token is good for no server."""
    if is_new:
        click.echo(
            f"p2pcdn: there was none in {data}, so one was made: it is good for a server with this "
            "data directory.",
            err=True,
        )


def _private(file: Path) -> EllipticCurvePrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"There is no {file}: `p2pcdn token new-key {file}` makes one.") from None
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ConfigError(
            f"{file} is no private key of P-256 in PEM without a password: "
            "`p2pcdn token new-key FILE` makes one."
        )
    return key


def _public(private: EllipticCurvePrivateKey) -> str:
    """The public key as the configuration takes it, in one line."""
    import base64

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _signed(claims: dict[str, object], private: EllipticCurvePrivateKey) -> str:
    """The token, if a tracker would understand it."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    from p2pcdn import es256
    from p2pcdn.wire.manifest import to_base64
    from p2pcdn.wire.token import parse, signing_input

    said = signing_input(claims, None)
    signature = es256.to_raw(private.sign(said.encode(), ec.ECDSA(SHA256())))
    token = f"{said}.{to_base64(signature)}"
    try:
        parse(token)
    except RemoteError as error:
        raise ConfigError(f"No tracker would take that: {error.detail}.") from None
    return token
