"""The code blocks of the documentation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCED = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    """Below docs/."""
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"


def fenced(text: str) -> Iterator[tuple[str, str]]:
    """The blocks in the text of a page, each with its language first."""
    for indent, language, block in _FENCED.findall(text):
        yield language, re.sub(f"^{indent}", "", block, flags=re.MULTILINE)


def blocks_of(page: str) -> list[Block]:
    """Those of a page, numbered from 1."""
    found = fenced((DOCS / page).read_text(encoding="utf-8"))
    return [Block(page, number, *each) for number, each in enumerate(found, 1)]


def pages() -> list[str]:
    """The tutorial and the how-tos."""
    return ["tutorial.md", *sorted(f"how-to/{path.name}" for path in (DOCS / "how-to").iterdir())]


def blocks(*languages: str) -> list[Block]:
    """Their blocks in these languages, or all."""
    return [
        block
        for page in pages()
        for block in blocks_of(page)
        if not languages or block.language in languages
    ]


def block(name: str) -> Block:
    """The block with a name such as ``how-to/get.md:1``.

    Who asks for it runs it: `tests/docs/test_blocks.py` looks for such calls to tell which blocks
    nobody runs.
    """
    page, _, number = name.rpartition(":")
    return blocks_of(page)[int(number) - 1]


def script(block: Block) -> str:
    """What a shell is to run: of ``console`` the lines after a ``$``, and those that go on."""
    if block.language != "console":
        return block.text
    lines = block.text.replace("\\\n", " ").splitlines()
    return "\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each command of a shell's block."""
    for line in script(block).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)  # a variable of the command, or of the shell
        if words:
            yield words
