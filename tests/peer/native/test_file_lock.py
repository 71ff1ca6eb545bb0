"""A lock between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from peer.native.file_lock import seize

HOLDER = """
import sys
from pathlib import Path
from peer.native.file_lock import seize
with Path(sys.argv[1]).open("a+") as file:
    seize(file, wait=True)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_has_it_until_it_is_closed_or_dies(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with path.open("a+") as file:
            with pytest.raises(OSError, match=r".+"):
                seize(file, wait=False)
            holder.kill()
            seize(file, wait=True)
    with path.open("a+") as file:
        seize(file, wait=False)
