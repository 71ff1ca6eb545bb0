"""The benchmark of native peers' links measures what it says it does."""

from __future__ import annotations

import sys

import pytest

from bench.native import __main__ as program
from bench.native.__main__ import Case, Figures, _row, measure
from bench.native.process import Kind


@pytest.mark.parametrize("kind", ["bare", "ours"])
async def test_bytes_go_from_one_process_to_another(
    monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setattr(program, "WARM_UP", 0.1)
    case = Case("aiortc", "native", 2)
    figures = await measure(case, kind, 2.0, sys.executable, None)
    assert figures.rate > 0
    assert figures.cost > 0


def test_a_row_has_the_medians_and_the_ratios_of_the_rounds() -> None:
    bare = [Figures(10e6, 20e-9), Figures(20e6, 30e-9), Figures(12e6, 10e-9)]
    ours = [Figures(9e6, 20e-9), Figures(22e6, 33e-9), Figures(6e6, 20e-9)]
    assert _row(Case("fast", "to", 4), bare, ours) == (
        "| fast | native | Chromium | 4 | 12.0 | 9.0 | 0.90 | 20 | 20 | 1.10 |"
    )
