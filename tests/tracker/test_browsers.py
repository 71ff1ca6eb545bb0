"""Families of browsers, as they call themselves."""

from __future__ import annotations

import pytest

from tracker.browsers import access_of, family_of

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("said", "family"),
    [
        (f"{CHROME} Chrome/126.0.0.0 Safari/537.36", "Chromium"),
        (f"{CHROME} HeadlessChrome/126.0.0.0 Safari/537.36", "Chromium"),
        (f"{CHROME} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", "Chromium"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like "
            "Gecko) Version/17.5 Safari/605.1.15",
            "Safari",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
            "like Gecko) CriOS/126.0 Mobile/15E148 Safari/604.1",
            "Safari",
        ),
        ("curl/8.8.0", "other"),
        ("<script>alert(1)</script>", "other"),
        ("", "other"),
        (None, "other"),
    ],
)
def test_families(said: str | None, family: str) -> None:
    assert family_of(said) == family


@pytest.mark.parametrize(
    ("said", "access"),
    [
        ("wifi", "wifi"),
        ("ethernet", "ethernet"),
        ("cellular", "cellular"),
        ("mixed", "other"),
        ("<script>alert(1)</script>", "other"),
        ("none", "unknown"),
        ("unknown", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_what_it_is_connected_by(said: str | None, access: str) -> None:
    assert access_of(said) == access
