"""`p2pcdn verify`: are the bytes still those that were hashed?"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from p2pcdn import logs
from p2pcdn.cli.options import with_settings
from p2pcdn.cli.peer import size_text
from p2pcdn.cli.showing import Shown
from p2pcdn.settings import Settings

if TYPE_CHECKING:
    from origin.preparing.record import Damage


@click.command()
@click.argument("name", required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="Say what is found as lines of JSON.")
@with_settings("content", "data")
def command(settings: Settings, name: str, as_json: bool) -> int:
    """Hash NAME again, or everything, and compare.

    What `p2pcdn add` has made is compared with what was written then, whatever the files' times
    say; everything else with the hashes that the origin keeps of the files as they are now.

    \b
    Exit codes: 0  all is as it was
                1  something is not: the file, the bytes and what is wrong are printed
                2  the command is wrong
    """
    from origin.preparing.verify import Tally, verify
    from origin.sources.mounts import source_of

    context = click.get_current_context()
    if context.get_parameter_source("log_level") is click.core.ParameterSource.DEFAULT:
        logs.configure("error")
    shown = Shown(as_json)
    tally = Tally()
    config = settings.config
    try:
        with (
            contextlib.closing(source_of(config)) as source,
            shown.progress("Verifying") as tell,
        ):
            for damage in verify(source, config, name, tally):
                if damage is not None:
                    shown.say(_text(damage), _event(damage))
                elif tally.total:
                    tell(min(1.0, tally.bytes / tally.total))
    except LookupError:
        raise click.ClickException(
            f"Nothing called {name} was ever hashed; `p2pcdn list` says what there is."
        ) from None
    changed = (
        f"; {tally.changed} files are other versions than were hashed" if tally.changed else ""
    )
    damages = f"{tally.damages} damage{'s' if tally.damages > 1 else ''}"
    verdict = damages if tally.damages else "all as it was"
    shown.say(
        f"{tally.files} files, {size_text(tally.bytes)}: {verdict}{changed}.",
        {
            "event": "verified",
            "files": tally.files,
            "bytes": tally.bytes,
            "damages": tally.damages,
            "changed": tally.changed,
        },
    )
    return 1 if tally.damages else 0


def _text(damage: Damage) -> str:
    last = damage.offset + max(0, damage.length - 1)
    return f"{damage.file}: bytes {damage.offset} to {last}: {damage.reason}."


def _event(damage: Damage) -> dict[str, object]:
    return {
        "event": "damage",
        "file": damage.file,
        "offset": damage.offset,
        "length": damage.length,
        "reason": damage.reason,
    }
