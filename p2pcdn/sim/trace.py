"""What happened, line by line: always digested, and written to a file if there is one.

A line is the time, what happened, to which viewer, and what else is to be said, with tabs between.
"""

from __future__ import annotations

import hashlib
from typing import TextIO


class Trace:
    """The lines of one run. Two runs are the same if their digests are."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self._digest = hashlib.blake2b(digest_size=16)

    def note(self, now: float, what: str, viewer: int, *rest: object) -> None:
        """Note that something happened."""
        line = "\t".join((f"{now:.6f}", what, str(viewer), *map(str, rest))) + "\n"
        self._digest.update(line.encode())
        if self._file is not None:
            self._file.write(line)

    def digest(self) -> str:
        """What all the lines so far come down to."""
        return self._digest.hexdigest()
