"""A file as a lock between processes: whoever dies gives it back."""

from __future__ import annotations

import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def seize(file: IO[str], *, wait: bool) -> None:
    """Have the lock until the file is closed; `OSError` if another process has it, and ``wait`` is
    not said."""
    if sys.platform == "win32":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
