"""A file becomes text that a model can read: from the bus, from the file itself, or by way of the
provider. What was read is on the bus afterwards, so that nobody has to read it again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from uuid import UUID

from busctl.core.envelope import Labels
from busctl.core.errors import ClaimError, FileRefused, ProviderRefused, ToolFailed
from busctl.core.files.kind import HEAD_BYTES, FileKind, kind_of
from busctl.core.files.manifest import CopyKey, Done, Entry, Reason
from busctl.core.files.paths import refusal
from busctl.core.files.plan import FilePlan, FileTerms, Way, missing, plan_file
from busctl.ops.bus import Bus
from busctl.ops.files.uploading import UNKEPT, Uploads
from busctl.ports import Extracted, Extractor, FileHost, Files, ReadFile, Texts

TOOL = "busctl.files"
"""The tool name under which texts of files are kept."""
LOCAL = "local"
TEXT = "text/plain; charset=utf-8"

log = logging.getLogger("busctl.files")


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a file is for: the provider's terms, its files (None where there is no key), the
    principal who asks, and how many tokens there is room for."""

    terms: FileTerms
    host: FileHost | None
    owner: str
    room: int


@dataclass(frozen=True, slots=True)
class Ingested:
    """The text of a file, and its line of the manifest."""

    entry: Entry
    text: str


@dataclass(frozen=True, slots=True)
class _Produced:
    """A text just made, and what was done for it."""

    extracted: Extracted
    done: Done
    file_id: str | None = None
    why: str | None = None


