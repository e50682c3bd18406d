"""What a message is and looks like, and what is known of its way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from busctl.core.envelope import Envelope
from busctl.core.reading.outline import DEFAULT_ROOM, Outline, Outliner
from busctl.core.trace import Trace, trace
from busctl.ops.bus import Bus


@dataclass(frozen=True, slots=True)
class Info:
    """`way` is put together from the message's events alone."""

    envelope: Envelope
    outline: Outline
    way: Trace

    def as_json(self) -> dict[str, Any]:
        """`{transaction_id, content_type, size, checksum, created_at, expires_at, pinned,
        message_type, tool_name, owner, metadata, outline, hops, differs, suspicions}`."""
        envelope, labels = self.envelope, self.envelope.labels
        differs = self.way.differs
        return {
            "transaction_id": str(envelope.transaction_id), "content_type": labels.content_type,
            "size": envelope.payload_size_bytes, "checksum": envelope.checksum.hex(),
            "created_at": envelope.created_at.isoformat(),
            "expires_at": envelope.expires_at.isoformat(), "pinned": envelope.pinned,
            "message_type": labels.message_type.value, "tool_name": labels.tool_name,
            "owner": labels.owner, "metadata": dict(labels.metadata),
            "outline": self.outline.as_json(),
            "hops": [
                {"hop": str(one.hop), "event": one.event, "size": one.size,
                 "checksum": one.checksum}
                for one in self.way.passed
            ],
            "differs": differs and f"at {differs.hop}: {differs.fault}",
            "suspicions": [one.detail for one in self.way.suspicions],
        }  # fmt: skip

    def as_text(self) -> str:
        """The same in lines, with the outline as it is shown."""
        known = self.as_json()
        names = ("content_type", "size", "checksum", "created_at", "expires_at", "tool_name")
        lines = [f"Message {known['transaction_id']}"]
        lines += [f"{name}: {known[name]}" for name in names if known[name] not in (None, "")]
        lines.append(f"hops: {', '.join(_hops(self.way)) or 'none noted'}")
        if known["differs"]:
            lines.append(f"differs: {known['differs']}")
        lines += [f"perhaps cut before it was stored: {one}" for one in known["suspicions"]]
        return "\n".join([*lines, "", self.outline.text])


async def info(
    bus: Bus, transaction_id: UUID, *, principal: str | None = None, room: int = DEFAULT_ROOM
) -> Info:
    """All of it is read for that, and verified. Raises the outcomes of redeeming."""
    opened = await bus.open(transaction_id, principal=principal, delivers=False)
    outliner = Outliner(opened.claim.content_type, room=room)
    async with aclosing(opened.pieces) as pieces:  # type: ignore[type-var]  # the bus gives a generator
        async for piece in pieces:
            await asyncio.to_thread(outliner.add, piece)
    outline = await asyncio.to_thread(outliner.finish)
    envelope, events = await bus.stat(transaction_id), await bus.events(transaction_id)
    return Info(envelope, outline, trace(events, None, bus.clock.now()))


def _hops(way: Trace) -> Sequence[str]:
    return list(dict.fromkeys(f"{one.hop} {one.event}" for one in way.passed))
