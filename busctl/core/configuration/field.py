"""What is known of one field of the configuration: its names, what it takes, how it is written."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from annotated_types import Ge, Gt, Le
from pydantic import AliasChoices
from pydantic.fields import FieldInfo


def names_of(known: FieldInfo) -> tuple[str, ...]:
    """The environment names, the canonical one first."""
    alias = known.validation_alias
    return tuple(str(name) for name in alias.choices) if isinstance(alias, AliasChoices) else ()


def base_type(known: FieldInfo) -> object:
    """The type without `| None`."""
    kinds = [kind for kind in get_args(known.annotation) if kind is not type(None)]
    return kinds[0] if kinds else known.annotation


def is_optional(known: FieldInfo) -> bool:
    """Whether an empty value means that it is not set."""
    return known.default is None or known.default == ()


def allowed(known: FieldInfo) -> str:
    """What the field takes, in words."""
    if stated := _extra(known, "allowed"):
        return stated
    if known.annotation is bool:
        return "true or false (1/0, yes/no, on/off)"
    if base_type(known) is Path:
        return "a path"
    if known.annotation in (int, float):
        return _bounds(known)
    return "one of " + ", ".join(get_args(known.annotation))


def _bounds(known: FieldInfo) -> str:
    noun = "a whole number" if known.annotation is int else "a number"
    words = []
    for bound in known.metadata:
        match bound:
            case Gt():
                words.append(f"over {plain(bound.gt)}")
            case Ge():
                words.append(f"at least {plain(bound.ge)}")
            case Le():
                words.append(f"at most {plain(bound.le)}")
    return f"{noun}, {', '.join(words)}"


def plain(value: object) -> str:
    """A value as one would write it in an environment file."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case float():
            return f"{value:f}".rstrip("0") if abs(value) >= 1e-6 else repr(value)
        case tuple():
            return ",".join(value)
        case _:
            return str(value)


def render_env_example(fields: Mapping[str, FieldInfo]) -> str:
    """Every variable with its default and why one would set it, by section."""
    lines = [
        "# Every variable of busctl with its default. Copy this file to .env and uncomment what",
        "# you change. A flag wins over the environment, the environment over this file.",
    ]
    section = ""
    for known in fields.values():
        if _extra(known, "section") != section:
            section = _extra(known, "section")
            lines += ["", f"# --- {section} ---"]
        lines += ["", *_comment(known), f"# {names_of(known)[0]}={plain(known.default)}"]
    return "\n".join(lines) + "\n"


def _comment(known: FieldInfo) -> list[str]:
    texts = [known.description or "", f"Allowed: {allowed(known)}."]
    if older := names_of(known)[1:]:
        texts.append(f"Also read from {', '.join(older)}.")
    return [f"# {line}" for text in texts for line in textwrap.wrap(text, 96)]


def _extra(known: FieldInfo, key: str) -> str:
    extra = known.json_schema_extra
    return str(extra[key]) if isinstance(extra, dict) else ""
