"""What a row of figures has, for every storage: a column for each, and how rows add up to one.

`Figures` and `Amounts` are what there is; whoever adds a field to either has it in all storages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import astuple

from p2pcdn.core.amounts import AMOUNTS, Amounts, bounded
from p2pcdn.core.rollup import Figures


class Column(NamedTuple):
    """A figure as a table has it."""

    name: str
    whole: bool = True
    """A whole number."""
    most: bool = False
    """Rows together have the largest, not the sum."""


AMOUNT_COLUMNS = tuple(Column(name) for name in AMOUNTS)
"""Of `Amounts`, in its order."""

FIGURE_COLUMNS = (
    Column("seconds", whole=False),
    Column("viewer_seconds", whole=False),
    Column("viewers_max", most=True),
    *AMOUNT_COLUMNS,
)
"""Of `Figures`, in the order of `values`."""


def values(figures: Figures) -> tuple[float, ...]:
    """What stands in the columns of figures."""
    return (
        figures.seconds,
        figures.viewer_seconds,
        figures.viewers_max,
        *astuple(figures.amounts),
    )


def figures_of(values: Sequence[float]) -> Figures:
    """The figures of these columns."""
    seconds, viewer_seconds, viewers_max, *amounts = values
    return Figures(amounts_of(amounts), seconds, viewer_seconds, int(viewers_max))


def amounts_of(totals: Sequence[float]) -> Amounts:
    """The amounts of these columns; sums of liars' figures may be beyond what can be shown."""
    return Amounts(*(bounded(int(total)) for total in totals))
