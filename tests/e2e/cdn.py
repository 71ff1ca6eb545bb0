"""A CDN that is no business of ours: nginx, which lets in whoever has a token in the query."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.servers import free_port

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NEEDED = pytest.mark.skipif(
    NGINX is None, reason="no nginx here: `apt-get install nginx-light` brings what this needs"
)

_CONFIGURATION = """
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
  log_format short '$arg_token $status $body_bytes_sent $uri';
  access_log {folder}/access.log short;
  map $arg_token $let_in {{ default 0; "~^[a-z]+-[0-9]+$" 1; }}
  server {{
    listen 127.0.0.1:{port};
    location /media/ {{
      if ($let_in = 0) {{ return 403; }}
      alias {content}/;
      add_header Access-Control-Allow-Origin *;
      sub_filter_types application/vnd.apple.mpegurl;
      sub_filter_once off;
      sub_filter '.m3u8' '.m3u8?token=$arg_token';
      sub_filter '.ts' '.ts?token=$arg_token';
    }}
  }}
}}
"""


@dataclass
class Cdn:
    """It, running."""

    url: str
    """Of the folder of the media; it ends with a slash."""
    log: Path

    def sent(self) -> Counter[str]:
        """Bytes of segments, by token."""
        sent: Counter[str] = Counter()
        for line in self.log.read_text().splitlines():
            token, status, size, path = line.split(" ", 3)
            if status in ("200", "206") and path.endswith(".ts"):
                sent[token] += int(size)
        return sent

    def statuses(self) -> Counter[str]:
        """How often it answered what."""
        return Counter(line.split(" ")[1] for line in self.log.read_text().splitlines())


@contextlib.asynccontextmanager
async def cdn(content: Path, folder: Path) -> AsyncIterator[Cdn]:
    """Serve a directory to whoever has a token such as ``viewer-1``; playlists pass it on."""
    assert NGINX is not None
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, content=content, port=port))
    log = folder / "access.log"
    process = await asyncio.create_subprocess_exec(
        *(NGINX, "-c", str(configuration), "-e", str(folder / "error.log"), "-p", str(folder))
    )
    try:
        async with asyncio.timeout(20):
            while True:
                assert process.returncode is None, (folder / "error.log").read_text()
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield Cdn(f"http://127.0.0.1:{port}/media/", log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
