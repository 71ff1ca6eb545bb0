"""The trace: lines in a file, and one digest of them all."""

from __future__ import annotations

import io

from p2pcdn.sim.trace import Trace


def test_lines_go_to_the_file_and_into_the_digest() -> None:
    file = io.StringIO()
    written, unwritten = Trace(file), Trace()
    for trace in (written, unwritten):
        trace.note(1.5, "fetch", 3, 7, "0-30")
    assert file.getvalue() == "1.500000\tfetch\t3\t7\t0-30\n"
    assert written.digest() == unwritten.digest()
    unwritten.note(1.6, "ready", 3, 7)
    assert written.digest() != unwritten.digest()
