"""The daemon's chat tools, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from busctl.adapters.openai_api import OpenAiApi
from busctl.adapters.provider_profiles import load_accounts
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.content_type import TEXT
from busctl.core.envelope import Labels
from busctl.core.providers.account import Account
from busctl.ops.chat import ChatTools
from busctl.ports import Call, Preparing

SPARE_SECS = 1.0
"""So much before the daemon ends a call its answer is ended by the tool, which keeps what came."""


@asynccontextmanager
async def chatting(
    settings: Settings, bus: Bus, preparing: Preparing | None = None
) -> AsyncIterator[ChatTools]:
    """One tool for each provider whose key is set, for the time of the block. Raises
    ConfigurationError for a profile that is none."""

    async def aside(call: Call, payload: bytes) -> UUID:
        labels = Labels(
            content_type=TEXT, tool_name=call.name, session_id=call.session_id,
            owner=call.principal.name, metadata={"reasoning_of": str(call.transaction_id)},
        )  # fmt: skip
        return (await bus.put(payload, labels)).transaction_id

    def api(account: Account) -> OpenAiApi:
        return OpenAiApi(account, stall_secs=settings.provider_stall_secs)

    seconds = settings.call_timeout_secs
    tools = ChatTools(
        load_accounts(settings), api, bus.clock, seconds=max(seconds - SPARE_SECS, seconds / 2),
        concurrency=settings.provider_concurrency, preparing=preparing, aside=aside,
    )  # fmt: skip
    try:
        yield tools
    finally:
        await tools.close()
