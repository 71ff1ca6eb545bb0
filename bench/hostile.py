"""Hostile swarms by the thousand: ``python -m bench.hostile --trials 10000 --viewers 20-50``.

Every trial (`p2pcdn.sim.hostile`) follows from its number. Each is a line of JSON in the file
`--out`, and those that stand there are not run again: so it may be stopped and gone on with. At the
end a table says what came of all; `--docs FILE` puts it there, between two markers. Lines of other
code than the one that runs are no evidence: begin with a new file after a change.

``python -m bench.compiled bench.hostile ...`` does the same in less than half of the time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from p2pcdn.sim.clock import chance
from p2pcdn.sim.evil import EVIL
from p2pcdn.sim.hostile import Trial, run_trial

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)
KINDS = ("live", "vod")
BEGIN, END = "<!-- hostile: begin -->", "<!-- hostile: end -->"

Row = dict[str, Any]


def trial(number: int, least: int, most: int, seconds: float) -> Trial:
    """The trial of a number. Each behaviour meets each share and kind in turn."""
    behaviours = list(EVIL)
    turn, which = divmod(number, len(behaviours))
    return Trial(
        behaviour=behaviours[which],
        share=SHARES[turn % len(SHARES)],
        kind=KINDS[turn // len(SHARES) % len(KINDS)],
        viewers=chance(number, "viewers").randint(least, most),
        seed=number,
        seconds=seconds,
    )


def measure(numbered: tuple[int, Trial]) -> Row:
    """Run one; what goes into the file."""
    number, the_trial = numbered
    began = time.process_time()
    outcome = run_trial(the_trial)
    cpu = round(time.process_time() - began, 2)
    return {"number": number} | asdict(outcome) | {"problems": outcome.problems(), "cpu": cpu}


def read(path: Path) -> dict[int, Row]:
    """What has been run, by number; half a line at the end, where it was stopped, is none."""
    rows: dict[int, Row] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows[row["number"]] = row
    return rows


def table(rows: Iterable[Row]) -> Iterator[str]:
    """A line for each behaviour, and one for all."""
    by_behaviour: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_behaviour[row["trial"]["behaviour"]].append(row)
    yield (
        "| behaviour | trials | pairs found out | wrong bytes used | due for a ban | banned "
        "| honest banned | start-up by plain | stalls | plain | problems |"
    )
    yield "|---" * 11 + "|"
    for behaviour in EVIL:
        if behaviour in by_behaviour:
            yield _line(behaviour, by_behaviour[behaviour])
    yield _line("**all**", [row for some in by_behaviour.values() for row in some])


def _line(name: str, rows: list[Row]) -> str:
    def total(key: str) -> int:
        return sum(row[key] for row in rows)

    cells = [
        len(rows),
        total("rejected"),
        total("wrong_stored") + total("wrong_played") + total("wrong_relayed"),
        total("due"),
        total("banned"),
        total("honest_banned"),
        f"{fmean(row['startup'] / row['startup_plain'] for row in rows):.3f}",
        total("stalls"),
        total("stalls_plain"),
        sum(bool(row["problems"]) for row in rows),
    ]
    return f"| {name} | {' | '.join(map(str, cells))} |"


def put(lines: Iterable[str], path: Path) -> None:
    """Replace what stands between the markers of a document."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{path} needs the lines {BEGIN} and {END}.")
    path.write_text("\n".join([before + BEGIN, *lines, END + after]), encoding="utf-8")


def main() -> int:
    """The command line; its exit status says whether any promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("--trials", type=int, default=100, metavar="N", help="in all")
    parser.add_argument("--viewers", default="20-50", metavar="A-B", help="of a trial")
    parser.add_argument("--seconds", type=float, default=20.0, help="of content")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--out", type=Path, default=Path("hostile.jsonl"), metavar="FILE")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="where the table goes, too")
    options = parser.parse_args()
    least, most = map(int, options.viewers.split("-"))
    rows = read(options.out)
    due = [number for number in range(options.trials) if number not in rows]
    trials = [(number, trial(number, least, most, options.seconds)) for number in due]
    with (
        options.out.open("a", encoding="utf-8") as file,
        multiprocessing.Pool(options.jobs) as pool,
    ):
        for row in pool.imap_unordered(measure, trials):
            rows[row["number"]] = row
            file.write(f"\n{json.dumps(row)}")  # a line begins anew where one was cut off
            file.flush()
            for problem in row["problems"]:
                print(f"trial {row['number']}: {problem}", flush=True)
    lines = list(table(rows[number] for number in sorted(rows)))
    print("\n".join(lines))
    if options.docs:
        put(lines, options.docs)
    return int(any(row["problems"] for row in rows.values()))


if __name__ == "__main__":
    raise SystemExit(main())
