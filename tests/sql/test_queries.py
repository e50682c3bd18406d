"""Every named query is used, and runs on both ends of what is supported."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Float8, Int4, Int8

import busctl
from busctl.adapters.sqlfiles import queries
from busctl.core.ids import first_id, unix_ms
from tests.sql.test_partitions import current

NOW = datetime.now(UTC)
DIGEST = b"\x00" * 32
MESSAGE = first_id(unix_ms(NOW))
PARTS = {
    "span": f"(transaction_id >= '{MESSAGE}' and transaction_id <= '{MESSAGE}')",
    "where": "true",
    "direction": "desc",
    "id": f"{MESSAGE}",
    "first": "0",
    "last": "1",
}
"""What the code writes into a query's braces; {table} and {partition} are found in the database."""

VALUES: dict[str, Any] = {
    "id": MESSAGE, "ids": [MESSAGE], "created": NOW, "moments": [NOW], "now": NOW, "later": NOW,
    "first": NOW, "last": NOW, "lower": NOW, "after": MESSAGE, "ttl": Float8(60),
    "lease": Float8(60), "raw_size": Int8(1), "raw_sizes": [Int8(1)], "stored_size": Int8(1),
    "chunks": Int4(0), "kind": "tool_response", "kinds": ["tool_response"], "packing": "none",
    "packings": ["none"], "mime": "text/plain", "mimes": ["text/plain"], "owner": "me",
    "owners": ["me"], "tool": "t", "tools": ["t"], "session": "s", "sessions": ["s"],
    "request": "r", "requests": ["r"], "raw_digest": DIGEST, "raw_digests": [DIGEST],
    "stored_digest": DIGEST, "stored_digests": [DIGEST], "extra": Jsonb({}), "extras": [Jsonb({})],
    "body": b"x", "bodies": [b"x"], "durations": [1.0], "hops": ["h"], "details": [Jsonb({})],
    "detail": Jsonb({}), "daemon": "d", "answered": True, "limit": Int4(10), "batch": Int4(10),
    "pinned": True, "sorts": [Int4(1)], "names": ["message_bus"], "table": "bus.message_bus",
    "parent": "bus.message_bus", "version": "29990101000000", "seed": Int8(1), "share": Int4(1),
    "host": "h", "pid": Int4(1),
    "started": NOW, "since": NOW, "oldest": NOW, "before": NOW, "after_time": NOW,
    "breaker": "closed", "messages": Int4(0), "bytes": Int8(0), "sessions_open": Int4(0),
    "inflight": Int4(0), "enabled": True, "fallback": True, "daemons": ["d"],
    "task": "t",
    "token_id": "0123456789ab", "principal": "me", "scopes": ["call"],
    "digest": DIGEST,
    "delivered": True, "subject": "s", "subjects": ["s"], "grade": Int4(1), "message": "m",
    "remedy": "r", "raised": NOW, "seen": NOW, "bad": Int4(1), "good": Int4(0), "good_since": NOW,
    "notice": MESSAGE, "at": NOW, "change": "raised", "seen_by": "me", "done": False,
    "attempts": Int4(0), "outcomes": Jsonb({}), "hosts": ["h"],
    "behind": NOW, "beyond": MESSAGE, "age": Float8(60), "ahead": Float8(60),
    "follower": "f", "holder": "h", "most": Int4(10), "body_bytes": Int8(0), "starting": NOW,
    "from_now": False, "moves": Int8(0), "goal": "3:3:", "complete": True, "place_xid": "0",
    "place_seq": Int8(0), "listen": Float8(60),
    "span": timedelta(hours=1), "step": timedelta(minutes=1),
    "sha256": DIGEST, "provider": "p", "account": "a", "purpose": "p", "name": "n",
    "file_id": "f", "lasting": Float8(60), "source": "s", "until": NOW, "conversation": "c",
    "roles": ["user"], "low": MESSAGE, "high": MESSAGE,
    "fell_back": NOW, "hop": "h", "reconciled_hop": "h", "reconciled_detail": Jsonb({}),
}  # fmt: skip
OWN: dict[str, Any] = {
    "inspection_totals": {"first": MESSAGE, "last": MESSAGE},
    "inspection_pick": {
        "after": MESSAGE,
        "last": MESSAGE,
        "seed": Int8(1),
        "share": Int4(1),
        "limit": Int4(1),
    },
    "inspection_orphans": {"first": MESSAGE, "last": MESSAGE, "limit": Int4(1)},
    "chunk_insert": [MESSAGE, Int4(0), Int4(1), DIGEST, DIGEST, b"x"],
}
"""Values of the queries that give one of those names another type, or take them by position."""
ELSEWHERE = {"health_cron_jobs"}
"""Needs tables of pg_cron: run where they are, by the tests of `check cron`."""


@pytest.mark.parametrize("name", sorted(queries().keys() - ELSEWHERE))
def test_query_runs(shared: str, name: str) -> None:
    text = queries()[name]
    for part in (part for part in ("table", "partition") if f"{{{part}}}" in text):
        text = text.replace(f"{{{part}}}", current("message_bus", shared))
    for part, value in PARTS.items():
        text = text.replace(f"{{{part}}}", value)
    wanted = set(re.findall(r"%\((\w+)\)", text))
    values = OWN.get(name, {key: VALUES[key] for key in wanted} or None)
    with psycopg.connect(shared) as session:
        if text.startswith("copy "):
            with session.cursor().copy(text.encode()) as copy:
                assert b"".join(copy).startswith(b"PGCOPY")
        else:
            session.execute(text.encode(), values, binary=True)
        session.rollback()


@pytest.mark.parametrize("name", sorted(queries()))
def test_query_is_used(name: str) -> None:
    package = Path(busctl.__file__).parent
    quoted = re.compile(rf"""["']{name}["']""")
    assert any(quoted.search(path.read_text(encoding="utf-8")) for path in package.rglob("*.py"))
