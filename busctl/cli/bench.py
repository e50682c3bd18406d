"""`busctl bench`: what the bus costs, against a plain INSERT and SELECT in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from busctl.cli import options

DEFAULT_SIZES = "1KB,10KB,100KB,1MB,10MB,100MB"
QUICK_SIZES = "1KB,100KB,10MB"
DEFAULT_PATHS = "store,put_many,claim,websocket,http"


def bench(
    sizes: Annotated[
        str | None,
        typer.Option(metavar="LIST", help=f"KB is 1,000, KiB 1,024. Default {DEFAULT_SIZES}."),
    ] = None,
    contents: Annotated[
        str, typer.Option(metavar="LIST", help="json (as tools answer), random, and others.")
    ] = "json,random",
    paths: Annotated[str, typer.Option(metavar="LIST", help="Paths to take.")] = DEFAULT_PATHS,
    baselines: Annotated[
        str, typer.Option(metavar="LIST", help="raw, jsonb (up to 10 MB), or none.")
    ] = "raw,jsonb",
    repeat: Annotated[
        int | None, typer.Option(min=1, help="Rounds of each; by size if not given.")
    ] = None,
    rtt_ms: Annotated[
        float, typer.Option(min=0, help="Measure through a proxy with this round-trip time.")
    ] = 0,
    quick: Annotated[bool, typer.Option("--quick", help=f"{QUICK_SIZES}, few rounds.")] = False,
    memory: Annotated[
        bool, typer.Option(help="Measure peak memory of one streamed payload, the largest size.")
    ] = True,
    report: options.Report = None,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
    memory_probe: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Measure storing and fetching, integrity always on, beside plain SQL in the same run.

    Every round lets the bus and the baselines do the same, one after the other: `raw` is one
    INSERT and SELECT of the same bytes in a bytea column, without hashing; `jsonb` keeps the
    payload as parsed JSON. Ratios below 1 mean that the bus is faster. A fetch is timed until the
    verified bytes are in hand; recording the delivery comes after it and is not timed. Round trips
    are counted on the line; memory is measured in a process of its own.

    Paths: store (the library straight to the store: store, fetch and stream), put_many (100 in one
    call, up to 10 KB), and three ways of a tool's answer through a daemon that the command starts:
    claim (the id over the WebSocket, redeemed there), websocket (the answer whole, in one frame),
    http (the id over the WebSocket, redeemed by GET /messages/ID). Those three are timed from the
    call to the verified bytes, and all of them store the answer; the tool has its bytes ready.

    Works on the configured store or the embedded one: it removes its messages, and its scratch
    tables are in the schema busctl_bench, which it drops, as the next one does after one that was
    killed: so only one at a time on a database.

    --json: `rows` (path, content, size_bytes, operation, subject, messages, repeats, median_ms,
    p99_ms, mb_per_s, messages_per_s, against: ratio of medians by subject), `round_trips`
    (operation, size_bytes, round_trips), `memory` (operation, size_bytes, client_bytes and
    backend_bytes above idle, null where unseen), `left_out` (path, content, size_bytes, why: a
    frame has no room for that much), `rtt_ms`, `store` (embedded or configured).

    \b
    Examples:
      busctl bench --quick
      busctl bench --sizes 10MB,100MB --contents json --json
      busctl bench --sizes 10MB --paths claim,websocket,http
      busctl bench --sizes 1KB --paths store --rtt-ms 30
      busctl bench --quick --report bench.html
    """
    from busctl.cli import bench_run
    from busctl.cli.bench_table import lines_of
    from busctl.cli.lists import names_of
    from busctl.cli.reporting import check_report, write_report
    from busctl.cli.running import emit_json, run, settings_for, versioned
    from busctl.ops.bench.page import page_of

    settings = settings_for(env_file, sets)
    if memory_probe is not None:
        emit_json({"memory": run(bench_run.probe(settings, memory_probe))})
        return
    check_report(report)
    wanted = bench_run.Wanted(
        plan=bench_run.plan_of(
            sizes or (QUICK_SIZES if quick else DEFAULT_SIZES), contents, paths, repeat, quick
        ),
        baselines=names_of(baselines, bench_run.BASELINES, "--baselines"),
        rtt_ms=rtt_ms,
        memory=memory,
    )
    child_args = [f"--set={one}" for one in sets or []]
    if env_file is not None:
        child_args.append(f"--env-file={env_file}")
    found, store = run(bench_run.measure(settings, wanted, child_args))
    shape = {"store": store, "rtt_ms": rtt_ms, **found.shape()}
    if report is not None:
        write_report(report, page_of(versioned(shape)), quiet=as_json)
    if as_json:
        emit_json(shape)
        return
    for line in lines_of(found, rtt_ms):
        typer.echo(line)
