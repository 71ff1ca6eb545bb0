"""What the algorithm comes to in the simulator: ``python -m bench.sim``.

Each case is a scene with changes, and runs in a process of its own, one after the other: so its
CPU time and its memory are its own. `--quick` takes a small share of everybody, to see that all of
it works; `--only WORD` the cases whose names contain it, `--seeds N` no more runs of each than
that; `--compiled` compiles the hot modules first (`bench.compiled`). Figures go to `--out` as CSV
and Markdown.

Paired cases run many seeds, each with and without peers: how many viewers stall for over 0.3 s more
with them (*worse*), and how many for as much less (*better*)?
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import compiled
from p2pcdn.model import CHUNK_SIZE
from p2pcdn.sim.run import Outcome, run
from p2pcdn.sim.scene import load


@dataclass(frozen=True, slots=True)
class Case:
    """A scene, changed, and how often it is run with other seeds."""

    name: str
    scene: str
    changes: dict[str, str] = field(default_factory=dict)
    seeds: int = 1


MINUTE = {"seconds": "60", "warmup": "24", "tail": "16"}
SMALL_AND_HOSTILE = {"viewers": "12", "seconds": "90", "warmup": "24", "pair": "true"}
NETWORKS = {
    "one big": "one-big-network",
    "Zipf sizes": "zipf-networks",
    "one each": "a-network-each",
}
SHAKY = {"http.bad": "4", "http.good": "20"}


def cases() -> Iterator[Case]:
    """All of them, the shortest first."""
    for viewers in ("100", "1000", "10000"):
        changes = {"viewers": viewers, **(MINUTE if viewers == "10000" else {})}
        yield Case(f"live, {viewers} viewers, 1.2 r", "live-steady", changes)
    for viewers in ("100", "1000"):
        yield Case(f"live, {viewers} viewers, 1.06 r", "tight-uplinks", {"viewers": viewers})
        yield Case(f"live, {viewers}, 1 in 5 fails", "failing-leases", {"viewers": viewers})
        yield Case(f"live, {viewers}, half of them leave", "wave-of-leaving", {"viewers": viewers})
    for concurrent, seconds in (("1", "6000"), ("5", "2100"), ("20", "1200")):
        for prefetch in ("true", "false"):
            way = "eager" if prefetch == "true" else "sequential"
            changes = {"viewers": concurrent, "seconds": seconds, "peers.prefetch": prefetch}
            yield Case(f"VOD, c = {concurrent}, {way}", "vod-poisson", changes)
    for name, scene in NETWORKS.items():
        yield Case(f"networks, {name}", scene)
    yield Case("hostile, steady HTTP", "hostile", SMALL_AND_HOSTILE, 200)
    yield Case("hostile, shaky HTTP", "hostile", SMALL_AND_HOSTILE | SHAKY, 200)
    yield Case("honest, shaky HTTP", "shaky-http", {"viewers": "12", "seconds": "90"}, 200)
    yield Case("the same twice", "live-steady", {"viewers": "50", "seconds": "60"}, 2)
    yield Case("speed: 1,000 for ten minutes", "live-steady", {"viewers": "1000", "seconds": "600"})


def quick(case: Case) -> Case:
    """A small share of a case."""
    scene = load(case.scene, case.changes)
    viewers = min(max(scene.viewers // 20, min(scene.viewers, 10)), 100)
    seconds = min(scene.seconds, 90.0 if scene.live else 600.0)
    changes = {"viewers": str(viewers), "seconds": str(seconds)}
    return Case(case.name, case.scene, case.changes | changes, min(case.seeds, 3))


# One case, in a process of its own


def measure(case: Case) -> dict[str, Any]:
    """Run a case; its figures."""
    began = time.process_time()
    twice = case.name == "the same twice"
    scene = load(case.scene, case.changes)
    outcomes = [run(scene, case.scene, 1 if twice else 1 + seed) for seed in range(case.seeds)]
    cpu = time.process_time() - began
    chunks = sum(map(_chunks, outcomes))
    found = _averages(outcomes) | {
        "cpu_seconds": round(cpu, 1),
        "us_a_chunk": round(cpu / chunks * 1e6) if chunks else 0,
        "gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "digest": outcomes[0].results.summary.digest,
    }
    if twice:
        found["same"] = len({o.results.summary.digest for o in outcomes}) == 1
    return found


def _chunks(outcome: Outcome) -> float:
    """Chunks that were delivered."""
    runs = (outcome.results, *filter(None, [outcome.blind]))
    rows = [row for results in runs for row in results.viewers]
    return sum(row.origin_bytes + row.peer_bytes for row in rows) / CHUNK_SIZE


AVERAGED = (
    "viewers", "copies", "limit", "offload", "offload_limit", "overhead", "startup", "startup_p95",
    "stalled", "stalled_share", "top_share", "waste", "margin_p01",
)  # fmt: skip


LOCAL = (
    "intra", "intra_limit", "imports", "imports_limit", "imports_most", "imports_origin",
    "completion_p99",
)  # fmt: skip
GAINED = ("reached", "reached_blind", "imports_blind")


def _averages(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    runs = list(outcomes)
    found = {
        name: round(fmean(getattr(o.results.summary, name) for o in runs), 4) for name in AVERAGED
    }
    pairs = [o.comparison for o in runs if o.comparison is not None]
    if pairs:
        found["startup_plain"] = round(fmean(p.startup_plain for p in pairs), 4)
        found["stalled_plain"] = round(fmean(p.stalled_plain for p in pairs), 4)
        found["worse"] = round(fmean(p.worse for p in pairs), 4)
        found["better"] = round(fmean(p.better for p in pairs), 4)
    return found | _locality(runs)


def _locality(runs: list[Outcome]) -> dict[str, Any]:
    """What stayed within networks, beside blind matching."""
    gains = [o.gain for o in runs if o.gain is not None]
    if not gains:
        return {}
    found = {name: round(fmean(getattr(g, name) for g in gains), 4) for name in GAINED}
    for name in LOCAL:
        found[name] = round(fmean(getattr(o.results.summary, name) for o in runs), 4)
    blind = [o.blind.summary.completion_p99 for o in runs if o.blind is not None]
    return found | {"completion_blind": round(fmean(blind), 4)}


# All cases


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.sim", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small share of everybody")
    parser.add_argument("--only", default="", metavar="WORD", help="cases with this in their names")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where CSV and Markdown go")
    parser.add_argument("--seeds", type=int, metavar="N", help="at most so many of a case")
    parser.add_argument("--compiled", action="store_true", help="less than half the CPU time")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    wanted = [case for case in cases() if options.only in case.name]
    wanted = [quick(case) for case in wanted] if options.quick else wanted
    if options.seeds:
        wanted = [replace(case, seeds=min(case.seeds, options.seeds)) for case in wanted]
    if options.case:
        print(json.dumps(measure(next(c for c in wanted if c.name == options.case))))
        return 0
    rows: list[dict[str, Any]] = []
    env = (
        compiled.environment(compiled.ready())
        if options.compiled
        else compiled.environment(compiled.ROOT)
    )
    for case in wanted:
        said = len(list(_table(rows)))
        rows.append({"case": case.name} | _apart(case, options, env))
        print(*list(_table(rows))[said:], sep="\n", flush=True)
        if options.out:
            _write(rows, options.out)
    return 0


def _apart(case: Case, options: argparse.Namespace, env: dict[str, str]) -> dict[str, Any]:
    words = [sys.executable, "-P", "-m", "bench.sim", "--case", case.name]
    words += ["--quick"] * options.quick
    words += ["--seeds", str(options.seeds)] if options.seeds else []
    done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


COLUMNS = {
    "copies": "copies",
    "limit": "limit",
    "offload": "offload",
    "offload_limit": "limit",
    "overhead": "overhead",
    "stalled": "stalled, s",
    "stalled_plain": "plain, s",
    "worse": "worse",
    "better": "better",
    "startup": "start-up, s",
    "startup_plain": "plain, s",
    "top_share": "top share",
    "waste": "waste",
    "cpu_seconds": "CPU, s",
    "us_a_chunk": "µs a chunk",
    "gigabytes": "GB",
}

NETWORK_COLUMNS = {
    "intra": "within networks",
    "intra_limit": "limit",
    "reached": "reached",
    "reached_blind": "blind",
    "imports": "imports",
    "imports_most": "most",
    "imports_origin": "from the origin",
    "imports_limit": "limit",
    "imports_blind": "blind",
    "completion_p99": "completion p99, s",
    "completion_blind": "blind",
    "copies": "copies",
    "overhead": "overhead",
    "stalled": "stalled, s",
    "cpu_seconds": "CPU, s",
    "us_a_chunk": "µs a chunk",
}


def _columns(row: dict[str, Any]) -> dict[str, str]:
    return NETWORK_COLUMNS if "reached" in row else COLUMNS


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Lines of Markdown; rows of networks have columns of their own."""
    before: dict[str, str] | None = None
    for row in rows:
        columns = _columns(row)
        if columns is not before:
            yield from ["", _head(columns)] if before else [_head(columns)]
        before = columns
        yield _line(row)


def _head(columns: dict[str, str]) -> str:
    return f"| case | {' | '.join(columns.values())} |\n|---{'|---' * len(columns)}|"


def _line(row: dict[str, Any]) -> str:
    cells = (str(row.get(name, "")) for name in _columns(row))
    same = {True: " (the same)", False: " (NOT the same)"}.get(row.get("same", ""), "")
    return f"| {row['case']}{same} | {' | '.join(cells)} |"


def _write(rows: list[dict[str, Any]], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "sim.md").write_text("\n".join(_table(rows)) + "\n", encoding="utf-8")
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (directory / "sim.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    raise SystemExit(main())
