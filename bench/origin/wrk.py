"""Load by wrk, whose every connection asks for one thing after the other."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from typing import NamedTuple

from bench.origin.servers import SEGMENT, SEGMENTS, Server
from bench.tracker.process import cores

_SCRIPT = """
local size = {size}
local segments = {segments}
local per = math.floor({segment} / size)
local number = 0
request = function()
  number = number + 1
  local path = "/media/" .. (number % segments) .. ".ts"
  if size == {segment} then return wrk.format("GET", path) end
  local first = (number * 7919 % per) * size
  return wrk.format("GET", path, {{ Range = "bytes=" .. first .. "-" .. (first + size - 1) }})
end
done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local p99 = latency:percentile(99)
  io.write(string.format("RESULT %d %d %d %.1f", summary.requests, summary.duration, failed, p99))
end
"""


class Load(NamedTuple):
    """What is asked for, and by how many at once."""

    title: str
    size: int
    """Bytes an answer."""
    connections: int


class Result(NamedTuple):
    """What came of it."""

    requests: float
    """A second."""
    rate: float
    """Bytes of bodies a second."""
    busy: float
    """The share of its core that the server took."""
    p99: float
    """Milliseconds."""
    memory: int
    """Bytes of the server while all were connected."""

    @property
    def micros(self) -> float:
        """CPU time of the server for an answer."""
        return 1e6 * self.busy / self.requests


def measure(server: Server, load: Load, seconds: int) -> Result:
    """Load a server from the second core; `RuntimeError` if any answer was not as it should be."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("This needs wrk (Debian: apt-get install wrk).")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.format(size=load.size, segments=SEGMENTS, segment=SEGMENT))
        script.flush()
        command = [wrk, "-t1", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "30s"]
        command += ["-s", script.name, f"http://127.0.0.1:{server.port}"]
        began, used = time.monotonic(), server.cpu()
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {cores()[1]}),
        )
        time.sleep(0.7 * seconds)
        memory = server.memory()
        output, _ = process.communicate()
        took, used = time.monotonic() - began, server.cpu() - used
    requests, micros, failed, p99 = output.rpartition("RESULT")[2].split()
    if process.returncode or int(failed):
        raise RuntimeError(f"{server.name}, {load.title}: {failed} answers failed.\n{output}")
    each = int(requests) / (int(micros) / 1e6)
    return Result(each, each * load.size, used / took, float(p99) / 1000, memory)
