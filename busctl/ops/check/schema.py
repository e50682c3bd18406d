"""Whether the schema is the one this busctl ships."""

from __future__ import annotations

from busctl.core.operating.finding import Finding
from busctl.core.operating.health import Fault, Grade, Kind, Seen
from busctl.ops.check.surroundings import Check, Surroundings

SHOWN = 10
"""Differences that are told one by one; `migrate verify` tells all."""
KINDS = {
    "schema.missing": Kind("Run `busctl migrate up`."),
    "schema.pending": Kind("Run `busctl migrate up`."),
    "schema.newer": Kind("Upgrade busctl to the version that migrated this database."),
    "schema.changed": Kind("Look at `busctl migrate verify`; use the busctl that applied it."),
    "schema.drift": Kind("Look at `busctl migrate verify`, which tells a remedy for each."),
}
_OF_MIGRATION = {
    "pending": ("schema.pending", Grade.CRITICAL),
    "unknown": ("schema.newer", Grade.CRITICAL),
    "changed": ("schema.changed", Grade.WARNING),
}


async def look(around: Surroundings) -> Seen:
    """What `migrate verify` finds, graded: what stops the bus is CRITICAL."""
    _ = around.store
    report = await around.schema()
    faults = [_fault(one) for one in report.findings]
    if len(faults) > SHOWN:
        told = f"{len(faults) - SHOWN} more differences are not listed here."
        faults = [*faults[:SHOWN], Fault("schema.drift", Grade.WARNING, told, "schema bus")]
    if not report.checked:
        faults = [Fault("schema.missing", Grade.CRITICAL, "Nothing was compared.", "schema bus")]
    state = f"{len(report.findings)} differ" if report.findings else "all as shipped"
    return Seen(f"{report.checked} objects compared, {state}.", faults=tuple(faults))


def _fault(found: Finding) -> Fault:
    if found.subject == "schema bus":
        kind, grade = "schema.missing", Grade.CRITICAL
    elif found.subject.startswith("migration "):
        kind, grade = _OF_MIGRATION[found.kind]
    else:
        kind, grade = "schema.drift", Grade.WARNING
    return Fault(kind, grade, found.message, found.subject, found.remedy)


CHECK = Check("schema", "migrations applied, and the catalog as shipped", KINDS, look)
