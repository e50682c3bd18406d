"""What a single value of the configuration may be. Messages never quote the value."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path, PurePosixPath

from pydantic import SecretStr

from busctl.core.configuration.dsn import dsn_fault
from busctl.core.errors import ConfigurationError
from busctl.core.sizes import parse_size

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})"
_PORT = r"(?::\d{1,5})?"
_HOST_ONLY = re.compile(_HOST)
_HOST_PORT = re.compile(rf"(?:{_HOST}|\[[0-9A-Fa-f:.]+\]){_PORT}")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+", re.ASCII | re.IGNORECASE)
_WEB = re.compile(r"https?://[^\s/]+(?:/\S*)?", re.ASCII)
_ORIGIN = re.compile(rf"[a-z][a-z0-9+.-]*://(?:{_HOST}|\[[0-9A-Fa-f:.]+\]){_PORT}")


def empty_is_unset(value: object) -> object:
    """An empty text stands for None."""
    return None if isinstance(value, str) and not value.strip() else value


def bytes_or_unset(value: object) -> object:
    """An empty text stands for None, "500MB" for 500,000,000; other values as they are."""
    value = empty_is_unset(value)
    if not isinstance(value, str):
        return value
    try:
        return parse_size(value)
    except ConfigurationError as error:
        raise ValueError("is not a size such as 500MB or 64KiB") from error


def lower(value: object) -> object:
    """Words of a fixed list are taken in any case."""
    return value.lower() if isinstance(value, str) else value


def split(value: object) -> object:
    """A comma-separated text as a tuple without empty entries; other values as they are."""
    if not isinstance(value, str):
        return value
    return tuple(entry for part in value.split(",") if (entry := part.strip()))


def check_path(value: Path | None) -> Path | None:
    if value is None:
        return None
    if not str(value).isprintable():
        raise ValueError("holds characters that cannot be printed")
    if str(value).startswith("~"):
        raise ValueError("starts with ~, which is not expanded here: write the folder in full")
    return value


def check_dsn(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    if not value.get_secret_value().isprintable():
        raise ValueError("holds characters that cannot be printed")
    if fault := dsn_fault(value.get_secret_value()):
        raise ValueError(fault)
    return value


def check_token(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    text = value.get_secret_value()
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("holds spaces or characters outside printable ASCII")
    return value


def check_web_address(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not _WEB.fullmatch(value.get_secret_value()):
        raise ValueError("is not an address such as https://host/path")
    return value


def check_base(value: str) -> str:
    """The address of an API, before the paths of its methods; no user, query or fragment."""
    value = value.rstrip("/")
    if not _WEB.fullmatch(value) or any(mark in value for mark in "?#@"):
        raise ValueError("is not an address such as https://host/path")
    return value


def check_optional_base(value: str | None) -> str | None:
    return None if value is None else check_base(value)


def check_addresses(value: SecretStr | None) -> SecretStr | None:
    """Several addresses of any scheme, with spaces between them."""
    if value is not None and not all(
        _ADDRESS.fullmatch(one) for one in value.get_secret_value().split()
    ):
        raise ValueError("is not addresses such as scheme://rest with spaces between them")
    return value


def check_command(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError("has a quote that is not closed") from error
    if not words or not value.isprintable():
        raise ValueError("is not a program and its arguments")
    return value


def check_host(value: str) -> str:
    if _HOST_ONLY.fullmatch(value):
        return value
    try:
        return str(ip_address(value))
    except ValueError as error:
        raise ValueError("is not an IP address or a host name") from error


def check_hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    return _each(value, lambda entry: _HOST_PORT.fullmatch(entry) is not None)


def check_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    return _each(value, lambda entry: _ORIGIN.fullmatch(entry) is not None)


def check_folders(value: tuple[str, ...]) -> tuple[str, ...]:
    """Folders written in full, none of them the root of the file system."""
    return _each(value, lambda entry: entry.isprintable() and _is_folder(PurePosixPath(entry)))


def _is_folder(path: PurePosixPath) -> bool:
    return path.is_absolute() and ".." not in path.parts and len(path.parts) > 1


def check_tools(value: tuple[str, ...]) -> tuple[str, ...]:
    return _each(value, _is_object_reference)


def _is_object_reference(entry: str) -> bool:
    module, colon, attribute = entry.partition(":")
    return bool(colon) and all(
        name.isidentifier() for part in (module, attribute) for name in part.split(".")
    )


def _each(entries: tuple[str, ...], accepts: Callable[[str], bool]) -> tuple[str, ...]:
    for number, entry in enumerate(entries, start=1):
        if not accepts(entry):
            raise ValueError(f"entry {number} of the list is not allowed")
    return entries
