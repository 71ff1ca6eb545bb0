"""What somebody does first with an installed package: serve a file, ask the doctor, fetch it."""

import os
import re
import subprocess
from pathlib import Path

media = Path("media")
media.mkdir()
film = os.urandom(300_000)
(media / "film.mp4").write_bytes(film)

for command in ("--help", "serve --help", "get --help", "config --show", "add --help"):
    said = subprocess.run(["p2pcdn", *command.split()], check=True, capture_output=True, text=True)
    assert said.stdout, command

serve = ["p2pcdn", "serve", "--listen", "127.0.0.1:0", "--content", str(media), "--data", "data"]
with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
    try:
        assert server.stdout is not None
        url = re.search(r"http://[\d.:]+", server.stdout.readline())
        assert url is not None
        subprocess.run(["p2pcdn", "get", f"{url[0]}/media/film.mp4", "-o", "film.mp4"], check=True)
        assert Path("film.mp4").read_bytes() == film
        doctor = subprocess.run(["p2pcdn", "doctor", url[0]], capture_output=True, text=True)
        assert "the tracker's socket opens" in doctor.stdout.lower()
    finally:
        server.terminate()
assert server.wait() == 0, server.returncode
