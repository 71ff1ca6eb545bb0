"""A real nginx on loopback, where it is installed."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


def find() -> str | None:
    """Where it is now, which others' PATH need not say."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


PROGRAM = find()

NEEDED = pytest.mark.skipif(
    PROGRAM is None,
    reason="no nginx here: `apt-get install nginx-light` brings the proxy that this needs",
)

AROUND = """
daemon off;
user root;  # what it serves lies in folders that nobody else may read
pid {folder}/nginx.pid;
error_log stderr notice;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{servers}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, servers: str, port: int) -> Iterator[str]:
    """Run nginx with these servers, of which one listens on this port; what `nginx -t` said."""
    assert PROGRAM is not None
    file = folder / "nginx.conf"
    file.write_text(AROUND.format(folder=folder, servers=servers), encoding="utf-8")
    words = [PROGRAM, "-p", str(folder), "-c", str(file)]
    tested = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(400):
                assert process.poll() is None, "it ended"
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.05)
            yield tested.stderr
        finally:
            process.terminate()
