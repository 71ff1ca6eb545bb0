"""`p2pcdn verify`: are the bytes still those that were hashed?"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from p2pcdn import logs
from p2pcdn.cli.options import with_settings
from p2pcdn.cli.peer import size_text
from p2pcdn.cli.showing import Shown, counted
from p2pcdn.settings import Settings

if TYPE_CHECKING:
    from origin.preparing.record import Damage
    from origin.preparing.verify import Tally


@click.command()
@click.argument("name", required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="Say what is found as lines of JSON.")
@with_settings("content", "data")
def command(settings: Settings, name: str, as_json: bool) -> int:
    """Hash NAME again, or everything, and compare.

    What `p2pcdn add` has made is compared with what was written then, whatever the files' times
    say; everything else with the hashes that the origin keeps of the files as they are now. Files
    that were changed since are counted, not compared.

    \b
    Exit codes: 0  what was compared is as it was
                1  something is not, or is gone: the file, the bytes and what is wrong are printed
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
    shown.say(
        f"{_files(tally.files)}, {size_text(tally.bytes)}: {_verdict(tally)}.",
        {
            "event": "verified",
            "files": tally.files,
            "bytes": tally.bytes,
            "damages": tally.damages,
            "missing": tally.missing,
            "changed": tally.changed,
            "dropped": tally.dropped,
        },
    )
    return 1 if tally.damages else 0


def _verdict(tally: Tally) -> str:
    """What came of it, in a sentence's end."""
    if not tally.files and not tally.dropped:
        return "nothing was hashed yet"
    found = []
    if tally.damages > tally.missing:
        found.append(counted(tally.damages - tally.missing, "damage"))
    if tally.missing:
        found.append(f"{_files(tally.missing)} gone")
    others = []
    if tally.changed:
        versions = "is another version" if tally.changed == 1 else "are other versions"
        others.append(f"{_files(tally.changed)} {versions} than was hashed")
    if tally.dropped:
        who = "is" if tally.dropped == 1 else "are"
        others.append(f"{_files(tally.dropped)} {who} gone that no playlist names any more")
    good = "what was compared is as it was" if others else "all as it was"
    return "; ".join([", ".join(found) or good, *others])


def _files(count: int) -> str:
    return counted(count, "file")


def _text(damage: Damage) -> str:
    if damage.is_gone:
        return f"{damage.file}: {damage.reason}."
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
