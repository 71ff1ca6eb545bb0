"""The measured servers, each a process of its own on a core of its own, with the same files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.tracker.process import cores, cpu_of, free_port, wait_for

ROOT = Path(__file__).parents[2]

Name = Literal["nginx", "p2pcdn", "aiohttp"]
"""``aiohttp`` is ours without its shortcut: each request opens its own file."""

SEGMENTS = 32
SEGMENT = 2 * 1024 * 1024
"""Four seconds at 4 Mbit/s."""

_NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=1024;
  types {{ video/mp2t ts; }}
  client_body_temp_path {directory}/a;
  proxy_temp_path {directory}/b;
  fastcgi_temp_path {directory}/c;
  uwsgi_temp_path {directory}/d;
  scgi_temp_path {directory}/e;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location /media/ {{ alias {content}/; }}
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    """A server that runs: what it uses is read from the kernel (Linux)."""

    name: Name
    port: int
    process: int

    def cpu(self) -> float:
        """As `cpu_of`."""
        return cpu_of(self.process)

    def memory(self) -> int:
        """Bytes that are resident now, but for files that are mapped."""
        status = Path(f"/proc/{self.process}/status").read_text(encoding="ascii")
        lines = dict(line.split(":", 1) for line in status.splitlines())
        return int(lines["RssAnon"].split()[0]) * 1024


@contextmanager
def files() -> Iterator[Path]:
    """A directory with the segments."""
    with tempfile.TemporaryDirectory() as name:
        for number in range(SEGMENTS):
            Path(name, f"{number}.ts").write_bytes(os.urandom(SEGMENT))
        Path(name).chmod(0o755)  # nginx looks as nobody
        yield Path(name)


@contextmanager
def server(name: Name, content: Path) -> Iterator[Server]:
    """A server of these files on the first core, until the block ends."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        if name == "nginx":
            program = shutil.which("nginx") or "/usr/sbin/nginx"
            configuration = Path(directory, "nginx.conf")
            configuration.write_text(
                _NGINX.format(directory=directory, content=content, port=port), encoding="utf-8"
            )
            command = [program, "-p", directory, "-c", str(configuration)]
        else:
            command = [sys.executable, "-m", "origin"]
        variables = {
            "P2PCDN_LISTEN": f"127.0.0.1:{port}",
            "P2PCDN_CONTENT": str(content),
            "P2PCDN_DATA": directory,
        }
        if name == "aiohttp":
            variables["P2PCDN_ORIGIN_OPEN_FILES"] = "0"
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {cores()[0]}),
        )
        try:
            wait_for(port)
            started = Server(name, port, process.pid)
            _settle(started)
            yield started
        finally:
            process.terminate()
            process.wait()


def _settle(started: Server) -> None:
    """Wait until it does nothing by itself any more: the origin hashes what is new."""
    quiet, before = 0, started.cpu()
    while quiet < 5:
        time.sleep(0.2)
        now = started.cpu()
        quiet = quiet + 1 if now - before < 0.01 else 0
        before = now
