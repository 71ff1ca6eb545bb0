"""Links of what is read outside the documentation's site lead somewhere; `make docs` looks at those
within it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, ROOT

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("deploy/**/*.md")),
    *sorted(ROOT.glob("examples/**/*.md")),
]
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The headings of a page, as they are linked to."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for found in _LINK.findall(text):
        link = next(filter(None, found))
        if re.match(r"[a-z]+:", link):
            assert link.startswith(("https://", "mailto:")), link
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_each_example_is_named_and_opened_by_a_test() -> None:
    names = {path.name for path in ROOT.glob("examples/*.html")}
    assert names
    for place in ("examples/README.md", "tests/e2e/test_examples.py"):
        text = (ROOT / place).read_text(encoding="utf-8")
        assert names <= {name for name in names if name in text}, place


def test_the_readme_leads_to_every_part() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in ("tutorial.md", "architecture.md", "protocol.md", "benchmarks.md"):
        assert (DOCS / page).is_file()
        assert f"docs/{page}" in text, page
