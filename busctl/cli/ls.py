"""`busctl ls`: list messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from busctl.cli import options, selecting

if TYPE_CHECKING:
    from datetime import timedelta

    from busctl.core.configuration.settings import Settings
    from busctl.core.envelope import Envelope
    from busctl.ports import Filter


def ls(
    message_type: selecting.Type = None,
    tool: selecting.Tool = None,
    session: selecting.Session = None,
    request: selecting.Request = None,
    owner: selecting.Owner = None,
    since: selecting.Since = None,
    until: selecting.Until = None,
    status: selecting.WithStatus = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many at most.")
    ] = 50,
    after: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on behind this id of an earlier listing.")
    ] = None,
    oldest: Annotated[bool, typer.Option("--oldest", help="Oldest first.")] = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """List messages, newest first; those past their time too, while they are still there.

    On a terminal a table; elsewhere one line a message, tab-separated and in full: id, created,
    expires, type, status, size in bytes, pinned (pinned or -), tool, session, request, owner.
    --json prints {"messages": [...], "next": ID}; `next` is null at the end, else what --after
    takes for the messages that follow.

    \b
    Examples:
      busctl ls --since 2h --tool search
      busctl ls --status expired --json
      busctl ls --limit 1000 | cut -f1
    """
    import sys

    from busctl.cli.running import emit_json, envelope_shape, run, say, settings_for

    wanted = selecting.wanted(
        message_type=message_type, tool=tool, session=session, request=request, owner=owner,
        since=since, until=until, status=status, after=after, limit=limit + 1, oldest_first=oldest,
    )  # fmt: skip
    found = run(_listed(settings_for(env_file, sets), wanted))
    shown, more = found[:limit], len(found) > limit
    following = str(shown[-1].transaction_id) if more else None
    if as_json:
        emit_json({"messages": [envelope_shape(one) for one in shown], "next": following})
        return
    if not sys.stdout.isatty():
        for one in shown:
            print("\t".join(fields(one)))
        return
    if not shown:
        say("No message matches.")
        return
    _print_table(shown)
    if following:
        say(f"There are more: --after {following}")


async def _listed(settings: Settings, wanted: Filter) -> Sequence[Envelope]:
    from busctl.connect import Bus

    async with Bus.connect(settings) as bus:
        return await bus.list(wanted)


def fields(envelope: Envelope) -> list[str]:
    from busctl.cli.rendering import printable

    labels = envelope.labels
    return [
        str(envelope.transaction_id), envelope.created_at.isoformat(),
        envelope.expires_at.isoformat(), labels.message_type.value, envelope.status.value,
        str(envelope.payload_size_bytes), "pinned" if envelope.pinned else "-",
        *(
            printable(text or "-")
            for text in (labels.tool_name, labels.session_id, labels.request_id, labels.owner)
        ),
    ]  # fmt: skip


def _print_table(envelopes: Sequence[Envelope]) -> None:
    """Fits the terminal by cutting the last column; an id is never cut."""
    import shutil

    from rich.cells import cell_len, set_cell_size

    rows = [("ID", "AGE", "SIZE", "STATUS", "LEFT", "TOOL"), *map(_row, envelopes)]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(5)]
    room = max(10, shutil.get_terminal_size().columns - sum(widths) - 2 * len(widths))
    for row in rows:
        fixed = "  ".join(set_cell_size(*one) for one in zip(row, widths, strict=False))
        tool = row[-1]
        if cell_len(tool) > room:
            tool = set_cell_size(tool, room - 1) + "…"
        print(f"{fixed}  {tool}")


def _row(envelope: Envelope) -> tuple[str, str, str, str, str, str]:
    from datetime import UTC, datetime

    from busctl.cli.rendering import printable, show_size

    now = datetime.now(UTC)
    label = envelope.labels.tool_name or envelope.labels.message_type.value
    left = "pinned" if envelope.pinned else _largest(envelope.expires_at - now)
    return (
        str(envelope.transaction_id), _largest(now - envelope.created_at),
        show_size(envelope.payload_size_bytes), envelope.status.value, left, printable(label),
    )  # fmt: skip


def _largest(duration: timedelta) -> str:
    """The largest unit of it alone: what a narrow column has room for."""
    from datetime import timedelta

    from busctl.core.durations import show_duration

    return "-" if duration < timedelta(0) else show_duration(duration).split()[0]
