"""`busctl pin`, `unpin` and `extend`: how long messages are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from busctl.cli import options
from busctl.cli.each import Ids

if TYPE_CHECKING:
    from busctl.connect import Bus
    from busctl.core.envelope import Envelope


def pin(
    ids: Ids,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Keep messages until they are unpinned, whatever their time to live.

    Each id has its own outcome; the exit code is 1 if any failed. --json prints {"outcomes": []}
    with transaction_id, ok, and either expires_at and pinned, or error (code, message, remedy).

    \b
    Examples:
      busctl pin 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f
      busctl pin $(busctl ls --tool deep-research | cut -f1)
    """
    from busctl.cli.each import for_each

    async def keep(bus: Bus, wanted: UUID) -> Envelope:
        return await bus.pin(wanted)

    for_each(ids, keep, "pinned", as_json=as_json, env_file=env_file, sets=sets)


def unpin(
    ids: Ids,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Let pinned messages expire again; one whose time is over gets a whole time to live from now.

    Outcomes, --json and the exit code are those of `busctl pin`.

    \b
    Examples:
      busctl unpin 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f
    """
    from busctl.cli.each import for_each

    async def release(bus: Bus, wanted: UUID) -> Envelope:
        return await bus.unpin(wanted)

    for_each(ids, release, "unpinned", as_json=as_json, env_file=env_file, sets=sets)


def extend(
    ids: Ids,
    ttl: Annotated[str, typer.Option(help="New time to live, counted from now: 90m, 48h, 7d.")],
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Give messages a new time to live, counted from now.

    One past its time that is still there comes back to life. Outcomes, --json and the exit code
    are those of `busctl pin`.

    \b
    Examples:
      busctl extend 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f --ttl 7d
    """
    from busctl.cli.each import for_each
    from busctl.core.durations import parse_duration

    duration = parse_duration(ttl, "--ttl")

    async def lengthen(bus: Bus, wanted: UUID) -> Envelope:
        return await bus.extend(wanted, duration)

    for_each(ids, lengthen, "extended", as_json=as_json, env_file=env_file, sets=sets)
