"""The way of one payload, put together from its audit trail: every hop in order, and the first at
which it was not what it had been before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from busctl.core.envelope import Event
from busctl.core.fsck import Inspected, faults_of
from busctl.core.hops import ACCEPTED, PRODUCED, RECEIVED, SENT, Hop, differs, measured
from busctl.core.watching.truncation import TRUNCATION

SPOOL = "spool"
"""Where it waited for a store that was away: between daemon and store."""
READ = "read"
"""Where a daemon reads a payload back from the store: between store and wire."""
_ORDER = (Hop.TOOL, Hop.DAEMON, SPOOL, Hop.STORE, READ, Hop.WIRE, Hop.CLIENT)
_PLACES = {PRODUCED: Hop.TOOL, ACCEPTED: Hop.DAEMON, "stored": Hop.STORE, SENT: Hop.WIRE,
           RECEIVED: Hop.CLIENT, "fell_back": SPOOL}  # fmt: skip
_NOTED = ("reason", "via", "coding", "coded_size", "chunk", "bytes")


@dataclass(frozen=True, slots=True)
class Passed:
    """One line: what was seen at a hop. `size` in bytes and `checksum` (SHA-256, hex) are None
    where that was not measured. `fault` says how it differs from what was there before."""

    hop: str
    event: str
    at: datetime | None
    size: int | None
    checksum: str | None
    offset: int | None
    note: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class Trace:
    """`unseen` are the hops that nothing is known of: not seen is not fine."""

    passed: tuple[Passed, ...]
    unseen: tuple[str, ...]
    suspicions: tuple[Event, ...]

    @property
    def differs(self) -> Passed | None:
        """The first line, along the way, that is not what came before it."""
        return next((one for one in self.passed if one.fault is not None), None)


def trace(events: Sequence[Event], stored: Inspected | None, now: datetime) -> Trace:
    """Order the trail along the way and compare each hop with the one before it.

    `stored` is what the server found in the store at `now`, None when nothing is there (any more).
    """
    lines: list[tuple[str, Event | None]] = sorted(
        (line for event in events if (line := _line(event)) is not None),
        key=lambda line: _ORDER.index(line[0]),
    )
    if stored is not None:
        place = sum(_ORDER.index(hop) <= _ORDER.index(Hop.STORE) for hop, _ in lines)
        lines.insert(place, (Hop.STORE, None))
    passed = tuple(_compared(lines, stored, now))
    seen = {one.hop for one in passed}
    unseen = tuple(hop.value for hop in Hop if hop not in seen)
    suspicions = tuple(one for one in events if one.kind == TRUNCATION)
    return Trace(passed, unseen, suspicions)


def _line(event: Event) -> tuple[str, Event] | None:
    """Where on the way an event belongs; None for one that tells nothing about bytes."""
    if event.kind in ("delivered", "corrupt"):
        # At the client it is the end of the way, at the store what `fsck` found there.
        known = event.hop if event.hop in (Hop.WIRE, Hop.CLIENT, Hop.STORE) else READ
        return known, event
    place = _PLACES.get(event.kind)
    if event.kind == "fell_back" and "size" not in event.detail:
        return None
    return None if place is None else (place, event)


def _compared(
    lines: Sequence[tuple[str, Event | None]], stored: Inspected | None, now: datetime
) -> Iterator[Passed]:
    before: dict[str, Any] = {}
    for hop, event in lines:
        if event is None:
            assert stored is not None  # noqa: S101  # only then there is such a line
            yield _in_store(stored, before, now)
            continue
        detail = event.detail
        part = detail.get("offset")
        here = {name: detail[name] for name in ("size", "checksum") if name in detail}
        fault = _fault(event, before, here)
        yield Passed(
            hop, event.kind, event.at, here.get("size", detail.get("length")),
            here.get("checksum"), part, _note(event), fault,
        )  # fmt: skip
        if part is None and fault is None and not detail.get("incomplete"):
            before = {**before, **here}


def _fault(event: Event, before: dict[str, Any], here: dict[str, Any]) -> str | None:
    if event.kind == "corrupt" and event.detail.get("spool"):
        return str(event.detail.get("why") or "its file in the spool was damaged")
    if event.kind == "corrupt":
        return f"the stored bytes did not match their SHA-256 ({_note(event)})"
    if event.detail.get("incomplete"):
        return None  # told as such; a peer that leaves changes nothing
    if event.detail.get("offset") is None and differs(before, here):
        return _difference(before, here)
    if event.detail.get("ok") is False:
        return "the client found them wrong"
    return None


def _difference(before: dict[str, Any], here: dict[str, Any]) -> str:
    if "size" in before and "size" in here and before["size"] != here["size"]:
        return f"{here['size']:,} bytes, {before['size']:,} before"
    return "another SHA-256 than before"


def _in_store(stored: Inspected, before: dict[str, Any], now: datetime) -> Passed:
    """The store as it is now, judged by the server that looked at it."""
    faults = faults_of(stored)
    digest = stored.body_digest if stored.compression == "none" else None
    here = measured(stored.payload_size_bytes, digest.hex() if digest else None)
    fault = faults[0].message if faults else None
    if fault is None and differs(before, here):
        fault = _difference(before, here)
    parts = f"{stored.chunk_count:,} chunks match" if stored.chunk_count else "its body matches"
    wrong = f"{len(faults):,} fault{'s' if len(faults) > 1 else ''}"
    note = wrong if faults else f"{parts} what was stored"
    return Passed(
        Hop.STORE, "as it is now", now, here["size"], here.get("checksum"), None, note, fault
    )


def _note(event: Event) -> str:
    # The row was committed under what its writer had measured; the server took no digest then.
    told = ["as the writer said"] if event.kind == "stored" else []
    told += [f"{name} {event.detail[name]}" for name in _NOTED if name in event.detail]
    if event.detail.get("incomplete"):
        told.append("incomplete")
    if event.detail.get("verified") is False:
        told.append("not verified")
    return ", ".join(told)
