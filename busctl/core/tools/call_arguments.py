"""The arguments of a call as one types them: key=value, by what the tool's schema says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from busctl.core.errors import ConfigurationError
from busctl.core.jsontext import parse_json


def read_pairs(pairs: Iterable[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """`key=value` texts as arguments.

    A value for an argument that takes text alone is taken as it stands; any other is JSON if it
    reads as JSON, else text. Raises ConfigurationError for what is not key=value.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, mark, text = pair.partition("=")
        if not mark or not key:
            raise ConfigurationError(
                f"{pair!r} is not key=value.",
                remedy="Write text=hello size_bytes=10, or give all of them with --args-json.",
            )
        if key in found:
            raise ConfigurationError(f"The argument {key!r} is given twice.")
        found[key] = _value(text, schema.get("properties", {}).get(key, {}))
    return found


def read_object(text: str | bytes, origin: str) -> dict[str, Any]:
    """A JSON object of arguments. Raises ConfigurationError naming `origin`."""
    try:
        found = parse_json(text)
    except ValueError as error:
        raise ConfigurationError(f"{origin} is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{origin} is not a JSON object.")
    return found


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    kinds = {each.get("type") for each in (schema, *schema.get("anyOf", ()))} - {None}
    if kinds == {"string"} or (kinds == {"string", "null"} and text != "null"):
        return text
    try:
        return parse_json(text)
    except ValueError:  # then it is text, as most values typed are
        return text
