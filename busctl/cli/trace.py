"""`busctl trace`: the way of one payload, hop by hop, and the first that changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings
    from busctl.core.trace import Passed, Trace

CHECKSUM_CHARS = 16
SHOWN = 20
"""Lines shown of one hop; a message that was fetched a thousand times has a thousand."""


def trace(
    transaction_id: options.Id,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Show the size and SHA-256 of a payload at each hop, and the first that differs.

    Hops: tool (as produced), daemon (as given to the bus), store (as committed, and as the server
    finds it now), read (as read back), wire (as sent), client (as received). A hop that did not
    hash shows its size alone; one that nothing is known of is "not seen", which is not fine.
    Messages that are gone still have their trail. Exit 1 when a hop differs, or the id is unknown.

    --json prints transaction_id, ok, differs (the name of the hop, or null), not_seen, and hops:
    hop, event, at, size, checksum, offset, note, fault; suspicions: at, detail.

    \b
    Examples:
      busctl trace 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f
      busctl trace "$ID" --json | jq -r .differs
    """
    from busctl.cli.running import emit_json, run, settings_for
    from busctl.core.ids import parse_id

    wanted = parse_id(transaction_id)
    found = run(_traced(settings_for(env_file, sets), wanted))
    if as_json:
        emit_json(_shape(wanted, found))
    else:
        for line in _lines(found):
            print(line)
    if found.differs is not None:
        raise typer.Exit(1)


async def _traced(settings: Settings, wanted: UUID) -> Trace:
    from busctl.adapters.clock import SystemClock
    from busctl.adapters.postgres.inspection import PostgresInspection
    from busctl.connect import Bus, open_store
    from busctl.ops.trace import trace_of

    async with open_store(settings) as store:
        bus = Bus(store, settings, SystemClock(), hop="trace")
        return await trace_of(bus, PostgresInspection(store), wanted)


def _shape(wanted: UUID, found: Trace) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "transaction_id": str(wanted), "ok": found.differs is None,
        "differs": found.differs.hop if found.differs else None,
        "not_seen": list(found.unseen), "hops": [asdict(one) for one in found.passed],
        "suspicions": [{"at": one.at, "detail": dict(one.detail)} for one in found.suspicions],
    }  # fmt: skip


def _lines(found: Trace) -> list[str]:
    from busctl.cli.rendering import printable

    lines, counts = [], dict.fromkeys((one.hop for one in found.passed), 0)
    for one in found.passed:
        counts[one.hop] += 1
        if counts[one.hop] <= SHOWN or one.fault:
            lines.append(printable(_line(one)).rstrip())
    lines += [f"{hop:7} … {count - SHOWN:,} more" for hop, count in counts.items() if count > SHOWN]
    lines += [f"{hop:7} not seen" for hop in found.unseen]
    for suspicion in found.suspicions:
        told = " ".join(f"{name}={value}" for name, value in suspicion.detail.items())
        lines.append(printable(f"The tool may have cut it: {told}"))
    first = found.differs
    if first is None:
        lines.append("No hop that was seen differs from the one before it.")
    else:
        lines.append(printable(f"First to differ: {first.hop} ({first.event}): {first.fault}."))
    return lines


def _line(one: Passed) -> str:
    moment = one.at.astimezone().isoformat(sep=" ", timespec="milliseconds") if one.at else ""
    size = "" if one.size is None else f"{one.size:,} B"
    checksum = one.checksum[:CHECKSUM_CHARS] if one.checksum else "-"
    part = "" if one.offset is None else f"from {one.offset:,} "
    mark = f"DIFFERS: {one.fault}" if one.fault else ""
    note = "; ".join(text for text in (part + one.note, mark) if text.strip())
    return f"{one.hop:7} {one.event:13} {moment}  {size:>16}  {checksum:16}  {note}"
