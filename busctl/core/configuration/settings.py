"""The configuration: every variable, its bounds, its default and why one would set it.

Constructing `Settings` takes nothing from the environment: `busctl.adapters.environment.load`
does the reading. A wrong value raises `pydantic.ValidationError`, which never shows the value.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from pydantic import SecretStr, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from busctl.core.configuration import field as settings_field
from busctl.core.configuration.contradictions import contradictions
from busctl.core.configuration.dsn import MASK, mask_dsn
from busctl.core.configuration.sections.alerts import AlertsSection
from busctl.core.configuration.sections.breaker import BreakerSection
from busctl.core.configuration.sections.bus import BusSection
from busctl.core.configuration.sections.daemon import DaemonSection
from busctl.core.configuration.sections.files import FilesSection
from busctl.core.configuration.sections.log import LogSection
from busctl.core.configuration.sections.providers import ProvidersSection
from busctl.core.configuration.sections.quota import QuotaSection
from busctl.core.configuration.sections.store import StoreSection
from busctl.core.configuration.sections.watcher import WatcherSection

MB = 1_000_000
PREFIXES = ("MESSAGE_BUS_", "BUSCTL_")


class Settings(
    # The last base's fields come first, in .env.example too.
    LogSection,
    WatcherSection,
    ProvidersSection,
    AlertsSection,
    FilesSection,
    DaemonSection,
    QuotaSection,
    StoreSection,
    BreakerSection,
    BusSection,
):
    """The whole configuration of busctl. Frozen; unknown names are refused."""

    model_config = SettingsConfigDict(defer_build=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if found := contradictions(self):
            text = " ".join(each.message for each in found)
            raise PydanticCustomError(
                "contradiction", "{text}", {"text": text, "contradictions": found}
            )
        return self

    @property
    def max_payload_bytes(self) -> int:
        """The largest payload taken, in bytes."""
        return round(self.max_payload_mb * MB)

    @property
    def file_max_bytes(self) -> int:
        """The largest file taken, in bytes."""
        return round(self.file_max_mb * MB)

    @property
    def ttl(self) -> timedelta:
        """How long a message is kept."""
        return timedelta(hours=self.ttl_hours)

    @property
    def read_cache_bytes(self) -> int:
        """How much of what was searched is kept unpacked."""
        return int(self.read_cache_mb * MB)

    @property
    def horizon(self) -> timedelta:
        """How far in the past a transaction id may lie."""
        return timedelta(hours=self.horizon_hours)

    @property
    def is_loopback(self) -> bool:
        """Whether `host` can be reached from this machine only."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False  # a name that DNS decides about

    def database_dsn(self) -> str | None:
        """The connection string in clear, None for the embedded store. Never print it."""
        return None if self.database_url is None else self.database_url.get_secret_value()


def known_names() -> dict[str, str]:
    """Every environment name, old ones too, and the field it sets."""
    return {
        name: field
        for field, known in Settings.model_fields.items()
        for name in settings_field.names_of(known)
    }


def canonical_name(field: str) -> str:
    """The environment name of a field that texts use."""
    return settings_field.names_of(Settings.model_fields[field])[0]


def is_secret(field: str) -> bool:
    """Whether the value of the field must never be shown whole."""
    return settings_field.base_type(Settings.model_fields[field]) is SecretStr


def is_path(field: str) -> bool:
    """Whether the field is a path of the file system."""
    return settings_field.base_type(Settings.model_fields[field]) is Path


def shown(settings: Settings, field: str) -> str:
    """The value of a field as it may be shown: secrets masked, the host of a DSN kept."""
    value = getattr(settings, field)
    if not isinstance(value, SecretStr):
        return settings_field.plain(value)
    return mask_dsn(value.get_secret_value()) if field == "database_url" else MASK


def render_env_example() -> str:
    """The text of .env.example: every variable with its default and why one would set it."""
    return settings_field.render_env_example(Settings.model_fields)
