"""`busctl aside`: what the spool has set aside, to be looked at, read and removed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.adapters.aside import SetAside
    from busctl.core.configuration.settings import Settings
    from busctl.core.envelope import ClaimCheck

app = typer.Typer(
    help="Look at, read and remove what the spool has set aside: it was never stored.",
    no_args_is_help=True,
)


@app.command()
def ls(
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """List the files that were set aside in this host's spool, the longest there first.

    Columns are separated by tabs: id, why (expired: it waited past BUSCTL_SPOOL_MAX_AGE_HOURS or
    the horizon; damaged; refused: another payload is stored under its id), since when it is there,
    bytes of the file, bytes of the payload, tool. `-`: the file cannot be read that far. They take
    room of BUSCTL_SPOOL_MAX_MB until they are removed, and `busctl check spool` warns of them.

    --json prints place, bytes and files (transaction_id, why, since, size, payload_size, tool_name,
    path, fault).

    \b
    Examples:
      busctl aside ls
      busctl aside ls --json | jq -r '.files[] | select(.why == "expired") | .transaction_id'
    """
    from busctl.adapters.aside import ASIDE, set_aside
    from busctl.adapters.spool import path_of
    from busctl.cli.running import emit_json, say, settings_for

    spool = path_of(settings_for(env_file, sets))
    found = set_aside(spool)
    if as_json:
        files = [shape(one) for one in found]
        emit_json({
            "place": spool / ASIDE, "bytes": sum(one.size_bytes for one in found), "files": files
        })  # fmt: skip
        return
    for one in found:
        print("\t".join(_row(one)))
    if not (found or quiet):
        say(f"Nothing was set aside in {spool / ASIDE}.")


@app.command()
def get(
    transaction_id: options.Id,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Write FILE, whole or not at all."),
    ],
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Write the payload of a file that was set aside, verified as `busctl get` does it.

    The file stays where it is. --json prints transaction_id, size, checksum (SHA-256) and path.

    \b
    Examples:
      busctl aside get 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f -o answer.json
    """
    from busctl.adapters.aside import of_message
    from busctl.adapters.spool import path_of
    from busctl.cli.running import emit_json, run, settings_for
    from busctl.core.ids import parse_id

    settings = settings_for(env_file, sets)
    chosen = of_message(path_of(settings), parse_id(transaction_id))[-1]
    claim = run(_saved(settings, chosen, output))
    if as_json:
        emit_json({
            "transaction_id": str(chosen.transaction_id), "size": claim.payload_size_bytes,
            "checksum": claim.checksum, "path": output,
        })  # fmt: skip


@app.command()
def restore(
    ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Ids, as `busctl aside ls` has.")
    ],
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Put files back into the spool: the daemon, or `busctl reconcile`, tries to store them again.

    What has expired is set aside again unless BUSCTL_SPOOL_MAX_AGE_HOURS, and
    MESSAGE_BUS_HORIZON_HOURS for what is older, were raised before. --json prints files, as
    `busctl aside ls` does, by the places where they were.

    \b
    Examples:
      busctl aside restore 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f && busctl reconcile
    """
    from busctl.adapters import aside
    from busctl.adapters.spool import FileSpool, path_of
    from busctl.cli.rendering import counted
    from busctl.cli.running import emit_json, settings_for
    from busctl.core.ids import parse_id

    settings = settings_for(env_file, sets)
    spool = FileSpool.of(settings)
    wanted = dict.fromkeys(parse_id(text) for text in ids)
    chosen = [aside.of_message(path_of(settings), each)[-1] for each in wanted]
    for one in chosen:
        aside.restore(one, spool.path_of(one.transaction_id))
    if as_json:
        emit_json({"files": [shape(one) for one in chosen]})
    else:
        print(f"Put {counted(len(chosen), 'file')} back into {spool.place}.")


@app.command()
def rm(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, as `busctl aside ls` has.")
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="TIME", help="All that are there for longer, such as 30d."
        ),
    ] = None,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Remove files that were set aside, for good: their payloads are nowhere else.

    Asks first on a terminal; elsewhere --yes is needed. --json prints dry_run, bytes and files, as
    `busctl aside ls` does.

    \b
    Examples:
      busctl aside rm 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f
      busctl aside rm --older-than 30d --dry-run
      busctl aside rm --older-than 30d --yes --quiet
    """
    from busctl.adapters.aside import remove
    from busctl.cli.rendering import counted, show_size
    from busctl.cli.running import emit_json, settings_for

    chosen = _chosen(settings_for(env_file, sets), ids or [], older_than)
    size = sum(one.size_bytes for one in chosen)
    told = f"{counted(len(chosen), 'file')} of {show_size(size)}"
    if chosen and not (yes or dry_run):
        _ask(told)
    for one in chosen if not dry_run else ():
        remove(one)
    if as_json:
        emit_json({"dry_run": dry_run, "bytes": size, "files": [shape(one) for one in chosen]})
    elif not quiet:
        print(f"{'Would remove' if dry_run else 'Removed'} {told}.")


