"""``python -m bench.browsers``: p2pcdn beside p2p-media-loader and plain hls.js.

All scenes three times take about an hour. The results are a JSON file with everything that was
seen, and beside it a table (.md) and a picture (.png).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from playwright.async_api import Error as PlaywrightError

from bench.browsers import machine, picture, report, startup
from bench.browsers.contestants import CONTESTANTS, Contestant
from bench.browsers.film import Film
from bench.browsers.proxy import Fetch
from bench.browsers.scenes import SCENES, Scene, play
from bench.browsers.servers import ROOT, BenchError, require_built, site

WORK = ROOT / ".p2pcdn" / "bench"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
START = "start"
"""The name of the scenes of start-up."""
STARTERS = ("plain", "ours", "p2pml")


class Run:
    """One call of the command: what it has found so far, kept in a file from the start."""

    def __init__(self, options: argparse.Namespace, film: Film, log: TextIO | None) -> None:
        self._options = options
        self._film = film
        self._log = log
        self._began = time.monotonic()
        self.results: report.Results = {
            "facts": {
                "command": shlex.join(["python", "-m", "bench.browsers", *sys.argv[1:]]),
                "date": time.strftime("%Y-%m-%d", time.gmtime()),
                "machine": machine.machine(),
                "bits_per_second": film.bits_per_second,
                "versions": "",
                "minutes": 0.0,
            },
            "runs": [],
            "starts": [],
        }

    async def all(self) -> None:
        """Everything that was asked for; rounds take turns."""
        async with site() as port:
            for turn in range(self._options.rounds):
                for name in self._options.scenes:
                    if name != START:
                        await self._scene(SCENES[name], turn, port)
            if START in self._options.scenes:
                who = self._contestants(STARTERS)
                pairs = self._options.pairs
                await startup.measure(who, pairs, self._film, port, self._keep_start)

    def _contestants(self, default: Sequence[str]) -> list[Contestant]:
        return [CONTESTANTS[name] for name in self._options.who or default]

    async def _scene(self, scene: Scene, turn: int, port: int) -> None:
        who = self._contestants(scene.who)
        who = [*who[turn % len(who) :], *who[: turn % len(who)]]
        if scene.side_by_side:
            await asyncio.gather(*(self._play(scene, each, turn, port) for each in who))
        else:
            for each in who:
                await self._play(scene, each, turn, port)

    async def _play(self, scene: Scene, contestant: Contestant, turn: int, port: int) -> None:
        try:
            record, fetches = await play(scene, contestant, self._film, port)
        except (BenchError, PlaywrightError, TimeoutError) as error:
            # One browser that crashes within the hour must not take the others' figures with it.
            print(f"{scene.name} {contestant.name} round {turn + 1} failed: {error}", flush=True)
            return
        self.results["runs"].append({"round": turn + 1, **record})
        self._note(record, turn, fetches)
        self._save(record["viewers"][0])
        print(
            f"{scene.name} {contestant.name} round {turn + 1}: {record['copies']:.2f} copies"
            f" (limit {record['limit']:.2f}), offload {record['offload']:.0%},"
            f" {record['stalls']} stalls, {record['errors']} errors, {record['failed']} failed,"
            f" least played {record['played']:.0f} s, load {record['load']:.1f}",
            flush=True,
        )

    def _keep_start(self, sample: dict[str, Any]) -> None:
        self.results["starts"].append(sample)
        self._save(sample)
        print(
            f"start {sample['kind']} {sample['who']} pair {sample['pair'] + 1}:"
            f" {sample['startupMs'] or 0:.0f} ms",
            flush=True,
        )

    def _note(self, record: dict[str, Any], turn: int, fetches: Sequence[Fetch]) -> None:
        if self._log is None:
            return
        for fetch in fetches:
            self._log.write(
                f"{record['scene']}\t{record['who']}\t{turn + 1}\t{fetch.viewer}\t"
                f"{fetch.began:.3f}\t{fetch.ended:.3f}\t{fetch.bytes}\t{fetch.range}\t"
                f"{fetch.method} {fetch.path}\n"
            )
        self._log.flush()

    def _save(self, viewer: dict[str, Any]) -> None:
        facts = self.results["facts"]
        facts["versions"] = machine.versions(viewer["browserVersion"], viewer["hlsVersion"])
        facts["minutes"] = (time.monotonic() - self._began) / 60
        path: Path = self._options.out
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}")
        draft.write_text(json.dumps(self.results, indent=1))
        draft.replace(path)


def show(results: report.Results, path: Path, *, publish: bool) -> None:
    """Print the tables; write them and the picture beside the JSON file, or into docs/."""
    text = report.markdown(results)
    print(f"\n{text}")
    if publish:
        report.insert(text, DOCUMENT)
        picture.draw(results, DOCUMENT.parent / "images" / "bench-browsers.png")
    else:
        path.with_suffix(".md").write_text(text)
        picture.draw(results, path.with_suffix(".png"))


def names(known: Sequence[str]) -> Any:
    """An option that takes several of these, with commas between."""

    def parse(text: str) -> list[str]:
        given = text.split(",")
        for name in given:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return given

    return parse


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.browsers", description=__doc__)
    every = [*SCENES, START]
    parser.add_argument("--scenes", type=names(every), default=every, metavar=",".join(every))
    parser.add_argument("--who", type=names(list(CONTESTANTS)), metavar=",".join(CONTESTANTS),
                        help="contestants, else those of each scene")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3, help="how often each scene is played")
    parser.add_argument("--pairs", type=int, default=15, help="how many pairs of start-up")
    parser.add_argument("--out", type=Path, default=WORK / "browsers.json", metavar="FILE.json")
    parser.add_argument("--log", type=argparse.FileType("w"), metavar="FILE",
                        help="a line for each fetch: scene, contestant, round, viewer, begin, end,"
                        " bytes, range, request")  # fmt: skip
    parser.add_argument("--show", action="store_true",
                        help="only make table and picture again of what is in --out")  # fmt: skip
    parser.add_argument("--publish", action="store_true",
                        help="put table and picture into docs/")  # fmt: skip
    return parser.parse_args()


def main() -> int:
    """The exit code."""
    options = arguments()
    try:
        if options.show:
            show(json.loads(options.out.read_text()), options.out, publish=options.publish)
            return 0
        require_built()
        run = Run(options, Film(WORK / "content"), options.log)
        asyncio.run(run.all())
        show(run.results, options.out, publish=options.publish)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
