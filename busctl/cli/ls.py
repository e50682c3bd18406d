"""`busctl ls`: list messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from busctl.cli import options, selecting

if TYPE_CHECKING:
    from datetime import timedelta

    from busctl.core.envelope import Envelope
    from busctl.core.settings import Settings
    from busctl.ports import Filter

NARROWEST = 72
"""A table narrower than this would cut ids; lines then wrap."""


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
            print("\t".join(_fields(one)))
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


def _fields(envelope: Envelope) -> list[str]:
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
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from busctl.cli.rendering import printable, show_size

    console = Console()
    if console.width < NARROWEST:
        console = Console(width=NARROWEST)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ID", no_wrap=True, min_width=36)
    table.add_column("AGE", no_wrap=True, justify="right")
    table.add_column("SIZE", no_wrap=True, justify="right")
    table.add_column("STATUS", no_wrap=True)
    table.add_column("LEFT", no_wrap=True)
    table.add_column("TOOL", overflow="ellipsis", no_wrap=True, ratio=1)
    now = datetime.now(UTC)
    for one in envelopes:
        label = one.labels.tool_name or one.labels.message_type.value
        table.add_row(
            str(one.transaction_id), _largest(now - one.created_at),
            show_size(one.payload_size_bytes), one.status.value,
            "pinned" if one.pinned else _largest(one.expires_at - now), Text(printable(label)),
        )  # fmt: skip
    console.print(table)


def _largest(duration: timedelta) -> str:
    """The largest unit of it alone: what a narrow column has room for."""
    from datetime import timedelta

    from busctl.core.durations import show_duration

    return "-" if duration < timedelta(0) else show_duration(duration).split()[0]
