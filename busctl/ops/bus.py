"""The bus: put a payload and get a claim check, redeem the claim and get the same bytes."""

from __future__ import annotations

from busctl.ops.getting import Getting, Opened
from busctl.ops.keeping import Keeping
from busctl.ops.putting import AHEAD, Outgoing, Putting

__all__ = ["AHEAD", "Bus", "Opened", "Outgoing"]


class Bus(Putting, Getting, Keeping):
    """`put(payload) -> ClaimCheck`, `get(id) -> bytes`, verified.

    Raises the named errors of `busctl.core.errors`, each with the transaction id in it;
    BusDisabled when MESSAGE_BUS_ENABLED is false.
    """

    async def close(self) -> None:
        """Write what is still to be recorded, then leave the store."""
        await self.waking.close()
        await self.deliveries.close()
        await self.store.close()
