"""Runs a command on what all others leave of the processor: ``python -m tests.idle COMMAND...``.

Linux shares a processor out to sessions first, and a browser has one of its own: so the command
gets one as well, which is to give way, beside the policy by which it gives way in its own.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
LAST = 19
"""The niceness of whoever gives way to everybody."""


def main() -> None:
    """Become the command."""
    with contextlib.suppress(OSError):  # whoever leads a group of processes has to stay with it
        os.setsid()
        if AUTOGROUP.exists():
            AUTOGROUP.write_text(str(LAST))
    os.nice(LAST)
    with contextlib.suppress(AttributeError, OSError):  # Linux alone has it
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
