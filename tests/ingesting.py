"""Ingestion put together as the daemon has it, with a played provider, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import SecretStr

from busctl.adapters.file_reading import RootedFiles
from busctl.adapters.openai_api import OpenAiApi
from busctl.adapters.postgres.files import PostgresCopies, PostgresTexts
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.provider_files import ProviderFiles
from busctl.adapters.provider_profiles import load_profiles
from busctl.adapters.text_extraction import LocalExtractor
from busctl.connect import Bus
from busctl.core.files.plan import FileTerms
from busctl.core.providers.account import Account
from busctl.core.providers.profile import Profile, Retries
from busctl.ops.files.hosting import PatientHost
from busctl.ops.files.ingesting import Ingested, Ingestion, Target
from busctl.ops.files.uploading import Uploads
from tests.providers.played import Played

ROOM = 200_000


@dataclass
class Daemon:
    """The ingestion of one daemon for one provider."""

    ingestion: Ingestion
    host: PatientHost
    terms: FileTerms

    async def ingest(self, path: Path, owner: str = "alice", room: int = ROOM) -> Ingested:
        return await self.ingestion.ingest(str(path), Target(self.terms, self.host, owner, room))


def profile_of(name: str) -> Profile:
    return next(one for one in load_profiles() if one.name == name)


def account(played: Played, key: str | None = None, context: int | None = None) -> Account:
    """`context` is how many tokens its models have room for, in place of what they have."""
    quick = Retries(attempts=2, first_pause=0.01, longest_pause=1)
    profile = profile_of(played.site.name).model_copy(update={"retries": quick})
    if context is not None:
        profile = profile.model_copy(update={"models": (), "default_context_tokens": context})
    return Account(profile, played.base, profile.tool, SecretStr(key or played.key), "KEY")


@asynccontextmanager
async def ingesting(bus: Bus, played: Played, root: Path, name: str = "d") -> AsyncIterator[Daemon]:
    store = cast(PostgresStore, bus.store.inner)
    uploads = Uploads(bus, PostgresCopies(store), name)
    files = RootedFiles([str(root)], 100_000_000)
    ingestion = Ingestion(bus, files, LocalExtractor(), uploads, PostgresTexts(store))
    own = account(played)
    api = OpenAiApi(own, stall_secs=30)
    try:
        host = PatientHost(ProviderFiles(api, own), own, bus.clock)
        yield Daemon(ingestion, host, FileTerms.of(own.profile))
    finally:
        await api.close()
