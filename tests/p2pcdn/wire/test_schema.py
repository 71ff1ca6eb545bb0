"""The generated files are fresh, and the generator notices when they are not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from p2pcdn.errors import SourceReason
from p2pcdn.wire import schema


def test_generated_files_are_fresh() -> None:
    assert schema.stale() == [], "run python -m p2pcdn.wire.schema"


def test_a_missing_or_changed_file_is_stale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "REPOSITORY", tmp_path)
    assert schema.main(["--check"]) == 1
    assert "docs/schema/link.json" in capsys.readouterr().err
    assert schema.main([]) == 0
    assert schema.main(["--check"]) == 0
    link = tmp_path / "docs" / "schema" / "link.json"
    link.write_text(link.read_text().replace("512", "513"))
    assert schema.stale() == [link]


def test_an_unknown_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("name", schema.UNIONS)
def test_every_message_is_in_its_schema(name: str) -> None:
    path = schema.REPOSITORY / "docs" / "schema" / f"{schema.FILES[name]}.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    structs = get_args(schema.UNIONS[name])
    if not structs:  # there is but one, which is all there is
        assert written["properties"]["type"]["enum"] == [name.lower()]
        return
    assert set(written["discriminator"]["mapping"]) == {s.__struct_config__.tag for s in structs}
    for struct in structs:
        assert written["$defs"][struct.__name__]["description"].startswith(
            struct.__doc__.splitlines()[0]
        )


def test_the_browser_knows_the_same_reasons() -> None:
    """They never go over the wire, so they are written by hand in both languages."""
    path = schema.REPOSITORY / "peer" / "browser" / "src" / "errors.ts"
    union = re.search(r"type SourceReason =([^;]*);", path.read_text(encoding="utf-8"))
    assert union is not None
    assert re.findall(r'"(\w+)"', union[1]) == [reason.value for reason in SourceReason]
