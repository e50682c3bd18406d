"""The command line: `busctl`, `mbusctl` and `python -m busctl`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from typer._click.exceptions import UsageError  # the base of typer.BadParameter, not exported
from typer.core import TyperGroup

from busctl import __version__
from busctl.cli.commands import TABLE, Commands
from busctl.cli.standard import drop_output, escape_what_has_no_code, open_closed
from busctl.core.errors import BusctlError, FileFailed, Unforeseen


class Root(TyperGroup):
    """Ends quietly, with the shell's own exit codes, where typer would say 1 or nothing, and loads
    a command when it is wanted."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._table = Commands(TABLE)
        self.commands = self._table  # type: ignore[assignment]  # typer only ever reads this dict

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        widest = max(len(name) for name in self._table)
        with formatter.section("Commands"):
            formatter.write_dl(self._table.rows(formatter.width - 6 - widest))

    def make_context(self, *args: Any, **more: Any) -> Any:
        with _ends():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        from busctl.cli.running import say

        try:
            with _ends():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            say("busctl: interrupted.")
            sys.exit(130)


def _leave_reader() -> NoReturn:
    """The reader of stdout has gone (`busctl ls | head`): not our failure, nobody to tell."""
    drop_output()
    sys.exit(141)


def _flush() -> None:
    """Here, where it can be told and has its exit code; Python's own at its end has neither."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_reader()
    except OSError as error:
        drop_output()
        raise FileFailed(
            f"Standard output could not be written: {error.strerror or error}."
        ) from error


@contextmanager
def _ends() -> Iterator[None]:
    """With --json a wrong command line, which typer tells in prose, is told as every error is; and
    typer has 1 for a reader that has gone."""
    try:
        yield
    except BrokenPipeError:
        _leave_reader()
    except UsageError as error:
        if "--json" not in sys.argv:
            raise
        from busctl.core.errors import ConfigurationError

        where = error.ctx.command_path if error.ctx else "busctl"
        raise ConfigurationError(
            error.format_message(), remedy=f"`{where} -h` shows how it is written."
        ) from error


app = typer.Typer(
    name="busctl",
    cls=Root,
    help="Tool answers that never get cut: a claim-check message bus on PostgreSQL.",
    epilog="Exit codes: 0 fine, 1 something is wrong, 2 wrong command line or configuration, "
    "3 could not look, 75 another run holds the lock.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: rich takes longer to load than all the rest of `busctl --help`.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"busctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Tool answers that never get cut: a claim-check message bus on PostgreSQL."""


def main() -> None:
    """Run the command line; named errors become their exit codes, never a traceback."""
    open_closed()
    escape_what_has_no_code()
    try:
        try:
            app()
        except SystemExit:
            _flush()
            raise
    except BusctlError as error:
        _fail(error)
    except OSError as error:
        said = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
        _fail(FileFailed(f"{said}."))
    except Exception as error:  # noqa: BLE001  # all of it is told, and the exit code is 3
        _fail(unforeseen(error))


def _fail(error: BusctlError) -> NoReturn:
    from busctl.cli.running import report_error

    report_error(error, as_json="--json" in sys.argv)
    try:
        sys.stdout.flush()
    except OSError:
        drop_output()  # that error is told already, or another one was first
    sys.exit(error.exit_code)


def unforeseen(error: Exception) -> Unforeseen:
    """What nothing expected, with the places it passed, innermost last; its text may hold anything,
    a connection string too."""
    import traceback

    from busctl.core.redaction import Redactor

    said = Redactor(()).clean(" ".join(str(error).split()))[:500]
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " > ".join(f"{os.path.basename(at.filename)}:{at.lineno}" for at in frames)  # noqa: PTH119  # a name alone
    return Unforeseen(f"busctl failed: {type(error).__name__}: {said} (at {places}).")
