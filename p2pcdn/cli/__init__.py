"""The command line: the one place that knows everybody, and loads only who is asked for.

Each subcommand is a module here with a click command named ``command``. The table below is all
that `p2pcdn --help` reads: aiortc alone would take it most of a second to import.

What goes wrong is said in one sentence on standard error. The exit code is 2 where the command or
its configuration is wrong, which no other attempt mends; 1 where it could not do what it was asked
to, as when a port is taken or a directory is not there yet.
"""

from __future__ import annotations

import importlib
import sys
from typing import NamedTuple, NoReturn

import click
import structlog

import p2pcdn
from p2pcdn.errors import ConfigError, P2pcdnError


class Entry(NamedTuple):
    """A subcommand: where it is, as ``module:attribute``, and what it does, in a line."""

    target: str
    summary: str


COMMANDS: dict[str, Entry] = {
    "demo": Entry("p2pcdn.cli.demo:command", "See it work: a video, two links, one native peer."),
    "serve": Entry("p2pcdn.cli.serve:command", "Origin, tracker and dashboard on one port."),
    "origin": Entry("p2pcdn.cli.origin:command", "The HTTP server for media, on its own."),
    "tracker": Entry("p2pcdn.cli.tracker:command", "The server that matches peers, on its own."),
    "peer": Entry("p2pcdn.cli.peer:command", "A native peer that keeps and seeds a content."),
    "get": Entry(
        "p2pcdn.cli.get:command", "Save a file or a film, from peers and origin together."
    ),
    "add": Entry("p2pcdn.cli.add:command", "Make a film, a folder, an archive or a URL a content."),
    "list": Entry("p2pcdn.cli.list:command", "What there is to be had."),
    "remove": Entry("p2pcdn.cli.remove:command", "Take out what was added."),
    "verify": Entry("p2pcdn.cli.verify:command", "Are the bytes still those that were hashed?"),
    "token": Entry("p2pcdn.cli.token:command", "Join tokens, and the keys that sign them."),
    "sim": Entry(
        "p2pcdn.cli.sim:command", "Simulated viewers, thousands of them: what would it save?"
    ),
    "keys": Entry("p2pcdn.cli.keys:command", "The keys that manifests are signed with."),
    "config": Entry("p2pcdn.cli.config:command", "What can be set, and what is."),
    "doctor": Entry("p2pcdn.cli.doctor:command", "Why do peers not connect?"),
    "healthcheck": Entry("p2pcdn.cli.healthcheck:command", "Is the server of this machine ready?"),
}


LEFT_OUT = {"av": "PyAV", "aiortc": "aiortc"}
"""What a server goes without in the smaller container image."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(p2pcdn.__version__, prog_name="p2pcdn", message="%(prog)s %(version)s")
def app() -> None:
    """Viewers' browsers carry most of a site's video; the origin fills the gaps."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and end the process."""
    sys.exit(execute(arguments))


def execute(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    try:
        code = app.main(arguments, prog_name="p2pcdn", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "p2pcdn"
        return _complain(f"{error.format_message()} (`{where} --help` says what there is.)", 2)
    except click.Abort:
        return 130
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except ConfigError as error:
        return _complain(str(error), error.exit_code)
    except P2pcdnError as error:
        return _complain(str(error) or type(error).__name__, 1)
    except OSError as error:
        return _complain(f"{error.filename or 'system'}: {error.strerror or error}.", 1)
    except Exception as error:  # noqa: BLE001 - the last resort; the log gets the traceback
        if isinstance(error, ModuleNotFoundError) and error.name in LEFT_OUT:
            return _complain(
                f"This takes {LEFT_OUT[error.name]}, which is not here: `pip install {error.name}`;"
                " of the container images, the full one has it.",
                1,
            )
        structlog.get_logger("p2pcdn.cli").exception("crashed")
        return _complain(f"a bug, please report it with the log above: {error!r}", 1)
    return code if isinstance(code, int) else 0


def _complain(sentence: str, code: int) -> int:
    click.echo(f"p2pcdn: {sentence}", err=True)
    return code
