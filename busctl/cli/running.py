"""What every command does before and after its operation: settings in, results and errors out."""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from busctl.core.errors import BusctlError, ConfigurationError

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings
    from busctl.core.envelope import Envelope

Result = TypeVar("Result")
SHAPE_VERSION = 1
"""Version of every --json shape; it rises when a field changes its meaning or goes."""
LOOKER_ON_NICE = 10
"""About a tenth of the share that others get of a processor."""


def settings_for(
    env_file: Path | None = None, sets: list[str] | None = None, **flags: object
) -> Settings:
    """Settings with flags over environment over file over default; warnings go to stderr.

    `flags` are Settings fields by name, None meaning not given. Raises ConfigurationInvalid.
    """
    from busctl.adapters.environment import load

    chosen = chosen_of(sets)
    chosen |= {name: value for name, value in flags.items() if value is not None}
    loaded = load(chosen, env_file=env_file)
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    return loaded.settings


def chosen_of(sets: list[str] | None) -> dict[str, object]:
    """What --set chose, by field. Raises ConfigurationError for a name that is not known."""
    from busctl.core.configuration.settings import known_names

    chosen: dict[str, object] = {}
    for text in sets or []:
        name, mark, value = text.partition("=")
        field = known_names().get(name.strip().upper())
        if not mark or field is None:
            raise ConfigurationError(
                f"--set {text!r} is not NAME=VALUE with a known name.",
                remedy="`busctl config show` lists the names.",
            )
        chosen[field] = value
    return chosen


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run one coroutine to its end. SIGTERM, or a terminal that is closed, ends it as Ctrl-C does:
    what it was doing is undone (no half-written file stays), then the process leaves with 143 or
    129, as a shell expects."""
    import asyncio

    terminated = 0

    async def main() -> Result:
        task = asyncio.current_task()

        def end(number: int) -> None:
            nonlocal terminated
            terminated = number
            if task is not None:
                task.cancel()

        for number in ending_signals():
            asyncio.get_running_loop().add_signal_handler(number, end, number)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        if not terminated:
            raise
        with suppress(OSError):  # the terminal may be what has gone
            say("busctl: terminated.")
        sys.exit(128 + terminated)


def ending_signals() -> list[int]:
    """The signals that tell a process to end, besides Ctrl-C: SIGHUP too, which a closed terminal
    sends, unless `nohup` has it ignored."""
    import signal

    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGHUP]


def stand_back() -> None:
    """For commands that look on for as long as others work: those go before them where there is not
    processor enough for all."""
    import os

    with suppress(OSError):  # a sandbox may refuse
        os.nice(LOOKER_ON_NICE)


def say(text: str) -> None:
    """Talk, as opposed to data: stderr."""
    print(text, file=sys.stderr)


def emit_json(shape: Mapping[str, Any]) -> None:
    """One JSON document on stdout, `version` first."""
    print(json.dumps(versioned(shape), default=_plain, ensure_ascii=False))


def versioned(shape: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON shape as it is printed."""
    return {"version": SHAPE_VERSION, **shape}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def envelope_shape(envelope: Envelope) -> dict[str, Any]:
    """The JSON shape of an envelope: the names of the columns, digests in hex, ISO times."""
    labels = envelope.labels
    return {
        "transaction_id": str(envelope.transaction_id),
        "created_at": envelope.created_at.isoformat(),
        "expires_at": envelope.expires_at.isoformat(),
        "message_type": labels.message_type.value,
        "status": envelope.status.value,
        "tool_name": labels.tool_name,
        "session_id": labels.session_id,
        "request_id": labels.request_id,
        "owner": labels.owner,
        "content_type": labels.content_type,
        "payload_size_bytes": envelope.payload_size_bytes,
        "checksum": envelope.checksum.hex(),
        "compression": envelope.compression.value,
        "stored_size_bytes": envelope.stored_size_bytes,
        "stored_checksum": envelope.stored_checksum.hex(),
        "chunk_count": envelope.chunk_count,
        "pinned": envelope.pinned,
        **({"spooled": True} if envelope.spooled else {}),
        "retrieved_at": envelope.retrieved_at.isoformat() if envelope.retrieved_at else None,
        "retrieved_count": envelope.retrieved_count,
        "write_duration_ms": envelope.write_duration_ms,
        "read_duration_ms": envelope.read_duration_ms,
        "metadata": dict(labels.metadata),
    }


def report_error(error: BusctlError, *, as_json: bool) -> None:
    """A named error on stderr: what happened, to which id, what to do. It may quote anybody: a
    tool, a server, a file's name."""
    from busctl.core.text import printable_lines

    wait = getattr(error, "retry_after", None)
    if as_json:
        shape: dict[str, Any] = {
            "code": getattr(error, "error_code", error.code),
            "message": error.message,
            "transaction_id": str(error.transaction_id) if error.transaction_id else None,
            "remedy": error.remedy or None,
        }
        if wait is not None:
            shape["retry_after"] = wait
        say(json.dumps({"version": SHAPE_VERSION, "error": shape}, ensure_ascii=False))
        return
    say(f"busctl: {printable_lines(error.message)}")
    if error.remedy:
        say(f"  fix: {printable_lines(error.remedy)}")
    if wait is not None:
        say(f"  retry: after {wait:g} s")
    if error.transaction_id is not None and str(error.transaction_id) not in str(error):
        say(f"  id: {error.transaction_id}")
