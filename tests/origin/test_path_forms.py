"""Two thousand forms of paths over raw sockets: no byte from outside of what is served.

The content is a directory, a zip archive, and both as mounts of one server.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from p2pcdn.config import Config, MountConfig
from tests.origin import path_forms
from tests.origin.background import Background
from tests.origin.media_files import write
from tests.origin.raw import Answer, Wire, request

SECRET = b"nobody may read this"
PUBLIC = b"anybody may read this"

TOGETHER = 25
"""Requests that are sent at once."""


class Place:
    """A folder with content, and secrets all around it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.content = root / "content"
        for name in ("secret", "data/secret"):
            write(root / name, SECRET)
        for name in ("open.ts", "show/open.ts", "a/b/open.ts"):
            write(self.content / name, PUBLIC)
        self.archive = Path(shutil.make_archive(str(root / "site"), "zip", self.content))
        for name in (".hidden/secret", ".git/config", "show/.hidden/secret", "..."):
            write(self.content / name, SECRET)
        for link, place in (
            ("link", "../secret"),
            ("link.ts", str(root / "secret")),
            ("folder", ".."),
            ("show/up", "../.."),
            ("loop", "."),
        ):
            (self.content / link).symlink_to(place)

    @property
    def secret(self) -> str:
        return str(self.root / "secret").lstrip("/")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("forms"))


MOUNTS = ("shows/dir", "zip")


@contextmanager
def serving(place: Place, kind: str) -> Iterator[int]:
    """The port of a server of the content as a directory, an archive, or mounts."""
    mounts = (place.content, place.archive) if kind == "mounts" else ()
    config = Config(
        content=place.archive if kind == "archive" else place.content,
        data=place.root / f"data-{kind}",
        mount=tuple(
            MountConfig(path=path, content=content)
            for path, content in zip(MOUNTS, mounts, strict=False)
        ),
    )
    background = Background(config)
    try:
        yield background.server.port
    finally:
        background.close()


def ask_all(port: int, targets: list[str]) -> Iterator[tuple[str, Answer | None]]:
    """The answers; none where the server just closes the connection."""
    wire = Wire(port)
    clean = [target for target in targets if target.isprintable() and target.isascii()]
    clean = [target for target in clean if not set(target) & set(' "')]
    for at in range(0, len(clean), TOGETHER):
        left = clean[at : at + TOGETHER]
        while left:
            answers: list[Answer | None] = [*wire.ask([request("GET", one) for one in left])]
            answers = answers or [None]
            yield from zip(left, answers, strict=False)
            left = left[len(answers) :]
    for target in [target for target in targets if target not in set(clean)]:
        for answer in wire.ask([request("GET", target, [("Connection", "close")])]):
            yield target, answer
            break
        else:
            yield target, None
        wire.close()
    wire.close()


def check(target: str, answer: Answer | None) -> None:
    if answer is None:
        return
    said = answer.body + repr(answer.headers).encode()
    assert SECRET not in said, target
    assert b"root:" not in said, target
    assert answer.status in (200, 400, 404, 405, 414, 422, 431), (target, answer)
    if answer.status == 200:
        assert answer.body == PUBLIC, target


@pytest.mark.parametrize("kind", ["directory", "archive", "mounts"])
def test_no_form_leads_out(place: Place, kind: str) -> None:
    targets = path_forms.targets(place.secret)
    roots = [""]
    if kind == "mounts":
        forms = path_forms.forms(place.secret)
        targets = [f"/media/{mount}/{form}" for mount in MOUNTS for form in forms]
        roots = [f"{mount}/" for mount in MOUNTS]
    statuses: Counter[int] = Counter()
    with serving(place, kind) as port:
        for target, answer in ask_all(port, targets):
            check(target, answer)
            statuses[answer.status if answer else 0] += 1
        # Not because nothing works any more.
        for root in roots:
            public = [f"/media/{root}open.ts", f"http://x/media/{root}a/b/open.ts?../secret"]
            for target, answer in ask_all(port, public):
                assert answer is not None
                assert (answer.status, answer.body) == (200, PUBLIC), target
    assert statuses.total() == len(targets) >= 2000
    assert min(statuses[400], statuses[404]) > 500, statuses


def test_careless_servers_would_be_led_out(place: Place) -> None:
    secrets = {"/srv/secret", "/srv/data/secret", f"/{place.secret}"}
    led = [form for form in path_forms.forms(place.secret) if path_forms.naive(form) & secrets]
    assert len(led) > 800


def test_a_secret_would_be_seen(place: Place) -> None:
    with pytest.raises(AssertionError):
        check("/media/x", Answer(200, {}, SECRET))
    with pytest.raises(AssertionError):
        check("/media/x", Answer(200, {}, b"something else"))
    with pytest.raises(AssertionError):
        check("/media/x", Answer(500, {}, b""))
