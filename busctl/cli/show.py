"""`busctl show`: everything that is known of one message, without delivering it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.connect import Bus
    from busctl.core.configuration.settings import Settings
    from busctl.core.envelope import Envelope, Event
    from busctl.core.errors import BusctlError
    from busctl.core.reading.outline import Outline

PREVIEW_BYTES = 512
DUMP_BYTES = 128
OUTLINED_BYTES = 100_000_000
"""Of a larger payload only the first bytes are shown: its shape needs all of it."""


@dataclass(frozen=True, slots=True)
class Known:
    """`fault` says why there is no envelope, or why its bytes cannot be read. `outline` is what all
    of them look like."""

    envelope: Envelope | None
    events: Sequence[Event]
    head: bytes | None
    outline: Outline | None
    fault: BusctlError | None


def show(
    transaction_id: options.Id,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Show the envelope, the events and what the payload of one message looks like.

    A text's first and last lines, the shape of JSON (keys, counts, sizes), the columns of a table,
    the blocks of an MCP result; of what is none, or is over 100 MB, the first bytes. Looking does
    not count as a delivery. It works for messages past their time as long as they are there; of one
    that is gone it shows the events, says what became of it, and exits with 1. --json prints
    {"envelope", "events", "preview", "outline", "error"}; what there is none of is null. `outline`
    is {"form", "bytes", "lines", "shape"?, "columns"?, "blocks"?}.

    \b
    Examples:
      busctl show 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f
      busctl show "$ID" --json | jq .envelope.expires_at
    """
    from busctl.cli.running import emit_json, report_error, run, settings_for
    from busctl.core.ids import parse_id

    wanted = parse_id(transaction_id)
    known = run(_known(settings_for(env_file, sets), wanted))
    if as_json:
        emit_json(_shape(known))
    else:
        for line in _lines(known):
            print(line)
    if known.fault is not None:
        report_error(known.fault, as_json=as_json)
        raise typer.Exit(known.fault.exit_code)


async def _known(settings: Settings, wanted: UUID) -> Known:
    from busctl.connect import Bus, waits_here
    from busctl.core.errors import MessageExpired, MessageMissing

    async with Bus.connect(settings, lazily=waits_here(settings, wanted)) as bus:
        events = await bus.events(wanted)
        try:
            envelope = await bus.stat(wanted)
        except (MessageExpired, MessageMissing) as error:
            return Known(None, events, None, None, error)
        return await _with_head(bus, envelope, events)


async def _with_head(bus: Bus, envelope: Envelope, events: Sequence[Event]) -> Known:
    from busctl.core.errors import ClaimError
    from busctl.core.reading.outline import Outliner

    outlined = envelope.payload_size_bytes <= OUTLINED_BYTES
    head: bytes | None = None
    try:
        opened = await bus.peek(envelope.transaction_id, length=None if outlined else PREVIEW_BYTES)
        outliner = Outliner(envelope.labels.content_type)
        async for piece in opened.pieces:
            head = piece[:PREVIEW_BYTES] if head is None else head
            outliner.add(piece)
    except ClaimError as error:
        if error.exit_code != 1:
            raise
        return Known(envelope, events, head, None, error)
    outline = outliner.finish() if outlined else None
    return Known(envelope, events, head or b"", outline, None)


def _shape(known: Known) -> dict[str, Any]:
    from busctl.cli.running import envelope_shape

    fault = known.fault
    return {
        "envelope": envelope_shape(known.envelope) if known.envelope else None,
        "events": [
            {"at": one.at.isoformat(), "kind": one.kind, "hop": one.hop, "detail": one.detail}
            for one in known.events
        ],
        "preview": _preview(known.head) if known.head is not None else None,
        "outline": known.outline.as_json() if known.outline is not None else None,
        "error": fault and {"code": fault.code, "message": fault.message, "remedy": fault.remedy},
    }


def _preview(head: bytes) -> dict[str, Any]:
    text = _as_text(head)
    if text is None:
        return {"kind": "hex", "bytes": min(len(head), DUMP_BYTES), "text": head[:DUMP_BYTES].hex()}
    return {"kind": "text", "bytes": len(head), "text": text}


def _as_text(head: bytes) -> str | None:
    """The head as text; None when it is none. A character cut at the end is left out."""
    if b"\x00" in head:
        return None
    for cut in range(min(4, len(head) + 1)):
        try:
            return head[: len(head) - cut].decode()
        except UnicodeDecodeError:
            if len(head) < PREVIEW_BYTES:
                return None
    return None


def _lines(known: Known) -> list[str]:
    from busctl.cli.rendering import printable, show_time

    lines = _envelope_lines(known.envelope) if known.envelope else []
    if known.events:
        lines += ["", "Events:"] if lines else ["Events:"]
    for one in known.events:
        detail = " ".join(f"{name}={value}" for name, value in one.detail.items())
        lines.append(
            f"  {show_time(one.at)}  {printable(f'{one.kind} ({one.hop}) {detail}').rstrip()}"
        )
    outline = known.outline
    if outline is not None and outline.size > PREVIEW_BYTES and outline.form != "binary":
        lines += ["", *outline.text.splitlines()]
    elif known.head:
        shown = _preview(known.head)["bytes"]
        lines += ["", f"First {shown:,} of the payload's bytes:", *_preview_lines(known.head)]
    return lines


def _envelope_lines(envelope: Envelope) -> list[str]:
    from busctl.cli.rendering import printable, show_size, show_time
    from busctl.cli.running import envelope_shape

    shape = envelope_shape(envelope) | {
        "created_at": show_time(envelope.created_at),
        "expires_at": show_time(envelope.expires_at) + _remaining(envelope),
        "payload_size_bytes": f"{envelope.payload_size_bytes:,} "
        f"({show_size(envelope.payload_size_bytes)})",
        "stored_size_bytes": f"{envelope.stored_size_bytes:,} "
        f"({show_size(envelope.stored_size_bytes)})",
    }
    return [
        f"{name:20} {printable(_plain(value))}"
        for name, value in shape.items()
        if value not in (None, {}, "")
    ]


def _remaining(envelope: Envelope) -> str:
    from datetime import UTC, datetime

    from busctl.core.durations import show_duration

    if envelope.pinned:
        return " (pinned: kept until unpinned)"
    left = envelope.expires_at - datetime.now(UTC)
    if left.total_seconds() < 0:
        return f" (expired {show_duration(-left)} ago)"
    return f" (in {show_duration(left)})"


def _plain(value: object) -> str:
    import json

    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _preview_lines(head: bytes) -> list[str]:
    from busctl.cli.rendering import printable_lines

    text = _as_text(head)
    if text is not None:
        return [f"  {line}" for line in printable_lines(text.replace("\r\n", "\n")).split("\n")]
    rows = range(0, min(len(head), DUMP_BYTES), 16)
    return [_dump_line(start, head[start : start + 16]) for start in rows]


def _dump_line(start: int, row: bytes) -> str:
    letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
    return f"  {start:08x}  {row.hex(' '):47}  |{letters}|"
