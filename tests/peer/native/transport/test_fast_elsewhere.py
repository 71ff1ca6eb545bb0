"""The tests of the faster transport in a newer Python, where this one is too old for it."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests import fast_python

FILES = (
    "transport/test_choice.py",
    "transport/test_fast.py",
    "transport/test_libdatachannel.py",
    "transport/test_strangers.py",
    "transport/test_transports.py",
    "test_relayed.py::test_what_a_relay_carries_saves_nothing",
)


@pytest.mark.timeout(180)
async def test_they_pass_there() -> None:
    python = fast_python.find()
    if python is None:
        pytest.skip(fast_python.WHY_NOT)
    if python == sys.executable:
        pytest.skip("this Python runs them itself")
    folder = "tests/peer/native"
    words = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not aiortc]"]
    process = await asyncio.create_subprocess_exec(
        *words,
        *(f"{folder}/{name}" for name in FILES),
        cwd=fast_python.ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode(errors="replace")
    assert process.returncode == 0, output
    assert "aiolibdatachannel is not installed" not in output
