"""The containers of docker-compose.yml, under a project name and ports of their own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.servers import free_port

ROOT = Path(__file__).parents[2]
PROJECT = "p2pcdn-test"
PORTS = {
    "demo": "DEMO_PORT",
    "site": "SITE_PORT",
    "tracker-a": "TRACKER_A_PORT",
    "tracker-b": "TRACKER_B_PORT",
    "site-of-two": "SITE_OF_TWO_PORT",
    "coturn": "TURN_PORT",
}

CRASH = "import os; os.kill(-1, 9)"
"""Ends, from inside a container, all but its init, which then ends as well: what is started again
is for its restart policy to say."""


def docker(*words: str, seconds: float = 120, environment: Mapping[str, str] | None = None) -> str:
    """What a docker command prints; a failure with all it said if it fails."""
    ran = subprocess.run(
        ["docker", *words],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert ran.returncode == 0, f"docker {' '.join(words)}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


class Stack:
    """What runs."""

    def __init__(self) -> None:
        self.environment = {variable: str(free_port()) for variable in PORTS.values()}
        self.options: tuple[str, ...] = ()
        """Of `docker compose` itself: profiles, files of variables."""

    def compose(self, *words: str, seconds: float = 120) -> str:
        """Run `docker compose`."""
        given = ("compose", "--project-name", PROJECT, *self.options, *words)
        return docker(*given, seconds=seconds, environment=self.environment)

    def up(self, *options: str) -> float:
        """Bring it up, until all is healthy; the seconds that took."""
        self.options = options
        before = time.monotonic()
        self.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "150", seconds=200)
        return time.monotonic() - before

    def down(self) -> None:
        """Take all of it down, whatever profile it is of, with its volumes."""
        self.options = ("--profile", "*")
        self.compose("down", "--volumes", "--timeout", "3")

    def url(self, service: str) -> str:
        """Where a service is reached from here."""
        return f"http://localhost:{self.environment[PORTS[service]]}"

    def run(self, service: str, code: str) -> str:
        """What Python prints in a service's container."""
        return self.compose("exec", "--no-TTY", service, "python", "-c", code)

    def crash(self, service: str) -> None:
        """End what runs in a container, as the kernel would that is out of memory."""
        given = ("compose", "--project-name", PROJECT, *self.options)
        subprocess.run(
            ["docker", *given, "exec", "--no-TTY", service, "python", "-c", CRASH],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            check=False,
            timeout=60,
        )

    def state(self, service: str) -> dict[str, Any]:
        """What the engine says of a service's container."""
        (container,) = self.compose("ps", "--all", "--quiet", service).split()
        (found,) = json.loads(docker("inspect", container))
        assert isinstance(found, dict)
        return found

    def is_well(self, service: str) -> bool:
        """Whether it runs, and answers if it can be asked."""
        state = self.state(service)["State"]
        return bool(state["Running"]) and state.get("Health", {}).get("Status") in (None, "healthy")
