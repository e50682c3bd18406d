"""Copies of files at providers: each content is uploaded once, however many ask for it at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from busctl.core.breaker import FALLS_BACK
from busctl.core.errors import BusctlError, BusDisabled
from busctl.core.files.copies import copy_name
from busctl.core.files.manifest import Copy, CopyKey
from busctl.ops.access import Access
from busctl.ports import Copies, FileHost, ReadFile

LEASE = timedelta(seconds=30)
RENEW_SECS = 10.0
LOOK_SECS = 0.2
"""How often it is looked whether somebody else's upload has ended."""

UNKEPT = (*FALLS_BACK, BusDisabled)
"""The store takes nothing just now, or is switched off: files are used all the same."""

Result = TypeVar("Result")

log = logging.getLogger("busctl.files")


@dataclass(frozen=True, slots=True)
class Placed:
    """A copy that is with the provider now. `fresh`: uploaded just now. `unknown`: the store could
    not be told of it, so that it is to be removed after use."""

    file_id: str
    fresh: bool
    unknown: bool = False


class Uploads:
    """The copies of one daemon, whose own name is `daemon` in the store's leases."""

    def __init__(self, bus: Access, copies: Copies, daemon: str) -> None:
        self._bus = bus
        self._copies = copies
        self._daemon = daemon

    async def obtain(
        self, file: ReadFile, host: FileHost, key: CopyKey, lasting: timedelta | None
    ) -> Placed:
        """A copy there: the one that is known, if the provider has it still; else a new one, or the
        one that somebody else is just uploading. Raises ToolFailed."""
        while True:
            try:
                known = await self._known(host, key)
                holder = f"{self._daemon}:{self._bus.clock.new_id().hex}"
                mine = not known and await self._write(
                    self._copies.begin(key, file.name, file.size, holder, LEASE)
                )
            except UNKEPT as error:
                return await self._unshared(file, host, key, error)
            if known:
                return Placed(known.file_id, fresh=False)
            if mine and (file_id := await self._upload(file, host, key, holder, lasting)):
                return Placed(file_id, fresh=True)
            await asyncio.sleep(LOOK_SECS)

    async def find(self, key: CopyKey) -> Copy | None:
        """What the store knows of it; the provider is not asked."""
        store = self._bus.store
        return await store.guarded(self._copies.find(key), store.reads)

    async def _known(self, host: FileHost, key: CopyKey) -> Copy | None:
        """The copy that the store knows of, if it is there; one that is not is forgotten."""
        known = await self.find(key)
        if known is None:
            return None
        if await host.find(known.file_id) is None:
            log.info("the provider has forgotten a file", extra={"file_id": known.file_id})
            await self._write(self._copies.forget(key.provider, key.account, known.file_id))
            return None
        await self._write(self._copies.seen(key.provider, key.account, known.file_id))
        return known

    async def _upload(
        self, file: ReadFile, host: FileHost, key: CopyKey, holder: str, lasting: timedelta | None
    ) -> str | None:
        """None when somebody else has taken the upload over; their copy counts."""
        async with self._held(key, holder):
            file.content.seek(0)
            placed = await host.upload(_name(file), file.content, key.purpose)
            done = self._copies.done(key, holder, placed.file_id, lasting)
            if await self._write(done):
                return placed.file_id
            log.warning("upload taken over by another daemon", extra={"file_id": placed.file_id})
            await host.delete(placed.file_id)
            return None

    @asynccontextmanager
    async def _held(self, key: CopyKey, holder: str) -> AsyncIterator[None]:
        """The lease is renewed while the block runs, and given back if it fails."""
        renewing = asyncio.create_task(self._renew(key, holder))
        try:
            yield
        except BaseException:
            await asyncio.shield(self._free(key, holder))
            raise
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])

    async def _renew(self, key: CopyKey, holder: str) -> None:
        while True:
            await asyncio.sleep(RENEW_SECS)
            try:
                await self._write(self._copies.renew(key, holder, LEASE))
            except BusctlError as error:
                # Its end tells whether the lease was lost.
                log.warning("lease not renewed", extra={"error": error.message})

    async def _free(self, key: CopyKey, holder: str) -> None:
        try:
            await self._write(self._copies.free(key, holder))
        except BusctlError as error:
            # It ends by itself.
            log.warning("lease not given back", extra={"error": error.message})

    async def _unshared(
        self, file: ReadFile, host: FileHost, key: CopyKey, error: BusctlError
    ) -> Placed:
        log.warning("uploading without the store", extra={"error": error.message})
        file.content.seek(0)
        placed = await host.upload(_name(file), file.content, key.purpose)
        return Placed(placed.file_id, fresh=True, unknown=True)

    async def _write(self, work: Coroutine[Any, Any, Result]) -> Result:
        store = self._bus.store
        return await store.guarded(work, store.writes)


def _name(file: ReadFile) -> str:
    return copy_name(file.name, file.sha256)
