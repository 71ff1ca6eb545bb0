"""The dashboard's page; that its files are served is the tracker's business."""

from __future__ import annotations

from tests import static_pages
from tracker.dashboard_files import FOLDER


def test_the_page_is_sound() -> None:
    static_pages.assert_sound(FOLDER / "index.html")


def test_its_scripts_are_typed() -> None:
    static_pages.assert_typed(FOLDER)


def test_the_page_asks_for_a_strict_policy_itself() -> None:
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    policy = text.partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in policy
