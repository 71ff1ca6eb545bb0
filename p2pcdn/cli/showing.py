"""How a command says how far it is, and what it finds: to a person who watches, to a file, or to a
program.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

_NAME = "p2pcdn"

_TENTH = 0.1
"""Of the work, between two lines."""


def program() -> str:
    """This program as it was called, so that a command which is printed can be given: by its name
    where that is found, else by its place."""
    called = sys.argv[0]
    if Path(called).stem == "__main__":
        return f"{Path(sys.executable).name} -m p2pcdn"
    if Path(called).stem != _NAME:
        return _NAME  # by somebody who has it as a library
    found = shutil.which(_NAME)
    if found is not None and Path(found).resolve() == Path(called).resolve():
        return _NAME
    place = Path(called)
    if place.is_absolute() and place.is_relative_to(Path.cwd()):
        place = place.relative_to(Path.cwd())
    return shlex.quote(str(place))


def length_text(seconds: float) -> str:
    """How long something plays, for a person to read."""
    whole = round(seconds)
    minutes, hours = whole // 60 % 60, whole // 3600
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def counted(count: int, noun: str) -> str:
    """So many of a thing, for a person to read."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


class Shown:
    """Says how it goes: a bar to a person, lines elsewhere, or JSON."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._print: Callable[[str], None] = click.echo

    def note(self, sentence: str) -> None:
        """Something that a person might not expect."""
        self.say(sentence, {"event": "note", "text": sentence})

    def say(self, sentence: str, event: dict[str, object]) -> None:
        """The same thing to a person and to a program."""
        self._print(json.dumps(event) if self._as_json else sentence)

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[Callable[[float], None]]:
        """Gives what is told how far it is, from 0 to 1."""
        if self._as_json or not sys.stdout.isatty():
            yield self._lines(what)
            return
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, transient=True) as bar:
            task = bar.add_task(what, total=1.0)
            self._print = lambda text: bar.console.print(text, markup=False, highlight=False)
            try:
                yield lambda share: bar.update(task, completed=share)
            finally:
                self._print = click.echo

    def _lines(self, what: str) -> Callable[[float], None]:
        told = 0.0

        def tell(share: float) -> None:
            nonlocal told
            if share - told < (_TENTH if share < 1 else 0.001):
                return
            told = share
            event = {"event": "progress", "share": round(share, 4)}
            click.echo(json.dumps(event) if self._as_json else f"{what}: {share:.0%}")

        return tell
