"""The filter options that `ls` and `export` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from busctl.core.envelope import MessageType, Status

if TYPE_CHECKING:
    from busctl.ports import Filter

Type = Annotated[MessageType | None, typer.Option("--type", help="Only this kind of message.")]
Tool = Annotated[str | None, typer.Option("--tool", help="Only from this tool.")]
Session = Annotated[str | None, typer.Option("--session", help="Only of this session.")]
Request = Annotated[str | None, typer.Option("--request", help="Only for this request.")]
Owner = Annotated[str | None, typer.Option("--owner", help="Only of this principal.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="Not older: 30m, 2h, 7d, or a time."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Older than this.")]
WithStatus = Annotated[Status | None, typer.Option("--status", help="Only in this state.")]


LONGEST_NAME = 100


def follower_name(name: str) -> str:
    """A name that can be read in lists and metrics. Raises ConfigurationError for another."""
    from busctl.core.errors import ConfigurationError

    if name.strip() != name or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise ConfigurationError(
            f"--name takes 1 to {LONGEST_NAME} printable characters, without a space at an end."
        )
    return name


def wanted(
    *,
    message_type: MessageType | None = None,
    tool: str | None = None,
    session: str | None = None,
    request: str | None = None,
    owner: str | None = None,
    since: str | None = None,
    until: str | None = None,
    status: Status | None = None,
    after: str | None = None,
    limit: int = 50,
    oldest_first: bool = False,
) -> Filter:
    """A Filter from the options as typed. Raises ConfigurationError and InvalidId."""
    from datetime import datetime

    from busctl.core.durations import parse_moment
    from busctl.core.ids import parse_id
    from busctl.ports import Filter

    now = datetime.now().astimezone()
    return Filter(
        message_type=message_type, tool_name=tool, session_id=session, request_id=request,
        owner=owner, status=status, limit=limit, oldest_first=oldest_first,
        since=parse_moment(since, now, "--since") if since is not None else None,
        until=parse_moment(until, now, "--until") if until is not None else None,
        after=parse_id(after) if after else None,
    )  # fmt: skip
