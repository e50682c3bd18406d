"""A store with a long history, made inside the server: a million messages in half a minute."""

from __future__ import annotations

import psycopg

from tests.conftest import direct

HOURS = 40
TOOLS = 12
FILL = f"""
insert into bus.message_bus (
    transaction_id, created_at, expires_at, message_type, status, compression, content_type, owner,
    tool_name, session_id, request_id, checksum, stored_checksum, metadata, payload_size_bytes,
    stored_size_bytes, payload, write_duration_ms, retrieved_count)
select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' ||
        substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
       at, at + interval '48 hours', kind::bus.message_type,
       case when kind = 'error' then 'error' when n %% 3 = 0 then 'pending' else 'delivered' end
           ::bus.message_status,
       'none', 'text/plain', 'owner-' || n %% 3, 'tool-' || n %% {TOOLS}, 'session-' || n %% 1000,
       'request-' || n, digest, digest,
       case when kind = 'watcher_observation' then jsonb_build_object(
           'observed', '01a21c81-cf28-7e05-b7a6-39f75d72a0d6', 'watcher', 'w', 'ok', true,
           'severity', 'info', 'findings', '[]'::jsonb) else '{{}}' end,
       5, 5, 'hello', 0.2 + n %% 7, (n %% 3 > 0)::integer
from (select n, now() - interval '{HOURS} hours' * (%s - n) / %s as at,
             sha256('hello') as digest,
             case when n %% 50 = 0 then 'error' when n %% 20 = 1 then 'watcher_observation'
                  else 'tool_response' end as kind
      from generate_series(1, %s) as n) made
"""
ROLL_UP = """
insert into bus.traffic
select date_trunc('minute', created_at), owner, tool_name, count(*),
       count(*) filter (where message_type = 'error'), sum(payload_size_bytes),
       sum(stored_size_bytes), max(payload_size_bytes), sum(retrieved_count),
       sum(write_duration_ms), max(write_duration_ms), count(*), 0, 0, 0, 0, 0
from bus.message_bus where message_type <> 'watcher_observation' group by 1, 2, 3
"""


def fill(dsn: str, messages: int) -> None:
    """So many messages of the last 40 hours, as daemons have rolled them up, statistics known."""
    with psycopg.connect(direct(dsn), autocommit=True) as admin:
        admin.execute(
            f"select bus.ensure_partitions(now() - interval '{HOURS + 1} hours', "
            "now() + interval '1 day')"
        )
        admin.execute(FILL.encode(), [messages] * 3)
        admin.execute(ROLL_UP.encode())
        admin.execute("select bus.follow_cursor('behind', null, false)")  # all of it waits for it
        admin.execute("analyze bus.message_bus")
        admin.execute("analyze bus.traffic")
