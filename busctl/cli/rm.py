"""`busctl rm`: delete messages at once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import typer

from busctl.cli import options
from busctl.cli.each import Ids

if TYPE_CHECKING:
    from busctl.connect import Bus
    from busctl.core.envelope import Envelope


def rm(
    ids: Ids,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Delete messages at once, pinned ones too; their events stay.

    Asks first on a terminal; elsewhere --yes is needed. Outcomes, --json and the exit code are
    those of `busctl pin`, without expires_at for what is gone.

    \b
    Examples:
      busctl rm 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f
      busctl rm --yes $(busctl ls --session old | cut -f1)
      busctl rm --dry-run "$ID"
    """
    from busctl.cli.each import for_each
    from busctl.core.ids import parse_id

    for text in ids:
        parse_id(text)
    if not (yes or dry_run):
        _ask(len(ids))

    async def delete(bus: Bus, wanted: UUID) -> Envelope | None:
        if dry_run:
            return await bus.stat(wanted)
        await bus.remove(wanted)
        return None

    done = "would be removed" if dry_run else "removed"
    for_each(ids, delete, done, as_json=as_json, env_file=env_file, sets=sets)


def _ask(count: int) -> None:
    import sys

    from busctl.cli.rendering import counted
    from busctl.core.errors import ConfigurationError

    if not sys.stdin.isatty():
        raise ConfigurationError(
            "Nothing was removed: there is no terminal to ask on.",
            remedy="Say --yes, or --dry-run to see what would go.",
        )
    if not typer.confirm(f"Remove {counted(count, 'message')} for good?", err=True):
        raise ConfigurationError("Nothing was removed.", remedy="")