def _chosen(settings: Settings, ids: Sequence[str], older_than: str | None) -> Sequence[SetAside]:
    from busctl.adapters.aside import of_message, set_aside
    from busctl.adapters.clock import SystemClock
    from busctl.adapters.spool import path_of
    from busctl.core.durations import parse_duration
    from busctl.core.errors import ConfigurationError
    from busctl.core.ids import parse_id

    if bool(ids) == (older_than is not None):
        raise ConfigurationError(
            "Name ids, or say --older-than.", remedy="`busctl aside ls` lists what is there."
        )
    spool = path_of(settings)
    if older_than is None:
        wanted = dict.fromkeys(parse_id(text) for text in ids)
        return [one for each in wanted for one in of_message(spool, each)]
    before = SystemClock().now() - parse_duration(older_than, "--older-than")
    return [one for one in set_aside(spool) if one.since < before]


async def _saved(settings: Settings, chosen: SetAside, output: Path) -> ClaimCheck:
    import asyncio

    from busctl.adapters.clock import SystemClock
    from busctl.adapters.spool import OneFile
    from busctl.core.errors import StoreUnreachable
    from busctl.ops.bus import Bus
    from busctl.ops.guarding import GuardedStore, NoStore
    from busctl.ops.replacing import replacing

    clock = SystemClock()
    nobody = NoStore(StoreUnreachable("The store is not asked for what was set aside."))
    file = OneFile(chosen.path)
    bus = Bus(GuardedStore(nobody, settings, clock, file), settings, clock)
    opened = await bus.peek(chosen.transaction_id)
    with replacing(output) as out:
        async for piece in opened.pieces:
            await asyncio.to_thread(out.write, piece)
    return opened.claim


def _ask(told: str) -> None:
    import sys

    from busctl.core.errors import ConfigurationError

    if not sys.stdin.isatty():
        raise ConfigurationError(
            "Nothing was removed: there is no terminal to ask on.",
            remedy="Say --yes, or --dry-run to see what would go.",
        )
    if not typer.confirm(f"Remove {told} for good?", err=True):
        raise ConfigurationError("Nothing was removed.", remedy="")


def _row(one: SetAside) -> list[str]:
    from busctl.cli.rendering import printable, show_time

    payload = "-" if one.payload_size_bytes is None else str(one.payload_size_bytes)
    return [
        str(one.transaction_id), one.why, show_time(one.since), str(one.size_bytes), payload,
        printable(one.tool_name or "-"),
    ]  # fmt: skip


def shape(one: SetAside) -> dict[str, Any]:
    """The JSON shape of a file."""
    return {
        "transaction_id": str(one.transaction_id), "why": one.why, "since": one.since.isoformat(),
        "size": one.size_bytes, "payload_size": one.payload_size_bytes,
        "tool_name": one.tool_name, "path": one.path, "fault": one.fault or None,
    }  # fmt: skip
