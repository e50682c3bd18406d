"""A Filter to the WHERE clause of `message_list`: only what was asked for, so that a listing by
time touches the partitions of that time and no others."""

from __future__ import annotations

from typing import Any

from psycopg.types.numeric import Int4

from busctl.core.envelope import Status
from busctl.core.ids import first_id, unix_ms
from busctl.ports import Filter


def listing(template: str, wanted: Filter) -> tuple[str, dict[str, Any]]:
    """The query text and its values. Conditions are fixed texts; values are parameters."""
    conditions: list[str] = []
    values: dict[str, Any] = {"limit": Int4(wanted.limit)}

    def add(condition: str, name: str, value: object) -> None:
        conditions.append(condition)
        values[name] = value

    for name in ("tool_name", "session_id", "request_id", "owner"):
        if (value := getattr(wanted, name)) is not None:
            add(f"{name} = %({name})b", name, value)
    if wanted.message_type is not None:
        add("message_type = %(kind)b::bus.message_type", "kind", wanted.message_type.value)
    if wanted.since is not None:
        add("transaction_id >= %(since)b", "since", first_id(unix_ms(wanted.since)))
    if wanted.until is not None:
        add("transaction_id < %(until)b", "until", first_id(unix_ms(wanted.until)))
    if wanted.after is not None:
        sign = ">" if wanted.oldest_first else "<"
        add(f"transaction_id {sign} %(after)b", "after", wanted.after)
    if wanted.status is Status.EXPIRED:
        conditions.append("expires_at <= now() and not pinned")
    elif wanted.status is not None:
        add("status = %(status)b::bus.message_status", "status", wanted.status.value)
        conditions.append("(expires_at > now() or pinned)")
    query = template.format(
        where=" and ".join(conditions) or "true",
        direction="asc" if wanted.oldest_first else "desc",
    )
    return query, values
