"""No substitution, and nothing that was rolled back, is ever believed."""

from __future__ import annotations

from collections import Counter

from tests.p2pcdn.core.substitutions import FILE, Case, Viewer, cases, written

EVERY = list(cases())


def test_what_is_honest_is_believed() -> None:
    honest = [case for case in EVERY if case.honest]
    assert len(honest) > 40
    assert [case.note for case in honest if not Viewer().believes(case)] == []


def test_nothing_else_is() -> None:
    dishonest = [case for case in EVERY if not case.honest]
    assert len({repr((case.said, case.at)) for case in dishonest}) > 5000
    # Whoever believes nothing stays as he was, and will do for the next as well.
    viewer = Viewer()
    believed: list[Case] = []
    for case in dishonest:
        if viewer.believes(case):
            believed.append(case)
            viewer = Viewer()
    assert [case.note for case in believed] == []
    original = next(case for case in EVERY if case.honest and case.kind == "offer")
    assert viewer.believes(original), "after all that, the origin itself"


def test_there_are_many_of_each_kind() -> None:
    kinds = Counter(case.kind for case in EVERY if not case.honest)
    assert set(kinds) == {"offer", "hashes", "pinned"}
    assert min(kinds.values()) > 50


def test_the_sample_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == written(), (
        "python -m tests.p2pcdn.core.substitutions writes it anew"
    )
