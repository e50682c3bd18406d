"""Chat tools with files and conversations, put together as the daemon has them, for tests. Answers
are kept on the bus under their calls' ids, as the daemon keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from busctl.adapters.file_reading import RootedFiles
from busctl.adapters.metrics import Metrics
from busctl.adapters.openai_api import OpenAiApi
from busctl.adapters.postgres.conversations import PostgresConversations
from busctl.adapters.postgres.files import PostgresCopies, PostgresTexts
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.provider_files import ProviderFiles
from busctl.adapters.text_extraction import LocalExtractor
from busctl.connect import Bus
from busctl.core.envelope import Labels
from busctl.core.principal import OPERATOR, Principal
from busctl.ops.chat import ChatTools
from busctl.ops.files.hosting import PatientHost
from busctl.ops.files.ingesting import Ingestion
from busctl.ops.files.preparing import Preparation
from busctl.ops.files.uploading import Uploads
from busctl.ports import Answer, Call
from tests.ingesting import account
from tests.providers.played import Played


@dataclass
class Talk:
    """The chat tool of each played provider."""

    bus: Bus
    tools: ChatTools

    async def say(
        self, prompt: str, tool: str = "kimi_chat", *, principal: Principal = OPERATOR,
        **arguments: Any,
    ) -> tuple[str, dict[str, Any]]:  # fmt: skip
        """The answer's text and metadata, kept on the bus."""
        call = self._call(prompt, tool, principal, arguments)
        answer = await self.tools.call(call)
        text = await _taken(answer)
        await self._keep(call, answer, text)
        return text.decode(), dict(answer.metadata)

    async def say_unkept(self, prompt: str, **arguments: Any) -> Callable[[], Awaitable[None]]:
        """Ask, and leave to the caller when the answer is kept."""
        call = self._call(prompt, "kimi_chat", OPERATOR, arguments)
        answer = await self.tools.call(call)
        text = await _taken(answer)
        return lambda: self._keep(call, answer, text)

    def _call(
        self, prompt: str, tool: str, principal: Principal, arguments: dict[str, Any]
    ) -> Call:
        return Call(
            tool, {"prompt": prompt, **arguments}, principal, "s", "r", self.bus.clock.new_id(),
            lambda _: None, lambda *_: None,
        )  # fmt: skip

    async def _keep(self, call: Call, answer: Answer, text: bytes) -> None:
        labels = Labels(
            content_type=answer.content_type, tool_name=call.name, owner=call.principal.name,
            metadata=answer.metadata,
        )  # fmt: skip
        await self.bus.put(text, labels, transaction_id=call.transaction_id)


async def _taken(answer: Answer) -> bytes:
    assert answer.pieces is not None
    return b"".join([piece async for piece in answer.pieces])


@asynccontextmanager
async def talking(
    bus: Bus, root: Path, *played: Played, name: str = "d", context: int | None = None
) -> AsyncIterator[Talk]:
    store = cast(PostgresStore, bus.store.inner)
    files = RootedFiles([str(root)], 100_000_000)
    uploads = Uploads(bus, PostgresCopies(store), name)
    ingestion = Ingestion(bus, files, LocalExtractor(), uploads, PostgresTexts(store))
    accounts = [account(one, context=context) for one in played]
    apis = {one.profile.name: OpenAiApi(one, stall_secs=30) for one in accounts}
    hosts = {
        one.profile.name: PatientHost(
            ProviderFiles(apis[one.profile.name], one), one, bus.clock
        )
        for one in accounts
    }  # fmt: skip
    preparing = Preparation(
        bus, ingestion, PostgresConversations(store), hosts, Metrics("test"), name
    )
    tools = ChatTools(
        accounts, lambda one: apis[one.profile.name], bus.clock, seconds=60, preparing=preparing
    )
    try:
        yield Talk(bus, tools)
    finally:
        await tools.close()
