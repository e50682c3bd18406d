"""Files, their texts and their providers, put together for the daemon and for `busctl files`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from busctl.adapters.file_reading import RootedFiles
from busctl.adapters.openai_api import OpenAiApi
from busctl.adapters.postgres.files import PostgresCopies, PostgresTexts
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.provider_files import ProviderFiles
from busctl.adapters.provider_profiles import load_accounts
from busctl.adapters.text_extraction import LocalExtractor
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationError
from busctl.core.providers.account import Account
from busctl.ops.files.hosting import PatientHost
from busctl.ops.files.ingesting import Ingestion
from busctl.ops.files.uploading import Uploads
from busctl.ports import Clock


@dataclass(frozen=True, slots=True)
class Hosts:
    """The accounts whose key is set, and by the provider's name the files of those that give text
    back: to others nothing is uploaded, and z.ai documents no way to list what is there."""

    accounts: Mapping[str, Account]
    files: Mapping[str, PatientHost]


@asynccontextmanager
async def file_hosts(
    settings: Settings, clock: Clock, provider: str | None = None
) -> AsyncIterator[Hosts]:
    """Of all providers, or of one, for the time of the block; nothing is asked yet. Raises
    ConfigurationError for a provider that is not known or whose key is not set."""
    accounts = {one.profile.name: one for one in _chosen(load_accounts(settings), provider)}
    apis = {
        name: OpenAiApi(account, stall_secs=settings.provider_stall_secs)
        for name, account in accounts.items()
    }
    files = {
        name: PatientHost(ProviderFiles(apis[name], account), account, clock)
        for name, account in accounts.items()
        if account.profile.files is not None and account.profile.files.extract is not None
    }
    try:
        yield Hosts(accounts, files)
    finally:
        for api in apis.values():
            await api.close()


def ingestion(bus: Bus, roots: Sequence[str], daemon: str) -> Ingestion:
    """What takes texts out of files below those roots; `daemon` is its name in the store."""
    store = cast(PostgresStore, bus.store.inner)
    files = RootedFiles(roots, bus.settings.file_max_bytes)
    uploads = Uploads(bus, PostgresCopies(store), daemon)
    return Ingestion(bus, files, LocalExtractor(), uploads, PostgresTexts(store))


def _chosen(accounts: Sequence[Account], provider: str | None) -> list[Account]:
    if provider is None:
        return [one for one in accounts if one.usable]
    for one in accounts:
        if one.profile.name == provider:
            if one.usable:
                return [one]
            raise ConfigurationError(
                f"The key of {provider} is not set.", remedy=f"Set {one.variables}."
            )
    known = ", ".join(one.profile.name for one in accounts)
    raise ConfigurationError(
        f"There is no provider {provider!r}.", remedy=f"Name one of these: {known}."
    )
