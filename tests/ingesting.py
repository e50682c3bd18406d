"""Ingestion put together as the daemon has it, with a played provider, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import SecretStr

from busctl.adapters.file_reading import RootedFiles
from busctl.adapters.postgres.files import PostgresCopies, PostgresTexts
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.provider_files import ProviderFiles, provider_files
from busctl.adapters.provider_profiles import load_profiles
from busctl.adapters.text_extraction import LocalExtractor
from busctl.connect import Bus
from busctl.core.file_plan import FileTerms
from busctl.core.provider import Profile
from busctl.core.provider_account import Account
from busctl.ops.files.ingesting import Ingested, Ingestion, Target
from busctl.ops.files.uploading import Uploads
from tests.providers.played import Played

ROOM = 200_000


@dataclass
class Daemon:
    """The ingestion of one daemon for one provider."""

    ingestion: Ingestion
    host: ProviderFiles
    terms: FileTerms

    async def ingest(self, path: Path, owner: str = "alice", room: int = ROOM) -> Ingested:
        return await self.ingestion.ingest(str(path), Target(self.terms, self.host, owner, room))


def profile_of(name: str) -> Profile:
    return next(one for one in load_profiles() if one.name == name)


def account(played: Played, key: str | None = None) -> Account:
    profile = profile_of(played.site.name)
    return Account(profile, played.base, profile.tool, SecretStr(key or played.key), "KEY")


@asynccontextmanager
async def ingesting(bus: Bus, played: Played, root: Path, name: str = "d") -> AsyncIterator[Daemon]:
    store = cast(PostgresStore, bus.store.inner)
    uploads = Uploads(bus, PostgresCopies(store), name)
    files = RootedFiles([str(root)], 100_000_000)
    ingestion = Ingestion(bus, files, LocalExtractor(), uploads, PostgresTexts(store))
    own = account(played)
    async with provider_files(own, stall=30) as host:
        yield Daemon(ingestion, host, FileTerms.of(own.profile))
