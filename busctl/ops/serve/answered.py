"""Which requests have an answer that the store may not know of: this daemon's own of late, and
those that wait in the spool. While the store is away nobody else can tell that a request was made
before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from busctl.core.errors import BusctlError
from busctl.ports import Request, Spool

MOST = 10_000
"""Requests remembered, the latest; the store and the spool know the others."""


class Answered:
    """Remembers the answers of one daemon; `spool` is None where there is none."""

    def __init__(self, spool: Spool | None) -> None:
        self._spool = spool
        self._known: OrderedDict[Request, UUID] = OrderedDict()

    async def waiting(self, request: Request) -> UUID | None:
        """The message in the spool that answers it: the store does not know of that yet."""
        if self._spool is None or not self._spool.ids():
            return None
        return await self._spool.answer_of(request)

    def lately(self, request: Request) -> UUID | None:
        """The message that this daemon has answered it with: for when the store cannot tell."""
        return self._known.get(request)

    @contextmanager
    def remembering(self, request: Request, transaction_id: UUID) -> Iterator[None]:
        """Note that the block answers a request; an error that was kept is an answer as well."""
        try:
            yield
        except BusctlError as error:
            if error.transaction_id == transaction_id:
                self._remember(request, transaction_id)
            raise
        self._remember(request, transaction_id)

    def _remember(self, request: Request, transaction_id: UUID) -> None:
        self._known[request] = transaction_id
        if len(self._known) > MOST:
            self._known.popitem(last=False)
