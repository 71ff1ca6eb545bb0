"""A scene's processes as Linux sees them: the processor's time they took, and their weight.

Elsewhere nothing is known of either.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
SELF = PROC / "self"


def spent() -> dict[str, float]:
    """CPU seconds of this process and all below it, ended ones aside: of ``pages`` (their
    renderers), the ``browser`` (all else of Chromium), the ``server``, and ``bench``, which drives
    and counts."""
    kinds: defaultdict[str, float] = defaultdict(float)
    for process in _ours():
        kinds[kind_of(_command(process))] += _seconds(process)
    return dict(kinds)


def since(before: dict[str, float]) -> dict[str, float]:
    """What has been spent since ``before``."""
    return {kind: seconds - before.get(kind, 0.0) for kind, seconds in spent().items()}


def share_niceness() -> None:
    """Give all processes below this one the niceness of its session.

    Linux shares the processor out to sessions first, and a browser has one of its own: what this
    one was told to go before, or to give way to, it would not.
    """
    with contextlib.suppress(OSError):
        niceness = (SELF / "autogroup").read_text().split()[-1]
        for process in _ours():
            # Whoever changes it too often is refused for a moment, unless privileged.
            with contextlib.suppress(OSError):
                (PROC / str(process) / "autogroup").write_text(niceness)


def kind_of(command: list[str]) -> str:
    """What a process is by its command: Chromium's children rewrite theirs, as one word."""
    words = " ".join(command).split()
    if not words:
        return "bench"
    if any(word.startswith("--type=renderer") for word in words):
        return "pages"
    if "chrom" in Path(words[0]).name:
        return "browser"
    return "server" if "serve" in words else "bench"


def _ours() -> Iterator[int]:
    """This process and all below it."""
    parents = {int(entry.name): _parent(int(entry.name)) for entry in PROC.glob("[0-9]*")}
    for process in parents:
        above = process
        while above and above != os.getpid():
            above = parents.get(above, 0)
        if above:
            yield process


def _fields(process: int) -> list[str]:
    """What follows the name in parentheses: state, parent, ... (proc_pid_stat(5))."""
    try:
        return (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []  # it is over


def _parent(process: int) -> int:
    fields = _fields(process)
    return int(fields[1]) if fields else 0


def _seconds(process: int) -> float:
    fields = _fields(process)
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _command(process: int) -> list[str]:
    try:
        return (PROC / str(process) / "cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []
