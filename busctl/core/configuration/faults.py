"""Faults of a configuration, all of them, as sentences that hold no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from busctl.core.configuration.contradictions import Contradiction
from busctl.core.configuration.field import allowed
from busctl.core.configuration.settings import Settings, canonical_name, is_secret, known_names

_SHOWN_CHARS = 80

Where = Callable[[str], str]
"""From a field to the words that say which variable gave its value, and where."""


def faults_of(error: ValidationError, given: Mapping[str, object], where: Where) -> list[str]:
    """One sentence per fault of `given` (by field), which `error` was raised for.

    pydantic looks for contradictions only once every field is right; here those between right
    fields are told together with the wrong ones.
    """
    wrong = _wrong_fields(error)
    if not wrong:
        return [_clash(each, where) for each in _contradictions(error)]
    faults = [_wrong(field, given.get(field), text, where) for field, text in wrong.items()]
    rest = {field: value for field, value in given.items() if field not in wrong}
    try:
        Settings.model_validate(rest)
    except ValidationError as second:
        clashes = [each for each in _contradictions(second) if wrong.keys().isdisjoint(each.fields)]
        faults += [_clash(each, where) for each in clashes]
    return faults


def _wrong_fields(error: ValidationError) -> dict[str, str]:
    """Each field that is wrong by itself, with what our own validators said of it ("" if none)."""
    fields = known_names()
    found: dict[str, str] = {}
    for each in error.errors(include_url=False):
        if each["type"] != "contradiction":
            name = str(each["loc"][0])
            own = each["msg"].partition(", ")[2] if each["type"] == "value_error" else ""
            found.setdefault(fields.get(name, name), own)
    return found


def _contradictions(error: ValidationError) -> Iterable[Contradiction]:
    for each in error.errors(include_url=False):
        found: Any = each.get("ctx", {}).get("contradictions", ())
        yield from found


def _clash(each: Contradiction, where: Where) -> str:
    return f"{where(each.fields[0])}: {each.message}"


def _wrong(field: str, value: object, own: str, where: Where) -> str:
    if field not in Settings.model_fields:
        return f"{where(field)}: there is no such setting."
    if isinstance(value, str) and not value.strip():
        shown, own = "an empty value", own or "is not allowed"
    else:
        shown, own = _quoted(field, value), own or "is not allowed"
    return f"{where(field)}: {shown} {own}. Allowed: {allowed(Settings.model_fields[field])}."


def _quoted(field: str, value: object) -> str:
    if is_secret(field):
        return f"the value of {canonical_name(field)} (hidden)"
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
