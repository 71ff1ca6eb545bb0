"""`p2pcdn sim`: scenes with thousands of viewers, in one process and on a virtual clock."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
import msgspec

from p2pcdn.errors import ConfigError

if TYPE_CHECKING:
    from p2pcdn.sim.run import Outcome
    from p2pcdn.sim.scene import Scene


@click.command()
@click.argument("scene", required=False)
@click.option("--list", "listing", is_flag=True, help="List the scenes that come with p2pcdn.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of all that is chance.")
@click.option("--viewers", metavar="N", help="Another number of viewers, or several: 10,100.")
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Another value of a key."
)
@click.option("--sweep", metavar="KEY=A,B,C", help="A run for each of these values of a key.")
@click.option("--pair", is_flag=True, help="Run the same viewers without peers, too.")
@click.option("--trace", type=click.Path(path_type=Path), metavar="FILE", help="Write all events.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Write CSV and pictures."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line a run.")
def command(
    scene: str | None, listing: bool, seed: int, viewers: str | None, assignments: tuple[str, ...],
    sweep: str | None, pair: bool, trace: Path | None, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Simulate a scene: a built-in one by its name, or a TOML file.

    The same scene and seed give the same run, to the byte.
    """
    if scene is None or listing:
        _list()
        return
    scenes = _scenes(scene, assignments, viewers, sweep)
    if pair:
        scenes = [msgspec.structs.replace(one, pair=True) for one in scenes]
    if out is not None:
        _require_pictures()
    outcomes = []
    with _tracing(trace) as file:
        for one in scenes:
            outcomes.append(_run(one, scene, seed, file))
            _print(outcomes[-1], as_json=as_json)
    if out is not None:
        _write(outcomes, out)


def _list() -> None:
    from p2pcdn.sim.scene import built_in

    scenes = built_in()
    width = max(map(len, scenes))
    for name, about in scenes.items():
        click.echo(f"{name:<{width}}  {about}")


def _scenes(
    name: str, assignments: tuple[str, ...], viewers: str | None, sweep: str | None
) -> list[Scene]:
    """The scene with each of the values that it is to be run with."""
    from p2pcdn.settings import parse_assignments
    from p2pcdn.sim.scene import load

    changes = parse_assignments(assignments)
    if viewers is not None and sweep is not None:
        raise ConfigError("Either --viewers or --sweep; a sweep may be over viewers.")
    key, _, values = (
        f"viewers={viewers}".partition("=") if viewers else (sweep or "").partition("=")
    )
    if not key:
        return [load(name, changes)]
    if not values:
        raise ConfigError(f"--sweep takes KEY=A,B,C, such as viewers=10,100, not {sweep!r}.")
    return [load(name, changes | {key: value}) for value in values.split(",")]


def _require_pictures() -> None:
    from p2pcdn.sim.pictures import MISSING, available

    if not available():
        raise click.ClickException(MISSING)


@contextlib.contextmanager
def _tracing(file: Path | None) -> Iterator[TextIO | None]:
    if file is None:
        yield None
        return
    with file.open("w", encoding="utf-8") as opened:
        yield opened


def _run(scene: Scene, name: str, seed: int, trace: TextIO | None) -> Outcome:
    from p2pcdn.sim.run import run

    title = Path(name).name.removesuffix(".toml")
    with _progress(f"{title}, {scene.viewers} viewers") as progress:
        return run(scene, title, seed, trace=trace, progress=progress)


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[float], None]]:
    """A bar where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _print(outcome: Outcome, *, as_json: bool) -> None:
    from p2pcdn.sim import report

    if as_json:
        click.echo(json.dumps(report.as_dict(outcome)))
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(report.table(outcome))
    else:
        click.echo(report.text(outcome))


def _write(outcomes: list[Outcome], directory: Path) -> None:
    from p2pcdn.sim import pictures, report

    report.write(outcomes, directory)
    pictures.draw(outcomes, directory)
    click.echo(f"Written to {directory}.", err=True)
