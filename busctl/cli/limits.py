"""`busctl limits`: the largest payload, latency and rate of each path, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from busctl.cli import options


def limits(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.md", help="Write the page there."),
    ] = None,
    sizes: Annotated[
        str, typer.Option(metavar="LIST", help="Payloads that are timed.")
    ] = "1KB,1MB,10MB",
    paths: Annotated[
        str, typer.Option(metavar="LIST", help="Paths to take.")
    ] = "store,websocket,claim,http",
    max_bytes: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Do not go beyond this payload.")
    ] = None,
    report: options.Report = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Measure what this deployment carries and write it down as Markdown, ready for documentation.

    Doubles a payload that does not compress on each path until it no longer comes back identical,
    or the configured maximum is reached, then halves the doubt (see test-integrity --find-max); and
    times messages of some sizes (see bench). Starts a daemon of its own on the configured store.
    Nothing stays in the store.

    Exit 0, 1 if bytes came back changed, 3 if a path could not be tried. --json prints {ok,
    machine, maximum_safe_sizes: {path: bytes}, limits: [{path, largest_bytes, failed_bytes,
    stopped_by, wrong}], rows: [{path, content, size_bytes, operation, messages, repeats, median_ms,
    p99_ms, mb_per_s, messages_per_s}], not_tried: {path: why}}.

    \b
    Examples:
      busctl limits -o docs/limits.md --report limits.html
      busctl limits --paths store,claim --max-bytes 50MB --json
      busctl limits -s MESSAGE_BUS_MAX_PAYLOAD_MB=400
    """
    from busctl.cli import limits_run
    from busctl.cli.reporting import check_report, write_report
    from busctl.cli.running import emit_json, run, say, settings_for, versioned
    from busctl.core.errors import FileFailed
    from busctl.ops.limits_page import page_of

    settings = settings_for(env_file, sets)
    check_report(report)
    wanted = limits_run.wanted_of(settings, sizes=sizes, paths=paths, max_bytes=max_bytes)
    found = run(limits_run.measure(settings, wanted, quiet=quiet or as_json))
    if output is not None:
        try:
            output.write_text(found.markdown(), encoding="utf-8")
        except OSError as error:
            raise FileFailed(f"{output} cannot be written: {error.strerror}.") from error
        if not quiet:
            say(f"wrote {output}.")
    if report is not None:
        write_report(report, page_of(versioned(found.shape())), quiet=quiet or as_json)
    if as_json:
        emit_json(found.shape())
    elif output is None:
        print(found.markdown(), end="")
    if found.exit_code:
        raise typer.Exit(found.exit_code)
