"""The command line: `busctl`, `mbusctl` and `python -m busctl`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from busctl import __version__
from busctl.cli import archive, bench, config, get, ls, migrate, pin, put, rm, serve, show
from busctl.core.errors import BusctlError

app = typer.Typer(
    name="busctl",
    help="Tool answers that never get cut: a claim-check message bus on PostgreSQL.",
    epilog="Exit codes: 0 fine, 1 something is wrong, 2 wrong command line or configuration, "
    "3 could not look, 75 another run holds the lock.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: rich takes longer to load than all the rest of `busctl --help`.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(put.put)
app.command()(get.get)
app.command()(ls.ls)
app.command()(show.show)
app.command()(pin.pin)
app.command()(pin.unpin)
app.command()(pin.extend)
app.command()(rm.rm)
app.command()(archive.export)
app.command("import")(archive.import_)
app.command()(serve.serve)
app.add_typer(migrate.app, name="migrate")
app.add_typer(config.app, name="config")

app.command()(bench.bench)


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
    from busctl.cli.running import report_error, say

    try:
        app()
    except BusctlError as error:
        report_error(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of stdout has gone (`busctl ls | head`): not our failure, nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        say("busctl: interrupted.")
        sys.exit(130)
    except OSError as error:
        say(f"busctl: {error.strerror or error}: {error.filename or ''}".rstrip(": "))
        sys.exit(1)
