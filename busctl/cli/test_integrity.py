"""`busctl test-integrity`: what goes in comes out, on every path of this deployment."""

from __future__ import annotations

from typing import Annotated

import typer

from busctl.cli import options

DEFAULT_SIZES = "1KB,10KB,100KB,1MB,10MB"
DEFAULT_CONTENTS = "json,random,hostile,surrogates,zeros,compressed"
DEFAULT_PATHS = "store,websocket,claim,http"


def integrity(
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Sizes; KB is 1,000 bytes, KiB 1,024. Those of the default that are over the "
            "largest payload are left out.",
            show_default=DEFAULT_SIZES,
        ),
    ] = None,
    contents: Annotated[
        str, typer.Option(metavar="LIST", help="Kinds of payload; text is known too.")
    ] = DEFAULT_CONTENTS,
    paths: Annotated[str, typer.Option(metavar="LIST", help="Paths to take.")] = DEFAULT_PATHS,
    concurrency: Annotated[
        int, typer.Option(min=1, max=256, help="How many at once, after each alone; 1: alone.")
    ] = 8,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Test the daemon there instead of starting one."),
    ] = None,
    find_max: Annotated[
        bool, typer.Option("--find-max", help="Find the largest payload that each path carries.")
    ] = False,
    max_bytes: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Do not go beyond this size in --find-max."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the test messages in the store for an hour.")
    ] = False,
    report: options.Report = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Send payloads along every path and compare what comes back, byte for byte.

    Paths: store (the library straight to the store), websocket (whole answers, for a client that
    takes no claims), claim (the id over the WebSocket, redeemed there), http (redeemed by GET
    /messages/ID, as raw bytes and as stored zstd). Contents: json as tools answer, random,
    hostile (NUL, invalid UTF-8, CR and LF), surrogates (lone ones and duplicate keys in JSON
    text), zeros, compressed, text.

    Each payload goes alone first, then all again with --concurrency at once, each with bytes of
    its own, so that an answer given to the wrong request is found. An answer too large for a
    frame is refused by name on the websocket path, with the id it is stored under: then the id
    must give the bytes.

    Starts a daemon of its own on the configured store, on a free port and with a token of its
    own, unless --url names one (its token is BUSCTL_TOKEN or the token file). Test messages are
    removed; those that are wrong stay for an hour.

    Exit 0 only if everything was compared and equal; 1 with the first differing offset if
    anything was not; 3 if a path could not be tried.

    --json: `checked`, `compared_bytes`, `not_tried`, `exit_code`, `comparisons` (path, content,
    size_bytes, seed, concurrency, verdict, transaction_id, stored_size_bytes, put_ms, get_ms,
    first_difference, got_size_bytes, note), `findings`, `limits` (path, largest_bytes,
    failed_bytes, stopped_by, wrong).

    \b
    Examples:
      busctl test-integrity
      busctl test-integrity --sizes 1KB,50MB --contents json --paths claim,http
      busctl test-integrity --find-max --sizes 10MB --contents random
      busctl test-integrity --find-max --report integrity.html
      busctl test-integrity --url http://127.0.0.1:8765 --paths claim --json
    """
    from busctl.cli import integrity_run
    from busctl.cli.reporting import check_report, write_report
    from busctl.cli.running import emit_json, run, say, settings_for, versioned
    from busctl.core.sizes import show_size
    from busctl.ops.integrity.page import page_of

    settings = settings_for(env_file, sets)
    wanted = integrity_run.wanted_of(
        settings, sizes=sizes, default_sizes=DEFAULT_SIZES, contents=contents, paths=paths,
        concurrency=concurrency, keep=keep, url=url, find_max=find_max, max_bytes=max_bytes,
    )  # fmt: skip
    largest = wanted.plan.sizes[-1]
    if sizes is None and largest == settings.max_payload_bytes and not (quiet or as_json):
        say(f"Up to {show_size(largest)}, the largest payload here (MESSAGE_BUS_MAX_PAYLOAD_MB).")
    check_report(report)
    found, left_behind = run(integrity_run.measure(settings, wanted, quiet=quiet or as_json))
    if report is not None:
        page = page_of(versioned(found.shape()), found.summary())
        write_report(report, page, quiet=quiet or as_json)
    if as_json:
        emit_json(found.shape())
    elif not quiet or found.exit_code:
        for line in integrity_run.lines_of(found, only_wrong=quiet):
            typer.echo(line)
    if left_behind and not quiet:
        say(f"{left_behind:,} test messages stay in the store; they expire by themselves.")
    if found.exit_code:
        raise typer.Exit(found.exit_code)
