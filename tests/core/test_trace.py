"""The order of hops, what is compared with what, and the first that differs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from busctl.core.envelope import CHUNK_BYTES, Compression, Event
from busctl.core.fsck import Inspected, faults_of
from busctl.core.trace import trace

ID = UUID("01a20506-eb52-7179-8b3e-b986b7334e37")
NOW = datetime(2026, 11, 27, tzinfo=UTC)
GOOD, BAD = "aa" * 32, "bb" * 32


def event(kind: str, hop: str, second: int = 0, **detail: Any) -> Event:
    return Event(ID, NOW + timedelta(seconds=second), kind, hop, detail)


def way(**changed: dict[str, Any]) -> list[Event]:
    """The trail of one answer that was fetched, some of its hops changed or (empty) left out."""
    seen = {"size": 10, "checksum": GOOD}
    lines = {
        "received": ("client", {**seen, "ok": True}), "sent": ("wire", {**seen, "via": "fetch"}),
        "delivered": ("daemon", {**seen, "verified": True}), "stored": ("store", seen),
        "accepted": ("daemon", seen), "produced": ("tool", seen),
    }  # fmt: skip
    return [
        event(kind, hop, **{**detail, **changed.get(kind, {})})
        for kind, (hop, detail) in lines.items() if changed.get(kind) != {}
    ]  # fmt: skip


def kept(**fields: Any) -> Inspected:
    row = {
        "transaction_id": ID, "payload_size_bytes": 10, "stored_size_bytes": 10, "chunk_count": 0,
        "compression": Compression.NONE, "checksum": bytes.fromhex(GOOD),
        "stored_checksum": bytes.fromhex(GOOD), "body_size": 10,
        "body_digest": bytes.fromhex(GOOD), "chunk_bytes": 0,
        "trail": {"size": 10, "checksum": GOOD},
    }  # fmt: skip
    return Inspected(**{**row, **fields})


def test_hops_come_in_the_order_of_the_way_whatever_the_order_of_events() -> None:
    found = trace(way(), kept(), NOW)
    assert [(one.hop, one.event) for one in found.passed] == [
        ("tool", "produced"), ("daemon", "accepted"), ("store", "stored"),
        ("store", "as it is now"), ("read", "delivered"), ("wire", "sent"), ("client", "received"),
    ]  # fmt: skip
    assert (found.differs, found.unseen) == (None, ())
    assert {one.checksum for one in found.passed} == {GOOD}


@pytest.mark.parametrize(
    ("kind", "change", "hop", "says"),
    [
        ("accepted", {"size": 9}, "daemon", "9 bytes, 10 before"),
        ("accepted", {"checksum": BAD}, "daemon", "another SHA-256"),
        ("stored", {"size": 8, "checksum": BAD}, "store", "8 bytes"),
        ("delivered", {"checksum": BAD}, "read", "another SHA-256"),
        ("sent", {"size": 1_000_000}, "wire", "1,000,000 bytes"),
        ("received", {"checksum": BAD, "ok": False}, "client", "another SHA-256"),
        ("received", {"ok": False}, "client", "found them wrong"),
    ],
)
def test_the_first_hop_that_differs_is_named(
    kind: str, change: dict[str, Any], hop: str, says: str
) -> None:
    first = trace(way(**{kind: change}), None, NOW).differs
    assert first is not None
    assert first.hop == hop
    assert says in str(first.fault)


def test_a_change_early_on_is_not_blamed_on_those_behind_it() -> None:
    """All hops behind a change agree with one another; only the first of them is named."""
    bad = {"size": 5, "checksum": BAD}
    changed = dict.fromkeys(("accepted", "stored", "delivered", "sent", "received"), bad)
    first = trace(way(**changed), None, NOW).differs
    assert first is not None
    assert first.hop == "daemon"


def test_what_was_not_seen_is_said() -> None:
    found = trace(way(produced={}, received={}, sent={}), kept(), NOW)
    assert found.unseen == ("tool", "wire", "client")
    assert found.differs is None
    assert trace([], kept(), NOW).unseen == ("tool", "daemon", "wire", "client")


def test_a_hop_without_a_digest_is_compared_by_its_size() -> None:
    http = event("sent", "wire", via="http", size=10)
    assert trace([*way(sent={}), http], None, NOW).differs is None
    short = event("sent", "wire", via="http", size=7)
    first = trace([*way(sent={}), short], None, NOW).differs
    assert first is not None
    assert (first.hop, first.checksum) == ("wire", None)


def test_parts_and_transfers_that_were_cut_off_are_no_difference() -> None:
    part = event("sent", "wire", 1, via="fetch", size=3, checksum=BAD, offset=4)
    cut = event("sent", "wire", 2, via="fetch", size=6, checksum=BAD, incomplete=True)
    coded = event("sent", "wire", 3, via="http", coding="zstd", coded_size=4)
    found = trace([*way(), part, cut, coded], None, NOW)
    assert found.differs is None
    assert [one.note for one in found.passed if one.hop == "wire"] == [
        "via fetch", "via fetch", "via fetch, incomplete", "via http, coding zstd, coded_size 4",
    ]  # fmt: skip
    wrong = event("received", "client", 4, size=3, checksum=BAD, offset=4, ok=False)
    assert trace([*way(), wrong], None, NOW).differs is not None


def test_damage_in_the_store_is_named_there() -> None:
    altered = kept(body_digest=bytes.fromhex(BAD))
    found = trace([*way(), event("corrupt", "client", 5, chunk=None, bytes=[0, 10])], altered, NOW)
    assert found.differs is not None
    assert (found.differs.hop, found.differs.event) == ("store", "as it is now")


SIZE = 2 * CHUNK_BYTES + 5


def chunked(**fields: Any) -> Inspected:
    row = {
        "payload_size_bytes": SIZE, "stored_size_bytes": 300, "chunk_count": 3,
        "compression": Compression.ZSTD, "stored_checksum": bytes(32), "body_size": None,
        "body_digest": None, "chunk_bytes": 300, "present": (0, 1, 2),
        "trail": {"size": SIZE, "checksum": GOOD},
    }  # fmt: skip
    return kept(**{**row, **fields})


@pytest.mark.parametrize(
    ("inspected", "kinds"),
    [
        (kept(), []),
        (chunked(), []),
        (kept(body_size=9), ["size_differs"]),
        (kept(body_size=None, body_digest=None), ["body_missing"]),
        (kept(body_digest=bytes(32)), ["body_altered"]),
        (kept(payload_size_bytes=11), ["size_differs", "envelope_altered"]),
        (kept(checksum=bytes(32)), ["digest_altered", "envelope_altered"]),
        (kept(present=(0,)), ["extra_chunks"]),
        (kept(trail={}), []),
        (chunked(wrong=(1,)), ["chunk_altered"]),
        (chunked(present=(0, 2), chunk_bytes=200), ["chunk_missing"]),
        (chunked(present=(), chunk_bytes=0), ["chunk_missing"] * 3),
        (chunked(odd=(2,)), ["size_differs"]),
        (chunked(present=(0, 1, 2, 3), chunk_bytes=400), ["extra_chunks"]),
        (chunked(chunk_bytes=299), ["size_differs"]),
        (chunked(payload_size_bytes=CHUNK_BYTES, trail={}), ["size_differs"]),
        (chunked(body_size=3), ["extra_body"]),
    ],
)
def test_faults_of_a_stored_message(inspected: Inspected, kinds: list[str]) -> None:
    assert [one.kind for one in faults_of(inspected)] == kinds


def test_a_fault_of_a_chunk_names_its_bytes() -> None:
    (fault,) = faults_of(chunked(wrong=(2,)))
    assert (fault.chunk, fault.byte_range) == (2, (2 * CHUNK_BYTES, SIZE))
    assert fault.as_detail() == {
        "fault": "chunk_altered", "chunk": 2, "bytes": [2 * CHUNK_BYTES, SIZE],
    }  # fmt: skip


def test_what_was_damaged_in_the_spool_says_so() -> None:
    why = "Message x is damaged in the spool (/s/x.msg): it does not end as it should."
    found = trace([*way(), event("corrupt", "reconcile", 5, spool=True, why=why)], None, NOW)
    assert found.differs is not None
    assert found.differs.fault == why
