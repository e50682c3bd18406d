"""All checks there are, in the order in which they are made and shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationError
from busctl.core.operating.health import Kind
from busctl.ops.check import (
    alerts,
    backlog,
    breaker,
    clock,
    connection,
    cron,
    expiry,
    integrity,
    latency,
    partitions,
    quota,
    schema,
    spool,
    upstreams,
)
from busctl.ops.check.surroundings import Check

CHECKS: tuple[Check, ...] = (
    connection.CHECK, schema.CHECK, partitions.CHECK, breaker.CHECK, spool.CHECK, expiry.CHECK,
    backlog.CHECK, quota.CHECK, integrity.CHECK, latency.CHECK, clock.CHECK, cron.CHECK,
    alerts.CHECK, upstreams.CHECK,
)  # fmt: skip
SHARES = frozenset({"quota.database_share", "spool.used_share"})
"""Byte budgets, whose thresholds are settings."""
UNKNOWN = "unknown"
"""`NAME.unknown`: the check could not look."""


def names() -> list[str]:
    """The names of all checks."""
    return [one.name for one in CHECKS]


def chosen(wanted: Sequence[str]) -> list[Check]:
    """Those checks, all of them for an empty list. Raises ConfigurationError for another name."""
    for name in wanted:
        if name not in names():
            raise ConfigurationError(
                f"There is no check {name!r}.", remedy=f"Name some of: {' '.join(names())}."
            )
    return [one for one in CHECKS if not wanted or one.name in wanted]


def kinds_of(checks: Iterable[Check]) -> dict[str, Kind]:
    """Every kind of finding those checks can have, with its default threshold."""
    found: dict[str, Kind] = {}
    for one in checks:
        for name, kind in one.kinds.items():
            found[name] = replace(kind, local=kind.local or one.local)
        found[f"{one.name}.{UNKNOWN}"] = Kind(
            "Mend what the message names, then run the check again: nothing is known meanwhile.",
            local=True,
        )
    return found


def configured(kinds: dict[str, Kind], settings: Settings) -> dict[str, Kind]:
    """`kinds` with the thresholds that the configuration sets."""
    warn, critical = settings.quota_warn_share, settings.quota_critical_share
    return {
        name: replace(kind, threshold=replace(kind.threshold, warn=warn, critical=critical))
        if name in SHARES and kind.threshold is not None
        else kind
        for name, kind in kinds.items()
    }
