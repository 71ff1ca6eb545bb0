"""Fuzzes for as long as one likes: ``python -m tests.fuzz --inputs 10000000``.

``--engine atheris`` lets coverage lead (one target at a time, until it has seen so many inputs); it
needs the extra `fuzz` of the package.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.progress import Progress

from tests.fuzz.engine import FaultError, fuzz
from tests.fuzz.targets import TARGETS, Target

STEP = 200_000
"""Inputs of a seed."""


def portions(inputs: int) -> dict[str, int]:
    """How many of all inputs each target gets."""
    shares = sum(target.share for target in TARGETS.values())
    return {name: -(-inputs * target.share // shares) for name, target in TARGETS.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="in all (1,000,000)")
    parser.add_argument("--target", choices=sorted(TARGETS), action="append", help="only this one")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    parser.add_argument("--engine", choices=["mutator", "atheris"], default="mutator")
    options = parser.parse_args()
    chosen = [TARGETS[name] for name in options.target or TARGETS]
    if options.engine == "atheris":
        if len(chosen) != 1:
            parser.error("atheris takes one --target at a time")
        _atheris(chosen[0], options.inputs)
    sizes = portions(options.inputs)
    if options.target:
        sizes = {target.name: options.inputs // len(chosen) for target in chosen}
    print(f"seed {options.seed}")
    print("| target | inputs | us each | slowest, ms |\n| --- | --- | --- | --- |")
    try:
        for target in chosen:
            _long(target, sizes[target.name], options.seed)
    except FaultError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


def _long(target: Target, inputs: int, seed: int) -> None:
    seconds = slowest = 0.0
    with Progress(disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task(target.name, total=inputs)
        for done in range(0, inputs, STEP):
            size = min(STEP, inputs - done)
            outcome = fuzz(target, size, seed + done, lambda n: progress.update(task, advance=n))
            seconds += outcome.seconds
            slowest = max(slowest, outcome.slowest)
    each = seconds / inputs * 1e6
    print(f"| {target.name} | {inputs:,} | {each:.0f} | {slowest * 1e3:.1f} |", flush=True)


def _atheris(target: Target, inputs: int) -> None:
    """Does not return: libFuzzer ends the process."""
    try:
        import atheris  # type: ignore[import-untyped]
    except ImportError:
        sys.exit("atheris is not installed: pip install -e '.[fuzz]'")
    corpus = Path(".p2pcdn/fuzz", target.name)
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.corpus):
        (corpus / f"known-{number}").write_bytes(data)
    atheris.instrument_all()
    arguments = [f"-runs={inputs}", "-timeout=10", "-max_len=20000", f"-artifact_prefix={corpus}/"]
    atheris.Setup([sys.argv[0], str(corpus), *arguments], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    raise SystemExit(main())
