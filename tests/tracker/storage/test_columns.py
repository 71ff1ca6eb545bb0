"""The columns are the fields, each in its place."""

from __future__ import annotations

from msgspec.structs import asdict

from p2pcdn.core.amounts import MOST_BYTES, Amounts
from p2pcdn.core.rollup import Figures
from tracker.storage.columns import AMOUNT_COLUMNS, FIGURE_COLUMNS, amounts_of, figures_of, values


def test_every_figure_has_a_column_and_comes_back_from_it() -> None:
    amounts = Amounts(*range(10, 10 + len(AMOUNT_COLUMNS)))
    figures = Figures(amounts, 1.5, 2.5, 3)
    told = dict(zip((column.name for column in FIGURE_COLUMNS), values(figures), strict=True))
    assert told == {"seconds": 1.5, "viewer_seconds": 2.5, "viewers_max": 3, **asdict(amounts)}
    assert {**asdict(figures), **asdict(amounts)}.keys() - {"amounts"} == told.keys()
    assert figures_of(values(figures)) == figures


def test_sums_beyond_what_can_be_shown_are_bounded() -> None:
    (name, *_) = (column.name for column in AMOUNT_COLUMNS)
    assert getattr(amounts_of([2.0**60] * len(AMOUNT_COLUMNS)), name) == MOST_BYTES
    assert getattr(amounts_of([-(2.0**60)] * len(AMOUNT_COLUMNS)), name) == -MOST_BYTES
