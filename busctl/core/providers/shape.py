"""What is known of a provider, as JSON, and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from busctl.core.providers.account import Account
from busctl.core.providers.profile import Files, Model, Profile, Sourced, Thinks


def provider_shape(account: Account) -> dict[str, Any]:
    """Everything, the key excepted: whether one is set, and which variables may hold it."""
    profile = account.profile
    return {
        "name": profile.name,
        "title": profile.title,
        "tool": account.tool if account.usable else None,
        "key": {
            "set": account.usable, "variable": account.key_variable,
            "variables": list(profile.key_variables),
        },
        "base": account.base,
        "encrypted": not account.in_clear,
        "base_variables": list(profile.base_variables),
        "other_bases": list(profile.other_bases),
        "default_model": profile.default_model,
        "default_context_tokens": profile.default_context_tokens,
        "concurrency": profile.concurrency,
        "thinking": profile.thinking is not None,
        "web_search": profile.web_search is not None,
        "models": [one.model_dump(mode="json") for one in profile.models],
        "files": None if profile.files is None else profile.files.model_dump(mode="json"),
        "retries": profile.retries.model_dump(mode="json"),
        "sources": [
            {"of": place, "url": one.source, "seen": one.seen.isoformat(), "note": one.note}
            for place, one in sources_of(profile)
        ],
    }  # fmt: skip


def provider_lines(account: Account) -> Iterator[str]:
    """The same, to be read."""
    profile = account.profile
    yield f"{profile.name}: {profile.title}"
    offered = f"as the tool {account.tool}" if account.usable else "no tool: its key is not set"
    held = f"in {account.key_variable}" if account.usable else f"would be in {account.variables}"
    yield f"  offered   {offered}"
    yield f"  key       {held}"
    clear = " (not encrypted: whoever is on the way reads the key)" if account.in_clear else ""
    yield f"  address   {account.base}{clear}"
    for each in profile.other_bases:
        yield f"            or {each} ({' or '.join(profile.base_variables)})"
    yield "  models"
    for model in profile.models:
        chosen = " (unless another is named)" if model.name == profile.default_model else ""
        yield f"    {model.name}{chosen}: {', '.join(_abilities(model))}"
    yield from _file_lines(profile.files)
    yield "  sources"
    for place, one in sources_of(profile):
        note = f" ({one.note})" if one.note else ""
        yield f"    {place}: {one.source}, {one.seen.isoformat()}{note}"


def sources_of(profile: Profile) -> Iterator[tuple[str, Sourced]]:
    """Every table that says where its facts are from, and what it is."""
    yield "provider", profile
    for name in type(profile).model_fields:
        value = getattr(profile, name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Sourced):
                yield (f"model {each.name}" if isinstance(each, Model) else name), each


def _abilities(model: Model) -> Iterator[str]:
    yield f"{model.context_tokens:,} tokens"
    if model.thinking is Thinks.OPTIONAL:
        yield "thinking"
    elif model.thinking is Thinks.ALWAYS:
        yield "always thinking"
    if model.efforts:
        yield f"effort {'|'.join(model.efforts)}"
    if model.fixed_temperature:
        yield "fixed temperature"
    if model.web_search:
        yield "web search"
    if model.vision:
        yield "images"


def _file_lines(files: Files | None) -> Iterator[str]:
    if files is None:
        yield "  files     none"
        return
    back = f"text back from {files.extract}" if files.extract else "no text back"
    limits = [back]
    if files.max_files is not None:
        limits.append(f"{files.max_files:,} files")
    if files.max_total_bytes is not None:
        limits.append(f"{files.max_total_bytes:,} bytes in all")
    if files.keep_days is not None:
        limits.append(f"kept {files.keep_days} days")
    yield f"  files     {', '.join(limits)}"
    for name, purpose in files.purposes.items():
        suffixes = f", {' '.join(purpose.suffixes)}" if purpose.suffixes else ""
        yield f"    {name}: {purpose.max_bytes:,} bytes{suffixes}"
