"""The outcomes of a claim are distinct, and every refusal has a name and the id in it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from busctl.connect import Bus
from busctl.core.envelope import Labels, MessageType
from busctl.core.errors import (
    AccessDenied,
    BusDisabled,
    ConfigurationError,
    InvalidId,
    InvalidLabel,
    MessageCorrupt,
    MessageExpired,
    MessageMissing,
    OutsideHorizon,
)
from busctl.core.ids import first_id, unix_ms_of
from busctl.core.principal import OPERATOR, Principal, Scope
from busctl.core.samples import sample
from busctl.ops.bus import Outgoing
from busctl.ports import Filter
from tests.adapters.bus_sql import MIB, connected, new_id, sql
from tests.conftest import alter_database

pytestmark = pytest.mark.one_database

Act = Callable[[Bus, UUID], Awaitable[object]]


async def _drain(bus: Bus, chosen: UUID) -> object:
    return [piece async for piece in bus.stream(chosen)]


READS: list[Act] = [
    lambda bus, chosen: bus.get(chosen),
    lambda bus, chosen: bus.open(chosen),
    lambda bus, chosen: bus.open_stored(chosen),
    lambda bus, chosen: bus.get_file(chosen, Path("/nowhere/never")),
    _drain,
]
LOOKS: list[Act] = [
    lambda bus, chosen: bus.stat(chosen),
    lambda bus, chosen: bus.pin(chosen),
    lambda bus, chosen: bus.unpin(chosen),
    lambda bus, chosen: bus.extend(chosen, timedelta(hours=1)),
    lambda bus, chosen: bus.remove(chosen),
]


@pytest.mark.parametrize("act", READS + LOOKS)
async def test_an_id_that_never_was(bus: Bus, act: Act) -> None:
    with pytest.raises(MessageMissing, match="ever stored") as caught:
        await act(bus, chosen := new_id())
    assert caught.value.transaction_id == chosen
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("act", READS)
@pytest.mark.parametrize("size", [10, 3 * MIB])
async def test_a_message_past_its_time(bus: Bus, act: Act, size: int) -> None:
    claim = await bus.put(sample("json", size), ttl=timedelta(milliseconds=1))
    await asyncio.sleep(0.01)
    with pytest.raises(MessageExpired, match="expired at ") as caught:
        await act(bus, claim.transaction_id)
    assert caught.value.transaction_id == claim.transaction_id
    assert claim.expires_at.isoformat() in caught.value.message
    assert (await bus.stat(claim.transaction_id)).status.value == "expired"


@pytest.mark.parametrize("act", READS + LOOKS)
async def test_a_message_that_was_removed(bus: Bus, act: Act) -> None:
    chosen = (await bus.put(sample("json", 3 * MIB))).transaction_id
    await bus.remove(chosen)
    with pytest.raises(MessageExpired, match="removed at"):
        await act(bus, chosen)
    events = [event.kind for event in await bus.events(chosen)]
    assert events == ["stored", "removed"]


@pytest.mark.parametrize("act", READS + LOOKS)
async def test_a_message_that_left_with_its_partition(bus: Bus, database: str, act: Act) -> None:
    chosen = (await bus.put(b"payload")).transaction_id
    await sql(database, "delete from bus.message_bus")
    with pytest.raises(MessageExpired, match="gone since"):
        await act(bus, chosen)


@pytest.mark.parametrize("act", READS + LOOKS)
async def test_a_message_that_was_damaged_before_it_got_there(bus: Bus, act: Act) -> None:
    chosen = bus.clock.new_id()
    await bus.note(chosen, "corrupt", {"spool": "a file that was set aside"})
    with pytest.raises(MessageCorrupt, match="never got there") as raised:
        await act(bus, chosen)
    assert raised.value.transaction_id == chosen


@pytest.mark.parametrize("act", READS + LOOKS)
async def test_an_id_from_before_the_horizon(bus: Bus, act: Act) -> None:
    with pytest.raises(MessageExpired, match="before the horizon of 168 hours"):
        await act(bus, new_id(-169 * 3600))


@pytest.mark.parametrize("act", READS + LOOKS)
async def test_an_id_that_is_no_uuid7(bus: Bus, act: Act) -> None:
    with pytest.raises((InvalidId, MessageMissing, MessageExpired)):
        await act(bus, uuid4())
    with pytest.raises((InvalidId, MessageMissing)):
        await act(bus, UUID(int=(1 << 128) - 1))


@pytest.mark.parametrize("seconds", [-169 * 3600, 25 * 3600, 10**9])
@pytest.mark.parametrize("size", [10, 3 * MIB])
async def test_an_id_of_another_time_is_not_taken(bus: Bus, seconds: int, size: int) -> None:
    with pytest.raises(OutsideHorizon, match="of another time") as caught:
        await bus.put(sample("json", size), transaction_id=(chosen := new_id(seconds)))
    assert caught.value.transaction_id == chosen


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(hours=-1), timedelta.max])
@pytest.mark.parametrize("size", [10, 3 * MIB])
async def test_a_time_to_live_that_is_none_is_not_taken(
    bus: Bus, ttl: timedelta, size: int
) -> None:
    payload = sample("json", size)
    claim = await bus.put(payload)
    for refused in (
        bus.put(payload, ttl=ttl), bus.put_file(io.BytesIO(payload), ttl=ttl),
        bus.put_many([payload], ttl=ttl), bus.extend(claim.transaction_id, ttl),
    ):  # fmt: skip
        with pytest.raises(ConfigurationError, match="over 0 and at most 3,650 days"):
            await refused
    assert await bus.get(claim.transaction_id) == payload


@pytest.mark.parametrize("seconds", [-167 * 3600, 0, 23 * 3600])
@pytest.mark.parametrize("size", [10, 3 * MIB])
async def test_ids_up_to_the_horizon_are_taken(bus: Bus, seconds: int, size: int) -> None:
    payload = sample("json", size)
    claim = await bus.put(payload, transaction_id=new_id(seconds))
    assert await bus.get(claim.transaction_id) == payload


async def test_another_principal_is_denied_and_noted(bus: Bus) -> None:
    chosen = (await bus.put(b"payload", Labels(owner="alice"))).transaction_id
    assert await bus.get(chosen, principal="alice") == b"payload"
    assert await bus.get(chosen) == b"payload"
    for read in (bus.get, bus.open, bus.open_stored):
        with pytest.raises(AccessDenied, match="another principal") as caught:
            await read(chosen, principal="mallory")
        assert caught.value.transaction_id == chosen
        assert "alice" not in str(caught.value)
    denied = [event for event in await bus.events(chosen) if event.kind == "denied"]
    assert [event.detail for event in denied] == [{"principal": "mallory"}] * 3


@pytest.mark.alone
async def test_a_missing_scope_is_denied_and_noted_under_an_id_of_its_own(bus: Bus) -> None:
    caller = Principal("alice", frozenset({Scope.CALL}))
    await bus.require(caller, Scope.CALL, tool="text")
    await bus.require(OPERATOR, Scope.READ, bus.clock.new_id())
    asked = bus.clock.new_id()
    with pytest.raises(AccessDenied, match="alice lacks the scope read") as caught:
        await bus.require(caller, Scope.READ, asked)
    assert caught.value.transaction_id == asked
    dsn = bus.settings.database_dsn() or ""
    events = await sql(dsn, "select detail from bus.message_event where kind = 'denied'")
    assert events == [({"principal": "alice", "scope": "read", "id": str(asked)},)]
    with pytest.raises(MessageMissing):
        await bus.get(asked)


@pytest.mark.alone
async def test_denial_does_not_need_a_writable_store(database: str) -> None:
    async with connected(database) as bus:
        chosen = (await bus.put(b"payload", Labels(owner="alice"))).transaction_id
    alter_database(database, "set default_transaction_read_only = on")
    async with connected(database) as bus:
        with pytest.raises(AccessDenied):
            await bus.get(chosen, principal="mallory")


async def test_denial_comes_before_expiry(bus: Bus) -> None:
    """Who may not read a message does not learn its expiry either."""
    claim = await bus.put(b"x", Labels(owner="alice"), ttl=timedelta(milliseconds=1))
    await asyncio.sleep(0.01)
    with pytest.raises(AccessDenied):
        await bus.get(claim.transaction_id, principal="mallory")


@pytest.mark.alone
async def test_a_bus_that_is_switched_off_says_so(database: str) -> None:
    async with connected(database) as bus:
        chosen = (await bus.put(b"payload")).transaction_id
    async with connected(database, enabled=False) as bus:
        for refused in (
            bus.put(b"x"),
            bus.put(sample("json", 3 * MIB)),
            bus.put_many([b"x"]),
            *(read(bus, chosen) for read in READS),
        ):
            with pytest.raises(BusDisabled, match="MESSAGE_BUS_ENABLED"):
                await refused
    async with connected(database) as bus:
        assert len(await bus.list()) == 1


BAD_TEXTS = ["a\x00b", "lone \ud800", "\udfff"]
LABELS = ["content_type", "tool_name", "session_id", "request_id", "owner"]


@pytest.mark.parametrize("text", BAD_TEXTS)
@pytest.mark.parametrize("label", LABELS)
async def test_a_label_that_no_store_can_hold(bus: Bus, label: str, text: str) -> None:
    before = await bus.list()
    labels = Labels(**{label: text})  # type: ignore[arg-type]  # each of them is a text
    for refused in (
        bus.put(b"x", labels),
        bus.put(sample("json", 3 * MIB), labels),
        bus.put_many([Outgoing(b"x", labels)]),
    ):
        with pytest.raises(InvalidLabel):
            await refused
    assert await bus.list() == before


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        *BAD_TEXTS,
        ["a\x00"],
        {"a": "\ud800"},
        b"bytes",
        {1, 2},
        object(),
    ],
)
async def test_metadata_that_no_store_can_hold(bus: Bus, value: Any) -> None:
    before = await bus.list()
    for payload in (b"x", sample("json", 3 * MIB)):
        with pytest.raises(InvalidLabel, match="metadata"):
            await bus.put(payload, Labels(metadata={"k": value}))
    if isinstance(value, str):
        with pytest.raises(InvalidLabel, match="metadata"):
            await bus.put(b"x", Labels(metadata={value: 1}))
    assert await bus.list() == before


async def test_metadata_that_only_looks_bad_is_kept(bus: Bus) -> None:
    metadata = {
        "escape": "\\u0000", "two": "\\\\u0000 \\", "": None, "emoji": "\U0001f600", "n": 1e15,
        "nested": [{"a": [1, -2.5, True]}], "line": "\r\n\t\x01",
    }  # fmt: skip
    claim = await bus.put(b"x", Labels(metadata=metadata))
    assert (await bus.stat(claim.transaction_id)).labels.metadata == metadata


async def test_a_text_payload_with_a_lone_surrogate(bus: Bus) -> None:
    with pytest.raises(InvalidLabel, match="lone surrogate"):
        await bus.put("half \ud83d")


@pytest.mark.parametrize("text", BAD_TEXTS)
@pytest.mark.parametrize("field", ["tool_name", "session_id", "request_id", "owner"])
async def test_a_filter_that_no_label_can_match(bus: Bus, field: str, text: str) -> None:
    with pytest.raises(InvalidLabel):
        await bus.list(Filter(**{field: text}))  # type: ignore[arg-type]  # each of them is a text


async def test_errors_are_messages_too(bus: Bus) -> None:
    labels = Labels(message_type=MessageType.ERROR, content_type="text/plain")
    claim = await bus.put(b"the tool fell over", labels)
    assert await bus.get(claim.transaction_id) == b"the tool fell over"
    assert (await bus.stat(claim.transaction_id)).status.value == "error"


@pytest.mark.parametrize("way", ["open", "open_stored", "peek"])
async def test_a_message_that_is_removed_while_it_is_read(bus: Bus, way: str) -> None:
    """It is gone, not corrupt, and the audit trail does not say otherwise."""
    chosen = (await bus.put(sample("random", 40 * MIB))).transaction_id
    opened = await getattr(bus, way)(chosen)
    await anext(opened.pieces)
    await bus.remove(chosen)
    with pytest.raises(MessageExpired, match="removed at"):
        async for _ in opened.pieces:
            pass
    assert [event.kind for event in await bus.events(chosen)] == ["stored", "removed"]


@pytest.mark.parametrize("version", ["4", "8", "variant", "bound"])
@pytest.mark.parametrize("size", [10, 2 * MIB])
async def test_an_id_that_could_not_be_redeemed_is_not_taken(
    bus: Bus, version: str, size: int
) -> None:
    """Commands and the daemon read UUIDv7 only: what is put under another id would be lost."""
    made = new_id()
    other = {
        "4": UUID(f"{str(made)[:14]}4{str(made)[15:]}"),
        "8": UUID(f"{str(made)[:14]}8{str(made)[15:]}"),
        "variant": UUID(f"{str(made)[:19]}c{str(made)[20:]}"),
        "bound": first_id(unix_ms_of(made)),
    }[version]
    payload = sample("json", size)
    with pytest.raises(InvalidId, match=str(other)):
        await bus.put(payload, transaction_id=other)
    with pytest.raises(InvalidId, match=str(other)):
        await bus.put_many([Outgoing(payload, transaction_id=other)])