class Ingestion:
    """Takes texts out of the files of one daemon."""

    def __init__(
        self, bus: Bus, files: Files, extractor: Extractor, uploads: Uploads, texts: Texts
    ) -> None:
        self._bus = bus
        self._files = files
        self._extractor = extractor
        self._uploads = uploads
        self._texts = texts
        self._turns: dict[tuple[str, str, str], tuple[asyncio.Lock, int]] = {}

    async def ingest(
        self, path: object, target: Target, *, sha256: str | None = None
    ) -> Ingested:  # fmt: skip
        """`sha256` is what the file must be still, where it is not named anew. Raises FileRefused,
        with the reason and the remedy, and ToolFailed for a provider that is busy or does not take
        the key."""
        file = await asyncio.to_thread(self._files.read, path, keep=True)
        with file.content:
            if sha256 not in (None, file.sha256):
                # Before it is sent anywhere: nobody has named what it is now.
                raise refusal(f"The file {file.asked!r} has changed since.", Reason.CHANGED, "")
            head = file.content.read(HEAD_BYTES)
            kind = kind_of(head)
            suffix = PurePosixPath(file.name).suffix.removeprefix(".")
            plan = plan_file(kind, file.size, suffix, target.terms, target.room)
            if plan.way is Way.REFUSE:
                raise refused(file, plan)
            if plan.way is Way.UPLOAD and target.host is not None:
                return await self._by_upload(file, kind, target, target.host)
            return await self._locally(file, kind, target)

    async def _locally(self, file: ReadFile, kind: FileKind, target: Target) -> Ingested:
        done = Done.INLINED if kind is FileKind.TEXT else Done.EXTRACTED
        async with self._turn(file.sha256, target.owner, LOCAL):
            if known := await self._known(file, target.owner, LOCAL):
                return self._from_bus(file, known, done)
            extract = self._extractor.text if kind is FileKind.TEXT else self._extractor.pdf
            return await self._kept(file, target, LOCAL, _Produced(await extract(file), done))

    async def _by_upload(
        self, file: ReadFile, kind: FileKind, target: Target, host: FileHost
    ) -> Ingested:
        terms = target.terms
        assert terms.purpose is not None  # noqa: S101  # the plan says so
        key = CopyKey(bytes.fromhex(file.sha256), terms.provider, host.account, terms.purpose)
        source = f"{terms.provider}:{host.account}:{terms.purpose}"
        async with self._turn(file.sha256, target.owner, source):
            if known := await self._known(file, target.owner, source):
                ingested = self._from_bus(file, known, Done.REUSED)
                return await self._with_copy(ingested, key)
            try:
                produced = await self._read_back(file, target, host, key)
            except (ToolFailed, FileRefused) as error:
                if kind is not FileKind.PDF:
                    raise _as_refusal(file, error) from error
                log.warning("extracting here instead", extra={"error": error.message})
                why = f"{terms.provider} gave no text of it: {error.message}"
                found = await self._extractor.pdf(file)
                produced = _Produced(found, Done.EXTRACTED, why=why)
            else:
                if kind is FileKind.PDF:
                    produced = await self._fuller(file, terms.provider, produced)
            kept = await self._kept(file, target, source, produced)
            return replace(kept, entry=replace(kept.entry, provider=terms.provider))

    async def _read_back(
        self, file: ReadFile, target: Target, host: FileHost, key: CopyKey
    ) -> _Produced:
        """What the provider took out of it. Raises ToolFailed, and FileRefused for nothing."""
        placed = await self._uploads.obtain(file, host, key, target.terms.lasts)
        try:
            text = await host.content(placed.file_id)
        finally:
            if placed.unknown:
                await host.delete(placed.file_id)
        if not text.strip():
            raise refusal(
                f"The file {file.asked!r} is not used: {key.provider} found no text in it.",
                Reason.NO_TEXT, "Save it as text, or have its text recognised first.",
            )  # fmt: skip
        done = Done.UPLOADED if placed.fresh else Done.REUSED
        return _Produced(Extracted(text, key.purpose), done, placed.file_id)

    async def _fuller(self, file: ReadFile, provider: str, produced: _Produced) -> _Produced:
        """The text taken out here, where the provider gave much less: what is missing at the end
        of a text cannot be seen in it."""
        try:
            found = await self._extractor.pdf(file)
        except FileRefused as error:
            log.debug("nothing to compare a text with", extra={"error": error.message})
            return produced
        told = missing(produced.extracted.text, found.text)
        if told is None:
            return produced
        why = f"{provider} gave {told}"
        log.warning("extracting here instead", extra={"error": why})
        return _Produced(found, Done.EXTRACTED, produced.file_id, why)

    # --- texts on the bus ------------------------------------------------------------------

    async def _known(self, file: ReadFile, owner: str, source: str) -> tuple[UUID, str] | None:
        """The text from the bus, where there is one."""
        store = self._bus.store
        digest = bytes.fromhex(file.sha256)
        try:
            found = await store.guarded(self._texts.find(digest, owner, source), store.reads)
            if found is None:
                return None
            return found, (await self._bus.get(found)).decode()
        except (*UNKEPT, ClaimError) as error:
            # It is made anew: the file is at hand.
            log.warning("text of a file not had from the bus", extra={"error": error.message})
            return None

    async def _kept(
        self, file: ReadFile, target: Target, source: str, produced: _Produced
    ) -> Ingested:
        """The text, on the bus if that takes it."""
        text, by = produced.extracted.text, produced.extracted.by
        entry = Entry(
            file.name, file.asked, produced.done, file.size, file.sha256, file_id=produced.file_id,
            text_size=len(text.encode()), by=by, why=produced.why,
        )  # fmt: skip
        labels = Labels(
            content_type=TEXT, tool_name=TOOL, owner=target.owner,
            metadata={"file": entry.as_json()},
        )  # fmt: skip
        store = self._bus.store
        try:
            claim = await self._bus.put(text.encode(), labels)
            await store.guarded(
                self._texts.keep(
                    bytes.fromhex(file.sha256), target.owner, source, claim.transaction_id,
                    claim.expires_at,
                ),
                store.writes,
            )  # fmt: skip
        except UNKEPT as error:
            log.warning("text of a file not kept", extra={"error": error.message})
            return Ingested(replace(entry, why=f"not kept on the bus: {error.message}"), text)
        return Ingested(replace(entry, text_id=claim.transaction_id), text)

    @staticmethod
    def _from_bus(file: ReadFile, known: tuple[UUID, str], done: Done) -> Ingested:
        text_id, text = known
        entry = Entry(
            file.name, file.asked, done, file.size, file.sha256, text_id=text_id,
            text_size=len(text.encode()), by="bus",
        )  # fmt: skip
        return Ingested(entry, text)

    async def _with_copy(self, ingested: Ingested, key: CopyKey) -> Ingested:
        """With the id of the copy whose text it is. It is told for people: not having it is no
        failure."""
        try:
            copy = await self._uploads.find(key)
        except UNKEPT as error:
            log.debug("copy not looked up", extra={"error": error.message})
            return ingested
        file_id = copy.file_id if copy else None
        entry = replace(ingested.entry, provider=key.provider, file_id=file_id)
        return replace(ingested, entry=entry)

    @asynccontextmanager
    async def _turn(self, *key: str) -> AsyncIterator[None]:
        """One at a time for each content, owner and source: the next ones find it on the bus."""
        named = (key[0], key[1], key[2])
        lock, waiting = self._turns.get(named, (asyncio.Lock(), 0))
        self._turns[named] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns.pop(named)
            if waiting > 1:
                self._turns[named] = (lock, waiting - 1)


def _as_refusal(file: ReadFile, error: ToolFailed | FileRefused) -> ToolFailed | FileRefused:
    """What the provider says against this file refuses it; what it says of itself (busy, a wrong
    key) is told as that."""
    if not isinstance(error, ProviderRefused):
        return error
    remedy = f"{error.remedy} `busctl files purge` makes room where there are too many files."
    why = f"The file {file.asked!r} is not used: {error.message}"
    return refusal(why, Reason.PROVIDER, remedy)


def refused(file: ReadFile, plan: FilePlan) -> FileRefused:
    """The refusal that the plan says."""
    assert plan.reason is not None  # noqa: S101  # every refusal has one
    message = f"The file {file.asked!r} is not used: {plan.why}."
    return refusal(message, plan.reason, plan.remedy)
