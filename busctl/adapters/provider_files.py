"""The FileHost port over an OpenAI-compatible API: POST, GET and DELETE {base}/files.

Kimi (platform.kimi.ai/docs/api/files-upload) answers GET /files/{id}/content with the text itself,
GLM (docs.bigmodel.cn/cn/guide/tools/file-extract) with JSON that holds it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from textwrap import shorten
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from busctl.core.errors import ModelFailed
from busctl.core.manifest import FileRef
from busctl.core.provider_account import Account

if TYPE_CHECKING:
    from openai import AsyncOpenAI

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
SAID_CHARS = 300
"""How much of a provider's own words an error repeats."""


def account_of(key: str) -> str:
    """A digest that tells accounts apart and gives no key away."""
    return hashlib.sha256(b"busctl.account\0" + key.encode()).hexdigest()[:16]


class ProviderFiles:
    """Implements `busctl.ports.FileHost`. Made by `provider_files`, which closes it."""

    def __init__(self, client: AsyncOpenAI, account: Account) -> None:
        assert account.key is not None  # noqa: S101  # without one there is no client
        self._client = client
        self._key = account.key.get_secret_value()
        self._name = account.profile.name
        self.account = account_of(self._key)

    async def upload(self, name: str, content: IO[bytes], purpose: str) -> FileRef:
        chosen: Any = purpose  # providers have words of their own for it
        with self._mapped("took no upload"):
            return _ref(await self._client.files.create(file=(name, content), purpose=chosen))

    async def find(self, file_id: str) -> FileRef | None:
        from openai import NotFoundError

        with self._mapped("did not say whether it has a file"):
            try:
                return _ref(await self._client.files.retrieve(file_id))
            except NotFoundError:
                return None

    async def content(self, file_id: str) -> str:
        with self._mapped("gave back no text of a file"):
            answer = await self._client.files.content(file_id)
            return text_of(await answer.aread(), answer.response.headers.get("Content-Type", ""))

    async def list(self) -> Sequence[FileRef]:
        found: dict[str, FileRef] = {}
        with self._mapped("did not list its files"):
            async for one in await self._client.files.list():
                if one.id in found:  # a site without pages gives the same one again
                    break
                found[one.id] = _ref(one)
        return list(found.values())

    async def delete(self, file_id: str) -> bool:
        from openai import NotFoundError

        with self._mapped("deleted no file"):
            try:
                return bool((await self._client.files.delete(file_id)).deleted)
            except NotFoundError:
                return False

    @contextmanager
    def _mapped(self, what: str) -> Iterator[None]:
        """The library's errors by our name; the key is in none of the texts."""
        from openai import APIConnectionError, APIStatusError, OpenAIError

        try:
            yield
        except APIStatusError as error:
            said = self._said(error.body)
            raise ModelFailed(
                f"{self._name} {what}: status {error.status_code}{said}.",
                remedy="Look at the account of its key, and at what the provider says.",
            ) from error
        except APIConnectionError as error:
            raise ModelFailed(
                f"{self._name} {what}: it did not answer ({type(error).__name__}).",
                remedy="Try again; look at the address and the network.",
            ) from error
        except (OpenAIError, ValueError) as error:
            raise ModelFailed(
                f"{self._name} {what}: its answer was something else ({type(error).__name__})."
            ) from error

    def _said(self, body: object) -> str:
        told = body.get("message") if isinstance(body, dict) else None
        if not isinstance(told, str) or not told:
            return ""
        said = shorten(told.replace(self._key, "***"), SAID_CHARS, placeholder=" …")
        return f", {said.rstrip('.')}"


@asynccontextmanager
async def provider_files(account: Account, *, stall: float) -> AsyncIterator[ProviderFiles]:
    """The files of an account that has a key; `stall` is for how many seconds nothing may come or
    go."""
    from openai import AsyncOpenAI, DefaultAsyncHttpx2Client

    assert account.key is not None  # noqa: S101  # the caller has looked
    # The environment's proxies, but not to reach this machine.
    trusting = urlsplit(account.base).hostname not in LOCAL
    client = AsyncOpenAI(
        api_key=account.key.get_secret_value(), base_url=account.base,
        max_retries=account.profile.retries.attempts - 1, timeout=stall,
        http_client=DefaultAsyncHttpx2Client(trust_env=trusting, timeout=stall),
    )  # fmt: skip
    try:
        yield ProviderFiles(client, account)
    finally:
        await client.close()


def text_of(content: bytes, content_type: str) -> str:
    """The text that a provider took out of a file: JSON that holds it as `content`, or the text
    itself. Raises ValueError for bytes that are no text."""
    text = content.decode()
    if not (content_type.startswith("application/json") or text.startswith("{")):
        return text
    try:
        told = json.loads(text)
    except ValueError:
        return text  # the file itself begins so
    held = told.get("content") if isinstance(told, dict) and "file_type" in told else None
    return held if isinstance(held, str) else text


def _ref(one: Any) -> FileRef:
    created = getattr(one, "created_at", None)
    return FileRef(
        one.id, getattr(one, "filename", "") or "", getattr(one, "bytes", None),
        getattr(one, "purpose", None), None if created is None else float(created),
    )  # fmt: skip
