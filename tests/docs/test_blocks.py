"""What the tutorial and the how-tos tell people to type and to write is right.

Commands are read as the command line reads them, and configurations as the servers do; scripts
are compiled; what a tag may say is what the snippet reads. And each block is run by a test, or
stands in `NOT_RUN`.
"""

from __future__ import annotations

import ast
import itertools
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from p2pcdn import settings
from p2pcdn.cli import app
from tests.docs.blocks import ROOT, Block, blocks, commands

OPTIONS = (ROOT / "peer/browser/src/options.ts").read_text(encoding="utf-8")
GLOBAL = (ROOT / "peer/browser/src/global.ts").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMPOSE = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def named(found: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", found, ids=str)


# Commands


def p2pcdn(words: list[str], tmp_path: Path) -> None:
    """There is such a command with such options, and its settings are taken."""
    command: click.Command = app
    context = click.Context(app, info_name="p2pcdn")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words.pop(0))
        assert inner is not None, f"{context.command_path} has no such command"
        command, context = inner, click.Context(inner, parent=context, info_name=inner.name)
    try:
        made = command.make_context("p2pcdn", [*words])
    except click.BadParameter as error:
        if "does not exist" in error.message:  # a file of the reader's
            return
        raise
    texts = settings.parse_assignments(made.params.get("assignments", ()))
    of_a_tracker = {"store": "tracker.store", "public_url": "tracker.url"}
    flags = of_a_tracker if "public_url" in made.params else {}
    for key in ("content", "listen", "site", "workers", *flags):
        if made.params.get(key) is not None:
            texts[flags.get(key, key)] = str(made.params[key])
    settings.load(flags=texts)


def make(words: list[str], _: Path) -> None:
    """The target is there."""
    for word in words:
        target, equals, _value = word.partition("=")
        assert equals or re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), word


def pip(words: list[str], _: Path) -> None:
    """The extras are there."""
    assert words[0] == "install"
    for extras in re.findall(r"(?:p2pcdn|\.)\[([a-z,]+)\]", " ".join(words)):
        assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def docker(words: list[str], _: Path) -> None:
    """Profiles and services are there."""
    if words[0] != "compose":
        return
    profiles = {p for service in COMPOSE["services"].values() for p in service.get("profiles", ())}
    for flag, value in itertools.pairwise(words):
        assert flag != "--profile" or value in profiles, value
    verb = next(word for word in words[1:] if word in ("up", "down", "logs", "exec", "run", "ps"))
    rest = [word for word in words[words.index(verb) + 1 :] if not word.startswith("-")]
    known = COMPOSE["services"]
    if verb in ("up", "logs", "exec", "run") and rest and rest[0] != "|":
        assert rest[0] in known, f"no service {rest[0]}"


def elsewhere(_: list[str], __: Path) -> None:
    """Somebody else's program, with nothing of ours to look at."""


PROGRAMS: dict[str, Callable[[list[str], Path], None]] = {
    "p2pcdn": p2pcdn,
    "make": make,
    "pip": pip,
    "docker": docker,
    # Others' programs, which `RUN_BY` have run.
    **dict.fromkeys(("ffmpeg", "vlc", "mpv", "zip", "curl", "export", "python3"), elsewhere),
    **dict.fromkeys(
        ("sudo", "systemctl", "nginx", "openssl", "apt-get", "git", "cd", "mkdir", "install"),
        elsewhere,
    ),
}


@named(blocks("sh", "console"))
def test_commands_are_there(block: Block, tmp_path: Path) -> None:
    found = list(commands(block))
    assert found
    for name, *words in found:
        PROGRAMS[Path(name).name](words, tmp_path)


# Files


@named(blocks("toml"))
def test_settings_are_taken(block: Block, tmp_path: Path) -> None:
    for path in ("shows.zip", "videos"):
        (tmp_path / path).mkdir(exist_ok=True)
    file = tmp_path / "p2pcdn.toml"
    file.write_text(block.text, encoding="utf-8")
    settings.load(file=file)


@named(blocks("json"))
def test_json_is_json(block: Block) -> None:
    for text in [block.text] if block.text.lstrip()[0] in "{[" else block.text.splitlines():
        json.loads(text)


@named(blocks("yaml"))
def test_yaml_is_yaml(block: Block) -> None:
    assert YAML(typ="safe").load(block.text)


@named(blocks("python"))
def test_python_is_python(block: Block) -> None:
    ast.parse(block.text)


# Pages


class Page(HTMLParser):
    """The scripts of a page: the attributes of those of ours, and the texts of all."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: list[str] = []
        self.texts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script"
        if tag == "script" and "/p2pcdn." in (dict(attrs).get("src") or ""):
            self.attributes += [name for name, _ in attrs if name.startswith("data-")]

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside and data.strip():
            self.texts.append(data)


@named(blocks("html"))
def test_pages_say_what_the_snippet_reads(block: Block, tmp_path: Path) -> None:
    page = Page()
    page.feed(block.text)
    for attribute in page.attributes:
        first, *others = attribute.removeprefix("data-").split("-")
        name = first + "".join(map(str.capitalize, others))
        assert re.search(rf"\b{name}\b[^\n]*}} = script\.dataset", OPTIONS), attribute
    for text in page.texts:
        compiles(text, tmp_path / "page.js")


@named(blocks("js", "javascript"))
def test_scripts_compile(block: Block, tmp_path: Path) -> None:
    compiles(block.text, tmp_path / "script.mjs")


def compiles(text: str, path: Path) -> None:
    """It is JavaScript, and calls nothing of the global that is not there."""
    path.write_text(text, encoding="utf-8")
    node = shutil.which("node")
    assert node is not None, "the tests need node"
    done = subprocess.run([node, "--check", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in re.findall(r"\bp2pcdn\.(\w+)", text):
        assert re.search(rf"^ {{4}}{name}\b", GLOBAL, re.MULTILINE) or name == "q", name


# All of them


RUN_BY = (
    "tests/docs/conftest.py",
    "tests/docs/test_run.py",
    "tests/docs/test_serve.py",
    "tests/e2e/test_how_to_pages.py",
    "tests/e2e/test_tutorial.py",
    "tests/compose/test_how_to.py",
    "tests/compose/test_stack.py",
    "tests/test_how_to.py",
    "tests/tracker/storage/test_clickhouse.py",
)
"""Who runs blocks, asked for by name: ``block("how-to/get.md:1")``."""

NOT_RUN = {
    "how-to/clickhouse.md:2": "The ClickHouse of the tests has no users.",
    "how-to/grafana.md:1": "Grafana's image is not to be had everywhere; tests/test_grafana.py "
    "reads what it is given.",
    "how-to/isps.md:1": "MaxMind gives its databases to account holders; "
    "tests/tracker/test_networks.py makes one of their format.",
}
"""Blocks that are only read, and why."""


def test_each_block_is_run() -> None:
    asked = [
        name
        for place in RUN_BY
        for name in re.findall(
            r"\bblock\(\s*\"(\S+?)\"\s*\)", (ROOT / place).read_text(encoding="utf-8")
        )
    ]
    names = {str(block) for block in blocks()}
    assert set(asked) | set(NOT_RUN) == names
    assert not set(asked) & set(NOT_RUN)
