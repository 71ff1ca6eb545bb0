"""An end in a process of its own, told what to do by lines of JSON.

::

    parent --["offers", 4]--> child        ["send"] goes on until the child ends
           <--["v=0...", ...]-             ["cpu"] asks for the CPU seconds so far
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, cast

from bench.native.bare import BareAiortc, BareFast
from bench.native.ours import Ours
from bench.native.whole import Whole
from p2pcdn import logs
from p2pcdn.service import run
from peer.native.transport.choice import Choice, transport_of

Kind = Literal["bare", "ours"]
Role = Kind | Literal["whole"]
ROOT = Path(__file__).parents[2]
LINE = 1_048_576
"""Sixteen descriptions take some 20 KB."""


class Process:
    """The parent's half."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, *words: object) -> Any:
        """Have something done; what came of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        async with asyncio.timeout(60):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("an end of the benchmark has ended: see above")
        return json.loads(line)


@asynccontextmanager
async def end(python: str, kind: Role, transport: Choice) -> AsyncIterator[Process]:
    """An end that this interpreter runs."""
    words = (python, "-m", "bench.native.process", kind, transport)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *words, cwd=ROOT, stdin=pipe, stdout=pipe, limit=LINE
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def serve(kind: Role, transport: Choice) -> int:
    """The child's half."""
    made = _make(kind, transport)
    background: list[asyncio.Task[None]] = []
    while line := await asyncio.to_thread(sys.stdin.readline):
        word, *given = json.loads(line)
        if word == "cpu":
            answer: Any = time.process_time()
        elif word == "send" and not isinstance(made, Whole):
            background.append(asyncio.create_task(made.send()))
            answer = None
        else:
            answer = await getattr(made, word)(*given)
        print(json.dumps(answer), flush=True)
    return 0


def _make(kind: Role, transport: Choice) -> Ours | Whole | BareAiortc | BareFast:
    if kind == "whole":
        return Whole(transport)
    if kind == "ours":
        return Ours(transport_of(transport))
    return BareFast() if transport == "fast" else BareAiortc()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("bare", "ours", "whole"))
    parser.add_argument("transport", choices=("aiortc", "fast"))
    options = parser.parse_args()
    logs.configure("warning", sys.stderr)
    return run(serve(cast(Role, options.kind), cast(Choice, options.transport)))


if __name__ == "__main__":
    raise SystemExit(main())
