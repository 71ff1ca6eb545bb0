"""The stage: images that are built, containers that run, and a browser outside of them.

It takes a Docker engine with Compose: `make test-compose` says so if there is none. Elsewhere these
tests are left out without one, but on a CI machine, which has to have it.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

import p2pcdn
from tests.compose.stack import Stack, docker
from tests.e2e.browser import FLAGS, UNTHROTTLED, find_chromium

HERE = Path(__file__).parent
FIGURES = HERE.parents[1] / ".p2pcdn" / "compose.json"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def engine() -> None:
    """An engine that answers."""
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if asked.returncode == 0:
        asked = subprocess.run(["docker", "info"], capture_output=True, check=False)
    if asked.returncode != 0:
        sentence = "no Docker engine with Compose answers here (`docker info`)"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)


@pytest.fixture(scope="session")
def figures() -> Iterator[dict[str, object]]:
    """What is measured on the way; it is kept for who wants to read it."""
    found: dict[str, object] = {}
    yield found
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


@pytest.fixture(scope="session")
def images(engine: None, figures: dict[str, object]) -> dict[str, str]:
    """Both images, built from this tree."""
    tags = {"serve": "p2pcdn:serve", "full": "p2pcdn"}
    for target, tag in tags.items():
        before = time.monotonic()
        version = ("--build-arg", f"VERSION={p2pcdn.__version__}")
        docker("build", "--quiet", "--target", target, "--tag", tag, *version, ".", seconds=600)
        figures[f"{target}: seconds to build"] = round(time.monotonic() - before, 1)
        size = int(docker("image", "inspect", "--format", "{{.Size}}", tag))
        figures[f"{target}: MB"] = round(size / 1e6, 1)
    base = "python:3.11-slim"
    labels = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", base))
    figures["base: MB"] = round(
        int(docker("image", "inspect", "--format", "{{.Size}}", base)) / 1e6, 1
    )
    figures["base is a stand-in"] = "p2pcdn.stand-in" in (labels or {})
    return tags


@pytest.fixture(scope="session")
def stack(images: dict[str, str], figures: dict[str, object]) -> Iterator[Stack]:
    """The demo, up and healthy."""
    running = Stack()
    try:
        figures["demo: seconds until all is healthy, the film made"] = round(running.up(), 1)
        yield running
    except AssertionError:
        print(running.compose("logs", "--no-color", "--tail", "50"))
        raise
    finally:
        running.down()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=find_chromium(), args=[*FLAGS, *UNTHROTTLED]
        )
        yield chromium
        await chromium.close()
