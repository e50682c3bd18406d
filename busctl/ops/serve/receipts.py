"""What clients report of the payloads that this session sent them."""

from __future__ import annotations

import logging
from collections import OrderedDict
from uuid import UUID

from busctl.core.envelope import ClaimCheck
from busctl.core.hops import RECEIVED, Hop, differs, measured
from busctl.core.protocol import Receipt, Received
from busctl.ops.bus import Bus
from busctl.ports import Meter

MAX_EXPECTED = 4096
"""Payloads of one session of which a report is still taken; older ones are forgotten."""

log = logging.getLogger("busctl.serve")


class Receipts:
    """Takes reports of one session, only of what it was sent: a client tells nothing of others'
    messages."""

    def __init__(self, bus: Bus, meter: Meter) -> None:
        self._bus = bus
        self._meter = meter
        self._expected: OrderedDict[UUID, tuple[ClaimCheck, int]] = OrderedDict()

    def expect(self, claim: ClaimCheck) -> None:
        """That payload is being sent, or was offered: one report of it will be taken."""
        _, allowed = self._expected.get(claim.transaction_id, (claim, 0))
        self._expected[claim.transaction_id] = claim, allowed + 1
        self._expected.move_to_end(claim.transaction_id)
        if len(self._expected) > MAX_EXPECTED:
            self._expected.popitem(last=False)

    def take(self, frame: Received) -> None:
        for receipt in frame.receipts:
            claim = self._allowed(receipt.transaction_id)
            if claim is None:
                log.info(
                    "receipt ignored: no such payload was sent in this session, or so often",
                    extra={"transaction_id": str(receipt.transaction_id)},
                )
                continue
            self._take(receipt, claim)

    def _allowed(self, transaction_id: UUID) -> ClaimCheck | None:
        """A trail is no place for a client to write to as it likes."""
        claim, allowed = self._expected.get(transaction_id, (None, 0))
        if claim is None or not allowed:
            return None
        self._expected[transaction_id] = claim, allowed - 1
        return claim

    def _take(self, receipt: Receipt, claim: ClaimCheck) -> None:
        told = measured(receipt.size, receipt.checksum)
        part = receipt.offset is not None
        detail = {**told, "ok": receipt.ok, **({"offset": receipt.offset} if part else {})}
        self._bus.passed(receipt.transaction_id, RECEIVED, Hop.CLIENT, detail)
        sent = measured(claim.payload_size_bytes, claim.checksum)
        if not receipt.ok or (not part and differs(sent, told)):
            self._meter.hop_mismatch(Hop.CLIENT)
            log.error(
                "payload came to the client changed",
                extra={"transaction_id": str(receipt.transaction_id), "sent": sent,
                       "received": detail},
            )  # fmt: skip
