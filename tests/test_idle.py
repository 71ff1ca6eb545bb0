"""What runs idly gives way to everybody, and is in nobody's session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, pathlib
group = pathlib.Path("/proc/self/autogroup")
print(os.sched_getscheduler(0) == os.SCHED_IDLE, os.getsid(0) == os.getpid(),
      group.read_text().split()[-1] if group.exists() else "19")
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="not Linux")
def test_it_gives_way_to_everybody() -> None:
    words = ("-m", "tests.idle", sys.executable, "-c", PROGRAM)
    ran = subprocess.run(
        [sys.executable, *words], cwd=Path(__file__).parents[1], capture_output=True, text=True
    )
    assert ran.stdout.split() == ["True", "True", "19"], ran.stderr
