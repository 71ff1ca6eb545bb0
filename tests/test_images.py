"""The image and the compose file: valid, and with the least rights."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_compose_file_is_valid() -> None:
    words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    ran = subprocess.run(
        [sys.executable, *words, "docker-compose.yml"], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_image_runs_as_nobody_in_particular_and_says_how_it_is() -> None:
    last = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert '["p2pcdn", "healthcheck"]' in last


def test_the_demo_has_the_least_rights() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for line in (
        "read_only: true",
        "cap_drop:\n      - ALL",
        "no-new-privileges:true",
        "init: true",
    ):
        assert line in text


def test_what_the_image_is_made_from_is_not_ignored() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    taken = {line[1:] for line in ignore if line.startswith("!")}
    image = (ROOT / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", image, re.MULTILINE)
    assert {path.split("/")[0] for words in copied for path in words.split()} == taken
