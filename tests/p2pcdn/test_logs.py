"""Logs: JSON for machines, words for people, one shape for our lines and the libraries'."""

from __future__ import annotations

import io
import json
import logging

import structlog

from p2pcdn import logs


class Terminal(io.StringIO):
    """A stream with a person behind it."""

    def isatty(self) -> bool:
        return True


def test_our_lines_and_the_libraries_are_json() -> None:
    out = io.StringIO()
    logs.configure("info", out)
    structlog.get_logger("p2pcdn.test").info("linked", links=3)
    logging.getLogger("aiohttp.server").warning("odd: %s", "thing")
    ours, theirs = (json.loads(line) for line in out.getvalue().splitlines())
    assert (ours["event"], ours["links"], ours["level"], ours["logger"]) == (
        "linked", 3, "info", "p2pcdn.test",
    )  # fmt: skip
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"]) == ("odd: thing", "warning")


def test_an_exception_is_one_line() -> None:
    out = io.StringIO()
    logs.configure("info", out)
    try:
        raise ValueError("x")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = out.getvalue().splitlines()
    assert "ValueError: x" in json.loads(line)["exception"]


def test_a_person_gets_words() -> None:
    out = Terminal()
    logs.configure("info", out)
    structlog.get_logger().info("linked", links=3)
    assert "linked" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_the_level_counts_and_chatty_libraries_have_their_own() -> None:
    out = io.StringIO()
    logs.configure("info", out)
    structlog.get_logger().debug("detail")
    logging.getLogger("aioice.ice").info("Check with 192.0.2.1 succeeded")
    assert out.getvalue() == ""
    logs.configure("error", out)
    logging.getLogger("aioice.ice").warning("something")
    assert out.getvalue() == ""
