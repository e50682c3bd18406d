"""The FileHost port over an OpenAI-compatible API: POST, GET and DELETE {base}/files.

Kimi (platform.kimi.ai/docs/api/files-upload) answers GET /files/{id}/content with the text itself,
GLM (docs.bigmodel.cn/cn/guide/tools/file-extract) with JSON that holds it. GLM tells of a file only
in the list of its purpose.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from busctl.adapters.openai_api import OpenAiApi
from busctl.core.files.manifest import FileRef
from busctl.core.providers.account import Account
from busctl.core.providers.faults import ApiFault

NOT_FOUND = 404
PAGE = 100
"""The most of a list that is given at a time where it is in pages."""


def account_of(key: str) -> str:
    """A digest that tells accounts apart and gives no key away."""
    return hashlib.sha256(b"busctl.account\0" + key.encode()).hexdigest()[:16]


class ProviderFiles:
    """Implements `busctl.ports.FileHost` with the client of `api`, which is the account's."""

    def __init__(self, api: OpenAiApi, account: Account) -> None:
        assert account.key is not None  # noqa: S101  # without one there is no api
        self._api = api
        files = account.profile.files
        self._listed_by = () if files is None else files.listed_by
        self._extract = None if files is None else files.extract
        self.account = account_of(account.key.get_secret_value())

    async def upload(self, name: str, content: IO[bytes], purpose: str) -> FileRef:
        client = await self._api.client()
        chosen: Any = purpose  # providers have words of their own for it
        content.seek(0)
        with self._api.faults():
            return _ref(await client.files.create(file=(name, content), purpose=chosen))

    async def find(self, file_id: str) -> FileRef | None:
        if self._listed_by:
            listed = await self._list([one for one in self._listed_by if one == self._extract])
            return listed.get(file_id)
        client = await self._api.client()
        with _absent() as found, self._api.faults():
            found.append(_ref(await client.files.retrieve(file_id)))
        return found[0] if found else None

    async def content(self, file_id: str) -> str:
        client = await self._api.client()
        with self._api.faults():
            answer = await client.files.content(file_id)
            return text_of(answer.content, answer.response.headers.get("Content-Type", ""))

    async def list(self) -> Sequence[FileRef]:
        return [*(await self._list(self._listed_by)).values()]

    async def _list(self, purposes: Sequence[str]) -> dict[str, FileRef]:
        """By their ids: all, or those of some purposes."""
        client = await self._api.client()
        known: dict[str, FileRef] = {}
        wanted: list[dict[str, Any]] = [{"purpose": one, "limit": PAGE} for one in purposes]
        for query in wanted or [{}]:
            with self._api.faults():
                async for one in await client.files.list(**query):
                    if one.id in known:  # a site without pages gives the same one again
                        break
                    known[one.id] = _ref(one)
        return known

    async def delete(self, file_id: str) -> bool:
        client = await self._api.client()
        with _absent() as found, self._api.faults():
            found.append((await client.files.delete(file_id)).deleted)
        return bool(found and found[0])


@contextmanager
def _absent() -> Iterator[list[Any]]:
    """What the block finds; nothing where the provider has no such file."""
    found: list[Any] = []
    try:
        yield found
    except ApiFault as fault:
        if fault.status != NOT_FOUND:
            raise


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
