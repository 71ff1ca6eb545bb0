"""`p2pcdn keys`: the keys that the origin signs with, and their rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from p2pcdn.cli.options import with_settings
from p2pcdn.cli.showing import program
from p2pcdn.settings import Settings

if TYPE_CHECKING:
    from origin.keyring import Ring


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """The keys that the origin signs manifests with.

    They are rotated without an outage: `new` publishes a next key beside the current one; once
    viewers know it (pages that pin keys have to name it, too), `rotate` makes it the current one;
    and when nothing that the previous one has signed matters any more, `retire` discards it. A
    running origin notices within a second, and so does every other one that shares the directory.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@command.command("list")
@with_settings("data")
def list_(settings: Settings) -> None:
    """Print the keys, and what to pin (made if there is none yet)."""
    from origin import keyring

    _print(keyring.load(settings.config.data))


@command.command()
@with_settings("data")
def new(settings: Settings) -> None:
    """Make a next key, which viewers are told of beside the current one."""
    from origin import keyring

    _change(settings, keyring.load(settings.config.data).added(keyring.new_pair()))


@command.command()
@with_settings("data")
def rotate(settings: Settings) -> None:
    """Sign with the next key from now on; the current one becomes the previous."""
    from origin import keyring

    _change(settings, keyring.load(settings.config.data).rotated())


@command.command()
@click.argument("key", metavar="ID")
@with_settings("data")
def retire(settings: Settings, key: str) -> None:
    """Discard the next or the previous key. There is no way back."""
    from origin import keyring

    _change(settings, keyring.load(settings.config.data).retired(key))


def _change(settings: Settings, ring: Ring) -> None:
    from origin import keyring

    keyring.save(settings.config.data, ring)
    _print(ring)


def _print(ring: Ring) -> None:
    pins: list[str] = []
    for state, pair in ring.pairs():
        click.echo(f"{pair.id}  {state}, made {pair.created:%Y-%m-%d %H:%M} UTC")
        for key, thumbprint in zip(pair.published(), pair.thumbprints(), strict=True):
            click.echo(f"    {key.algorithm:<10}  {thumbprint}")
            if key.algorithm == "ecdsa-p256":
                pins.append(thumbprint)
    click.echo("\nTo pin them, in the script tag (every browser has ECDSA on P-256):\n")
    click.echo(f'    data-key="{" ".join(pins)}"\n')
    click.echo("and for native peers:\n")
    click.echo(f"    {program()} peer {' '.join(f'--key {pin}' for pin in pins)} URL")
