"""A number for all that a manifest says of bytes."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from origin.catalog.hash_store import HashStore
from origin.preparing.fingerprint import fingerprint
from origin.preparing.plan import Options
from origin.preparing.prepare import Wish, prepare
from origin.sources.directory import Directory
from p2pcdn.config import Config
from tests.origin.preparing.films import segment


def of(content: Path, data: Path, path: str = "x/index.m3u8", site: str = "pk_demo") -> str:
    config = Config(content=content, data=data, site=site)
    return asyncio.run(fingerprint(Directory(content), config, path))


def test_it_is_of_the_bytes_and_of_nothing_else(plain: Path, content: Path, tmp_path: Path) -> None:
    with plain.open("rb") as file:
        prepare(Wish.of(file, "a", 0, Options()), content, "x", lambda _: None, print)
    first = of(content, tmp_path / "data")
    assert len(bytes.fromhex(first)) == 32
    copy = tmp_path / "copy"
    shutil.copytree(content, copy)  # other inodes
    os.utime(segment(copy / "x", 0), (1, 1))
    assert of(copy, tmp_path / "other data") == first
    assert of(copy, tmp_path / "other data", "x/36p.m3u8") == first
    assert of(copy, tmp_path / "other data", site="pk_other") != first
    last = segment(copy / "x", 2)
    data = bytearray(last.read_bytes())
    data[-1] ^= 1
    last.write_bytes(data)
    assert of(copy, tmp_path / "other data") != first


def test_an_origin_finds_the_hashes(plain: Path, content: Path, tmp_path: Path) -> None:
    with plain.open("rb") as file:
        prepare(Wish.of(file, "a", 0, Options()), content, "x", lambda _: None, print)
    of(content, tmp_path / "data")
    store = HashStore(tmp_path / "data")
    assert [kept.path for kept in store.kept()] == [
        f"x/{segment(content / 'x', n).name}" for n in range(3)
    ]
    store.close()
