"""Watching: each message once and whole; what the rules find, and what they spare."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from typing import cast

import psycopg
import pytest

from busctl.adapters.postgres.neglect import PostgresNeglect
from busctl.adapters.postgres.store import PostgresStore
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Labels, MessageType
from busctl.core.ids import make_id
from busctl.core.samples import sample
from busctl.core.watching.observation import Observation, Rule
from busctl.ops import watching
from busctl.ops.watching import Watcher

HOUR = timedelta(hours=1)


async def watched(
    bus: Bus, name: str = "w", rules: tuple[Rule, ...] = tuple(Rule)
) -> list[Observation]:
    async with bus.follow(name, most=50) as follower:
        return [one async for one in Watcher(bus, follower, rules).watch(once=True)]


async def put(bus: Bus, payload: bytes, kind: str = "application/json", tool: str = "t") -> None:
    await bus.put(payload, Labels(content_type=kind, tool_name=tool))


FOUND: list[tuple[str, str, bytes, set[str]]] = [
    ("whole JSON", "application/json", b'{"rows": [1, 2, 3]}', set()),
    ("JSON that ends early", "application/json", b'{"rows": [1, 2, {"a": "b', {"truncation"}),
    ("a marker", "text/plain", b"line\n" * 50 + b"[... 120 lines truncated ...]", {"truncation"}),
    ("nothing", "text/plain", b"", {"empty"}),
    ("an empty list", "application/json", b" [ ] \n", {"empty"}),
    ("no content", "application/json", b'{"content": [], "isError": false}', {"empty"}),
    ("a zero", "application/json", b"0", set()),
    ("a traceback", "text/plain", b"Traceback (most recent call last):\n  x", {"error_shaped"}),
    ("a named error", "text/plain", b"ValueError: no such file", {"error_shaped"}),
    ("an error page", "text/html", b"<html><title>502 Bad Gateway</title>", {"error_shaped"}),
    ("isError", "application/json", b'{"content": [1], "isError": true}', {"error_shaped"}),
    ("an error member", "application/json", b'{"error": {"code": 5}}', {"error_shaped"}),
    ("no error", "application/json", b'{"error": null, "rows": [1]}', set()),
    ("a status", "application/json", b'{"status": 503, "body": "x"}', {"error_shaped"}),
    ("a text about errors", "text/plain", b"How errors are handled: error: is logged", set()),
    ("its own word", "application/json", b'{"tree": [1], "truncated": true}', {"truncation"}),
    ("its own word for whole", "application/json", b'{"tree": [1], "truncated": false}', set()),
    ("dots inside JSON", "application/json", b'{"text": "and so on..."}', set()),
    ("lines of JSON", "application/x-ndjson", b'{"a": 1}\n{"a": [2]}\n', set()),
    ("lines of JSON, cut", "application/x-ndjson", b'{"a": 1}\n{"a": [2', {"truncation"}),
    ("a measure", "application/json", b'{"error": 0.13, "model": "linear"}', set()),
    ("a count", "application/json", b'{"errors": 3, "passed": 10}', set()),
    ("a sum", "text/plain", b"Failed: 0, passed: 10", set()),
    ("a failure", "text/plain", b"failed: no such table", {"error_shaped"}),
    ("a page with 500 in it", "text/html", b"<html><title>Top 500 companies</title>", set()),
    ("a page on error", "text/html", b"<html><title>The margin of error</title>", set()),
    ("one of nginx", "text/html", b"<html><title>404 Not Found</title>", {"error_shaped"}),
    (
        "one of Cloudflare",
        "text/html",
        b"<html><title>a.example | 522: Connection timed out</title>",
        {"error_shaped"},
    ),
    ("blank text", "application/json", b'{"content": [{"type": "text", "text": " "}]}', {"empty"}),
    (
        "no block but a value",
        "application/json",
        b'{"content": [], "structuredContent": {"n": 1}}',
        set(),
    ),
    ("one bracket", "text/plain", b"[", set()),
    ("type not said", "application/octet-stream", b'{"rows": [1, 2, {"a": "b', {"truncation"}),
    ("bytes", "application/octet-stream", bytes(range(256)), set()),
]


@pytest.mark.parametrize(
    ("kind", "payload", "rules"), [x[1:] for x in FOUND], ids=[x[0] for x in FOUND]
)
async def test_what_is_found(bus: Bus, kind: str, payload: bytes, rules: set[str]) -> None:
    await put(bus, payload, kind)
    (one,) = await watched(bus)
    assert {each.rule.value for each in one.remarks} == rules
    assert one.verified
    assert one.bytes_read == len(payload)


async def test_nothing_found_is_no_warning(bus: Bus) -> None:
    """A search without a hit answers so, and quite right; no bytes at all are something else."""
    for payload in (b"[]", b"null", b'""', b""):
        await put(bus, payload)
    severities = [one.remarks[0].severity for one in await watched(bus)]
    assert severities == ["info", "info", "info", "warning"]


async def test_what_its_tool_says_is_not_whole_is_found(bus: Bus) -> None:
    labels = Labels(content_type="text/plain", tool_name="t", metadata={"incomplete": "length"})
    await bus.put(b"the first half of it, which looks whole.", labels)
    (one,) = await watched(bus)
    assert [(each.rule.value, each.confidence) for each in one.remarks] == [("truncation", 1.0)]
    assert one.remarks[0].detail == {"kind": "truncated_by_provider"}


async def test_each_message_is_observed_once_and_observations_never(
    bus: Bus, settings: Settings
) -> None:
    sizes = (0, 10, 70_000, 500_000, 1_500_000)
    for n in range(60):
        await put(bus, sample("random", sizes[n % len(sizes)], n), "application/octet-stream")
    seen = await watched(bus)
    assert len(seen) == 60
    assert await watched(bus) == []
    assert len(await watched(bus, "another")) == 60
    rows = query(settings, "select observed, watcher, ok, bytes_read from bus.watcher_observations")
    assert len({(row[0], row[1]) for row in rows}) == len(rows) == 120
    stored = query(
        settings,
        "select sum(payload_size_bytes) from bus.message_bus where message_type = 'tool_response'",
    )
    assert sum(one.bytes_read for one in seen) == stored[0][0]
    for one in seen[:3]:
        kept = await bus.stat(one.transaction_id)
        assert kept.labels.message_type is MessageType.WATCHER_OBSERVATION
        assert kept.labels.metadata["observed"] == str(one.observed.transaction_id)
        assert (await bus.stat(one.observed.transaction_id)).retrieved_count == 0


async def test_a_batch_done_twice_is_stored_once(bus: Bus, settings: Settings) -> None:
    """As after a kill between storing and knowing of it: the same observations, the same ids."""
    for _ in range(3):
        await put(bus, os.urandom(9))
    first = await watched(bus)
    execute(settings, "delete from bus.watcher_cursor")
    again = await watched(bus)
    assert [one.transaction_id for one in first] == [one.transaction_id for one in again]
    assert query(settings, "select count(*) from bus.watcher_observations") == [(3,)]


@pytest.mark.parametrize("size", [100, 200_000, 2_500_000])
async def test_damage_is_critical(bus: Bus, settings: Settings, size: int) -> None:
    claim = await bus.put(sample("random", size), Labels(tool_name="t"))
    table, column = ("chunk", "body") if size > 1_000_000 else ("bus", "payload")
    execute(settings, f"update bus.message_{table} set {column} = overlay({column} "
            "placing '\\xffff'::bytea from 40) where transaction_id = "
            f"'{claim.transaction_id}'")  # fmt: skip
    (one,) = await watched(bus)
    assert [(each.rule, each.severity) for each in one.remarks] == [("integrity", "critical")]
    assert not one.verified
    found = query(settings, "select rule, severity, confidence from bus.watcher_findings")
    assert found == [("integrity", "critical", 1.0)]


async def test_what_stands_out_of_a_tools_own_answers(bus: Bus) -> None:
    for n in range(40):
        await put(bus, sample("json", 900 + n, n), tool="steady")
        await put(bus, sample("random", 1000 + 50_000 * n, n), "image/png", tool="varied")
    await put(bus, sample("json", 60_000, 99), tool="steady")
    await put(bus, sample("random", 1_900_000, 99), "image/png", tool="varied")
    for _ in range(3):
        await put(bus, b'{"answer": 42}', tool="fixed")
    found = [(one.observed.labels.tool_name, each.rule.value)
             for one in await watched(bus) for each in one.remarks]  # fmt: skip
    assert found == [("steady", "size_outlier"), ("fixed", "repeated")]


async def test_a_call_that_takes_much_longer_than_others_of_its_tool(bus: Bus) -> None:
    """The time from the id, which is made at the beginning of a call; a tool that always takes long
    and one that has hardly answered yet have none."""
    taken = {"quick": [50, 60, 40] * 13, "slow": [9_000, 11_000, 10_000] * 13, "new": [50, 60]}
    for tool, times in taken.items():
        for n, ms in enumerate([*times, 12_000]):
            begun = make_id(int(time.time() * 1000) - ms, os.urandom(10))
            await bus.put(b'{"n": %d}' % n, Labels(tool_name=tool), transaction_id=begun)
    found = [(one.observed.labels.tool_name, each.rule.value, each.severity.value)
             for one in await watched(bus) for each in one.remarks]  # fmt: skip
    assert found == [("quick", "latency_outlier", "info")]


async def test_what_is_recalled_counts_once(bus: Bus) -> None:
    for _ in range(2):
        await put(bus, b'{"answer": 42}')
    async with bus.follow("w") as follower:
        watcher = Watcher(bus, follower)
        await watcher.recall()
        assert not [one async for one in watcher.watch(once=True) if one.remarks]
        await put(bus, b'{"answer": 42}')
        (third,) = [one async for one in watcher.watch(once=True)]
        assert [each.rule for each in third.remarks] == [Rule.REPEATED]


async def test_an_answer_repeats_those_before_it_and_none_that_follow(bus: Bus) -> None:
    for n in range(60):
        await put(bus, b'{"n": %d}' % n if n % 12 else b'{"again": 1}')
    async with bus.follow("w") as follower:
        watcher = Watcher(bus, follower)
        await watcher.recall()
        found = [bool(one.remarks) async for one in watcher.watch(once=True)]
    assert [n for n, is_repeated in enumerate(found) if is_repeated] == [24, 36, 48]


async def test_only_chosen_rules(bus: Bus) -> None:
    await put(bus, b"")
    await put(bus, b'{"a": "b')
    found = await watched(bus, rules=(Rule.EMPTY,))
    assert [[each.rule for each in one.remarks] for one in found] == [[Rule.EMPTY], []]


async def test_what_nobody_redeems(bus: Bus, settings: Settings) -> None:
    old, short, read = [
        await bus.put(os.urandom(9), Labels(tool_name="t"), ttl=ttl)
        for ttl in (timedelta(days=1), timedelta(minutes=30), timedelta(minutes=30))
    ]
    await bus.get(read.transaction_id)
    await bus.deliveries.flush()
    execute(settings, "update bus.message_bus set created_at = created_at - interval '29 minutes',"
            "expires_at = expires_at - interval '29 minutes'")  # fmt: skip
    neglect = PostgresNeglect(cast(PostgresStore, bus.store.inner), "w")
    async with bus.follow("w") as follower:
        watcher = Watcher(bus, follower)
        seen = [one async for one in watcher.watch(once=True)]
        assert not any(one.remarks for one in seen)
        found = [one async for one in watcher.sweep(neglect, timedelta(0), HOUR)]
        assert [(one.observed.transaction_id, one.stage.value) for one in found] == [
            (old.transaction_id, "unredeemed"),
            (short.transaction_id, "unredeemed"),
            (short.transaction_id, "expiry_ahead"),
        ]
        assert [one async for one in watcher.sweep(neglect, timedelta(0), HOUR)] == []
        assert [one async for one in watcher.watch(once=True)] == []


async def test_sweeps_go_on_after_a_failure_of_any_kind(
    bus: Bus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SWEEP_SECS", 0.05)
    await bus.put(b"x", Labels(tool_name="t"))
    execute(settings, "alter function bus.first_id(timestamptz) rename to first_id_gone")
    neglect = PostgresNeglect(cast(PostgresStore, bus.store.inner), "w")
    told: list[Observation] = []
    async with bus.follow("w") as follower:
        sweeps = watching.sweeping(Watcher(bus, follower), neglect, timedelta(0), HOUR, told.append)
        sweeping = asyncio.create_task(sweeps)
        await asyncio.sleep(0.3)
        assert not told and not sweeping.done()
        execute(settings, "alter function bus.first_id_gone(timestamptz) rename to first_id")
        while not told:
            await asyncio.sleep(0.05)
        sweeping.cancel()
        await asyncio.wait([sweeping])


def query(settings: Settings, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.database_dsn() or "") as session:
        return session.execute(text.encode()).fetchall()


def execute(settings: Settings, text: str) -> None:
    with psycopg.connect(settings.database_dsn() or "", autocommit=True) as session:
        session.execute(text.encode())
