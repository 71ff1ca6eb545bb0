"""Reads tests/vectors/wire, the cases that every implementation of the wire has to pass."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parents[2] / "vectors" / "wire"

_REPEAT = re.compile("«(.+?)\\*([0-9]+)»", re.DOTALL)

Case = dict[str, Any]


def expand(text: str) -> str:
    """Write ``«ab*3»`` out as ``ababab``."""
    return _REPEAT.sub(lambda found: found[1] * int(found[2]), text)


def cases(name: str, group: str) -> list[Case]:
    """A group of cases of one file."""
    found: list[Case] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))[group]
    return found


def text_of(case: Case) -> str:
    """What comes over the wire in this case."""
    return expand(case["text"] if "text" in case else _written(case["json"]))


def value_of(case: Case) -> Any:
    """What has to come out of the decoder, as plain JSON values with every default filled in."""
    value = case.get("value", case.get("json"))
    return json.loads(expand(value if isinstance(value, str) else _written(value)))


def note_of(case: Case) -> str:
    """A test's name, so that a failure says what it is about."""
    return str(case["note"])


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
