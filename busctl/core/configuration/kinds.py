"""What kinds of values the fields of the configuration take, and how a field is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from busctl.core.configuration import values

CompressionSetting = Literal["auto", "none", "gzip", "zstd"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]
LogFormat = Literal["auto", "json", "text"]
Number = Annotated[float, Field(allow_inf_nan=False)]
OptionalPath = Annotated[
    Path | None, BeforeValidator(values.empty_is_unset), AfterValidator(values.check_path)
]
Dsn = Annotated[
    SecretStr | None, BeforeValidator(values.empty_is_unset), AfterValidator(values.check_dsn)
]
Token = Annotated[
    SecretStr | None, BeforeValidator(values.empty_is_unset), AfterValidator(values.check_token)
]
WebAddress = Annotated[
    SecretStr | None,
    BeforeValidator(values.empty_is_unset),
    AfterValidator(values.check_web_address),
]
Base = Annotated[
    str | None,
    BeforeValidator(values.empty_is_unset),
    AfterValidator(values.check_optional_base),
]
Addresses = Annotated[
    SecretStr | None,
    BeforeValidator(values.empty_is_unset),
    AfterValidator(values.check_addresses),
]
Command = Annotated[
    str | None, BeforeValidator(values.empty_is_unset), AfterValidator(values.check_command)
]
OptionalInt = Annotated[int | None, BeforeValidator(values.empty_is_unset)]
Bytes = Annotated[int | None, BeforeValidator(values.bytes_or_unset)]
Host = Annotated[str, AfterValidator(values.check_host)]
Origins = Annotated[
    tuple[str, ...], BeforeValidator(values.split), AfterValidator(values.check_origins)
]
Hosts = Annotated[
    tuple[str, ...], BeforeValidator(values.split), AfterValidator(values.check_hosts)
]
Tools = Annotated[
    tuple[str, ...], BeforeValidator(values.split), AfterValidator(values.check_tools)
]
Folders = Annotated[
    tuple[str, ...], BeforeValidator(values.split), AfterValidator(values.check_folders)
]
Lower = BeforeValidator(values.lower)


class Section(BaseSettings):
    """Fields of one subject. Built when `Settings` is: alone a section is never constructed."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        hide_input_in_errors=True,
        defer_build=True,
    )


def setting(
    section: str, default: Any, names: str, description: str, allowed: str = "", **bounds: Any
) -> Any:
    """A field: `names` are its environment names, the canonical one first."""
    return Field(
        default=default,
        validation_alias=AliasChoices(*names.split()),
        description=description,
        json_schema_extra={"section": section, "allowed": allowed},
        **bounds,
    )
