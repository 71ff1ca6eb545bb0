"""Where a STUN server is, by the URL that a tracker gives."""

from __future__ import annotations

import pytest

from p2pcdn.wire.stun import stun_server


@pytest.mark.parametrize(
    ("stun", "server"),
    [
        (None, None),
        ("stun::8080", ("192.0.2.1", 8080)),
        ("stun:stun.example:3478", ("stun.example", 3478)),
        ("stun:[fd00::1]:3478", ("fd00::1", 3478)),
        ("stun:stun.example", None),
        ("stun::0", None),
        ("stun::99999", None),
        ("turn:stun.example:3478", None),
        ("", None),
    ],
)
def test_where_stun_is_answered(stun: str | None, server: tuple[str, int] | None) -> None:
    assert stun_server(stun, "192.0.2.1") == server


def test_a_stun_server_at_a_place_unknown_is_none() -> None:
    assert stun_server("stun::8080", None) is None


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("stun::8080", ("cdn.example", 8080)),
        ("stun:stun.example", ("stun.example", 3478)),
        ("stun:[2001:db8::1]:99", ("2001:db8::1", 99)),
        ("turn:a", None),
        (None, None),
    ],
)
def test_the_usual_port_counts_where_one_is_given(
    url: str | None, server: tuple[str, int] | None
) -> None:
    assert stun_server(url, "cdn.example", 3478) == server
