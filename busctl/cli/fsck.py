"""`busctl fsck`: look for damage in what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from busctl.cli import options, selecting

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings
    from busctl.ops.fsck import Checked, Scope


def fsck(
    since: selecting.Since = None,
    until: selecting.Until = None,
    sample: Annotated[
        float, typer.Option(min=0.0001, max=100, metavar="PERCENT", help="Look at a share only.")
    ] = 100.0,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=2**63 - 1, help="Which share: the same seed picks the same. Default: random."
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full/--server-side", help="Read and unpack every payload as well: the raw digests."
        ),
    ] = False,
    content: Annotated[
        bool,
        typer.Option("--content", help="Look for answers that tools have cut, too (reads them)."),
    ] = False,
    after: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on behind this id, where a run has ended.")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(min=0.0, help="End after this many seconds, and say where.")
    ] = None,
    fix_status: Annotated[
        bool,
        typer.Option("--fix-status", help="Mark damaged messages with status error; keep them."),
    ] = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Check stored messages: digests, sizes, chunks, and chunks without an envelope.

    The server hashes what it stores, so no payload travels; what that cannot see, --full reads.
    --content finds JSON that ends early and the markers that tools leave when they cut.
    Expired messages are left out. Nothing is ever deleted: --fix-status sets the status of what is
    damaged to error, which `ls --status error` lists, and notes it in the trail. With --sample
    every run looks at another share; orphan chunks are always looked for everywhere.

    Exit 0 if all is well, 1 with findings, 3 if nothing was looked at or the store is away; then
    the last line says where to go on.

    --json prints ok, full, content, checked, total, share (of the messages, 0 to 1), bytes,
    total_bytes, read_bytes, marked, seed, next (ID for --after, or null at the end), findings
    (kind, subject, message, remedy).

    \b
    Examples:
      busctl fsck --since 24h
      busctl fsck --sample 5 --full -q
      busctl fsck --max-seconds 600 --fix-status
    """
    from busctl.cli.running import emit_json, run, say, settings_for
    from busctl.core.errors import BusctlError
    from busctl.ops.fsck import Checked

    settings = settings_for(env_file, sets)
    scope = _scope(since, until, sample, seed, after, max_seconds, full=full, content=content)
    checked = Checked()
    try:
        run(_checked(settings, scope, checked, fix_status=fix_status, silent=quiet or as_json))
    except (BusctlError, KeyboardInterrupt):
        if checked.next is not None:
            say(f"Looked at {checked.messages:,} messages; go on with --after {checked.next}")
        raise
    if as_json:
        emit_json(_shape(checked, scope))
    else:
        _show(checked, scope, quiet=quiet)
    if checked.findings:
        raise typer.Exit(1)
    if not _has_looked(checked, scope):
        why = "no message is stored in this span"
        if checked.total_messages:
            why = f"the sample took none of {checked.total_messages:,} messages; take a larger one"
        say(f"busctl: nothing was looked at: {why}.")
        raise typer.Exit(3)


def _scope(
    since: str | None, until: str | None, sample: float, seed: int | None, after: str | None,
    seconds: float | None, *, full: bool, content: bool,
) -> Scope:  # fmt: skip
    import random
    from datetime import datetime
    from uuid import UUID

    from busctl.core.durations import parse_moment
    from busctl.core.ids import first_id, parse_id, unix_ms
    from busctl.ops.fsck import Scope

    now = datetime.now().astimezone()
    first = first_id(unix_ms(parse_moment(since, now, "--since"))) if since else UUID(int=0)
    last = first_id(unix_ms(parse_moment(until, now, "--until"))) if until else UUID(int=2**128 - 1)
    behind = parse_id(after) if after else None
    chosen = random.randrange(2**31) if seed is None else seed  # noqa: S311  # picks a sample
    return Scope(first, last, sample / 100, chosen, behind, seconds, full, content)


async def _checked(
    settings: Settings, scope: Scope, checked: Checked, *, fix_status: bool, silent: bool
) -> None:
    from busctl.adapters.clock import SystemClock
    from busctl.adapters.postgres.inspection import PostgresInspection
    from busctl.cli.progress import Bar
    from busctl.connect import Bus, open_store
    from busctl.ops.fsck import fsck as op

    async with open_store(settings) as store:
        bus = Bus(store, settings, SystemClock(), hop="fsck")
        try:
            with Bar("fsck", wanted=not silent) as bar:

                def progress(size: int) -> None:
                    bar.total = round(checked.total_bytes * scope.share)
                    bar.add(size)

                await op(
                    bus, PostgresInspection(store), scope, checked,
                    fix_status=fix_status, progress=progress,
                )  # fmt: skip
        finally:
            await bus.deliveries.close()


def _shape(checked: Checked, scope: Scope) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "ok": _has_looked(checked, scope) and not checked.findings, "full": scope.full,
        "content": scope.content,
        "checked": checked.messages, "total": checked.total_messages,
        "share": round(checked.share, 6), "bytes": checked.stored_bytes,
        "total_bytes": checked.total_bytes, "read_bytes": checked.read_bytes,
        "marked": checked.marked, "seed": scope.seed, "next": checked.next,
        "findings": [asdict(one) for one in checked.findings],
    }  # fmt: skip


def _has_looked(checked: Checked, scope: Scope) -> bool:
    """Whether it looked at anything, or goes on with what was begun."""
    return bool(checked.messages) or checked.next is not None or scope.after is not None


def _show(checked: Checked, scope: Scope, *, quiet: bool) -> None:
    from busctl.cli.findings import show_findings
    from busctl.cli.rendering import counted, show_size

    show_findings(checked.findings)
    if quiet and not checked.findings:
        return
    print(
        f"{counted(checked.messages, 'message')} of {checked.total_messages:,} looked at "
        f"({checked.share:.1%}; {show_size(checked.stored_bytes)} of "
        f"{show_size(checked.total_bytes)} stored), {counted(len(checked.findings), 'finding')}."
    )
    if scope.reads:
        print(f"{show_size(checked.read_bytes)} of payloads read.")
    if checked.marked:
        print(f"{counted(checked.marked, 'message')} marked with status error.")
    if checked.next is not None:
        print(f"Not at the end: go on with --after {checked.next}")
