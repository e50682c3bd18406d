"""Copies at providers, looked through and cleaned up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from busctl.core.errors import ToolFailed
from busctl.core.files.copies import Placed, Standing, compare, to_purge
from busctl.core.files.manifest import Copy
from busctl.ports import Copies, FileHost


async def known_copies(copies: Copies, provider: str | None) -> list[Placed]:
    """What the store knows; no provider is asked."""
    return [_known(copy) for copy in await copies.list(provider)]


async def compared(copies: Copies, hosts: Mapping[str, FileHost]) -> list[Placed]:
    """How all copies and files of these accounts stand, by provider. Raises ToolFailed."""
    found: list[Placed] = []
    for provider, host in hosts.items():
        # The provider first: a copy that is uploaded meanwhile is no orphan.
        there = await host.list()
        known = await copies.list(provider)
        found += compare(provider, host.account, known, there)
    return found


async def purge(
    copies: Copies, hosts: Mapping[str, FileHost], placed: Sequence[Placed]
) -> AsyncIterator[Placed]:
    """Remove each at its provider, then from the store; gives it when that is done. Raises
    ToolFailed: what was given before is gone."""
    for done, one in enumerate(placed):
        host = hosts[one.provider]
        try:
            if one.standing is not Standing.GONE:
                await host.delete(one.file_id)
        except ToolFailed as error:
            error.message += f" Before that {done} of {len(placed)} files were removed."
            raise
        if one.copy is not None:
            await copies.forget(one.provider, host.account, one.file_id)
        yield one


async def chosen(
    copies: Copies, hosts: Mapping[str, FileHost], *, everything: bool, ids: Collection[str]
) -> list[Placed]:
    """What a purge would take. Raises ToolFailed."""
    return to_purge(await compared(copies, hosts), everything=everything, ids=ids)


def _known(copy: Copy) -> Placed:
    return Placed(copy.key.provider, Standing.KNOWN, copy)
