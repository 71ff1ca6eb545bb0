"""What the processes of a scene are, and what they took."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.browsers.processes import kind_of, since, spent
from bench.browsers.servers import ROOT

NICER = """
import os, pathlib, subprocess
from bench.browsers.processes import share_niceness
os.setsid()
pathlib.Path("/proc/self/autogroup").write_text("7")
inner = subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True)
share_niceness()
print(pathlib.Path(f"/proc/{inner.pid}/autogroup").read_text())
inner.communicate()
"""

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux alone has it")


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (["/usr/lib/chromium/chromium", "--headless"], "browser"),
        (["/usr/lib/chromium/chromium --type=renderer --no-sandbox", ""], "pages"),
        (["/usr/lib/chromium/chromium", "--type=utility", "--headless"], "browser"),
        (["/usr/bin/python3", "-m", "p2pcdn", "serve", "--listen", "127.0.0.1:1"], "server"),
        (["/usr/bin/python3", "-m", "bench.browsers"], "bench"),
        (["node", "tracker.mjs"], "bench"),
        ([], "bench"),
    ],
)
def test_a_process_is_known_by_its_command(command: list[str], kind: str) -> None:
    assert kind_of(command) == kind


@linux
def test_what_a_child_takes_counts_and_what_was_taken_before_does_not() -> None:
    before = spent()
    code = "import os\nwhile sum(os.times()[:2]) < 0.3: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        taken = since(before)["bench"]
        child.communicate(b"\n")
    assert taken >= 0.25
    assert set(before) == {"bench"}


@linux
@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="no autogroups here")
def test_a_child_in_a_session_of_its_own_is_as_nice_as_we_are() -> None:
    """Tried from a session that is nicer than usual, as a child of which a child has its own."""
    told = subprocess.run(
        [sys.executable, "-c", NICER], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.split()[-1] == "7"
