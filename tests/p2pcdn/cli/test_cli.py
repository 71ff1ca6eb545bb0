"""The command line as a whole: what it knows, what it loads, how it complains."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

import p2pcdn
from p2pcdn import cli
from p2pcdn.cli import COMMANDS, Entry, app, execute
from p2pcdn.errors import ConfigError, SourceError, SourceReason, UnavailableError
from tests.p2pcdn.cli.calling import call


def test_help_lists_every_command_and_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "--help")
    assert called.code == 0
    for name, entry in COMMANDS.items():
        assert f"  {name} " in called.out
        assert entry.summary in called.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, name, "-h")
    assert called.code == 0
    assert called.out.startswith(f"Usage: p2pcdn {name} ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "--version") == (0, f"p2pcdn {p2pcdn.__version__}\n", "")


def test_without_a_command_it_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys)
    assert called.code == 2
    assert "Commands:" in called.out + called.err


HEAVY = ("aiohttp", "aiortc", "av", "cryptography", "m3u8", "origin", "tracker", "peer")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["config", "--default"]])
def test_it_loads_nobody_who_is_not_asked_for(words: list[str]) -> None:
    script = (
        "import sys; from p2pcdn.cli import execute; execute(sys.argv[1:]); "
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True
    )
    assert ran.stderr == "[]\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sreve"], "No such command 'sreve'"),
        (["config", "--nope"], "No such option"),
        (["config", "--default", "extra"], "unexpected extra argument"),
    ],
)
def test_a_wrong_command_is_a_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    called = call(capsys, *words)
    assert called.code == 2
    assert called.out == ""
    assert called.err.startswith("p2pcdn: ")
    assert sentence in called.err
    assert "--help" in called.err
    assert called.err.count("\n") == 1


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """A command that raises what the test puts here."""
    errors: list[BaseException] = []

    @click.command()
    def command() -> None:
        raise errors[0]

    monkeypatch.setitem(COMMANDS, "fail", Entry("nowhere:command", "It fails."))
    monkeypatch.setattr(app, "get_command", lambda ctx, name: command)
    yield errors
    errors.clear()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("A port is a number."), 2, "p2pcdn: A port is a number.\n"),
        (UnavailableError("The port is taken."), 1, "p2pcdn: The port is taken.\n"),
        (click.ClickException("It is late."), 1, "p2pcdn: It is late.\n"),
        (
            SourceError(SourceReason.MISSING, "no such film"),
            1,
            "p2pcdn: missing: no such film\n",
        ),
        (
            PermissionError(13, "Permission denied", "/data"),
            1,
            "p2pcdn: /data: Permission denied.\n",
        ),
        (
            ModuleNotFoundError("No module named 'av'", name="av"),
            1,
            "p2pcdn: This takes PyAV, which is not here: `pip install av`; of the container "
            "images, the full one has it.\n",
        ),
        (click.Abort(), 130, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_a_code(
    failing: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    failing.append(error)
    called = call(capsys, "fail")
    assert (called.code, called.err.lstrip("\n")) == (code, said)


def test_a_bug_is_logged_and_said_to_be_one(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(ZeroDivisionError("by zero"))
    called = call(capsys, "fail")
    assert called.code == 1
    assert called.err == (
        "p2pcdn: a bug, please report it with the log above: ZeroDivisionError('by zero')\n"
    )
    assert "Traceback" in called.out  # structlog as it is before it is configured


def test_main_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "execute", lambda arguments: 7)
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    assert caught.value.code == 7


def test_what_a_command_returns_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def command() -> int:
        return 3

    monkeypatch.setattr(app, "get_command", lambda ctx, name: command)
    assert execute(["anything"]) == 3
