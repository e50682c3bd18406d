"""Migrations as values: what is applied, what is not, what would be undone, and as which SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from busctl.core.errors import ConfigurationError, SchemaOutdated

OLDEST_SERVER = 150000
"""PostgreSQL's number of the oldest version that the SQL works on (security_invoker views)."""

LOCK_TIMEOUT = "10s"
"""How long one statement of a migration waits for a lock before it gives way to the others."""

ADVISORY_LOCK = "select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('busctl.migrate'))"
MAKE_PARTITIONS = (
    "select bus.ensure_partitions(pg_catalog.now(), pg_catalog.now() + interval '1 day')"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One shipped migration: `up` and `down` are SQL texts, `checksum` SHA-256 (hex) of `up`."""

    version: str
    name: str
    up: str
    down: str
    checksum: str

    @property
    def title(self) -> str:
        return f"{self.version}_{self.name}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One row of bus.migration. `applied_at` is ISO 8601 in UTC."""

    version: str
    name: str
    checksum: str
    applied_at: str


class State(StrEnum):
    """Of one migration in one database."""

    APPLIED = "applied"
    PENDING = "pending"
    CHANGED = "changed"
    """Applied from another text than the shipped one."""
    UNKNOWN = "unknown"
    """Applied by a newer busctl, or by another program."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A migration and its state; `applied_at` None where it is pending."""

    version: str
    name: str
    state: State
    applied_at: str | None


def standings(shipped: Iterable[Migration], recorded: Iterable[Recorded]) -> list[Standing]:
    """Every migration that is shipped or recorded, oldest first."""
    files = {one.version: one for one in shipped}
    rows = {one.version: one for one in recorded}
    found = [_recorded(row, files.get(row.version)) for row in rows.values()]
    found += [
        Standing(one.version, one.name, State.PENDING, None)
        for one in files.values()
        if one.version not in rows
    ]
    return sorted(found, key=lambda one: one.version)


def _recorded(row: Recorded, file: Migration | None) -> Standing:
    if file is None:
        state = State.UNKNOWN
    else:
        state = State.APPLIED if row.checksum == file.checksum else State.CHANGED
    return Standing(row.version, row.name, state, row.applied_at)


def check_version(newest_recorded: str | None, newest_shipped: str) -> None:
    """Raises SchemaOutdated unless the newest recorded migration is the newest shipped one.

    A newer schema is refused too: the functions that this busctl calls may have changed their
    meaning, and one that guesses writes what the other cannot read.
    """
    if newest_recorded is None or newest_recorded < newest_shipped:
        raise SchemaOutdated(
            f"The bus schema is at {newest_recorded or '0'}; this busctl needs {newest_shipped}.",
            remedy="Run `busctl migrate up`.",
        )
    if newest_recorded > newest_shipped:
        raise SchemaOutdated(
            f"The bus schema is at {newest_recorded}, newer than this busctl knows "
            f"({newest_shipped}).",
            remedy="Upgrade busctl here to the version that migrated the database.",
        )


def to_apply(shipped: Sequence[Migration], recorded: Iterable[Recorded]) -> list[Migration]:
    """What `up` runs, oldest first. Raises SchemaOutdated where the database is ahead."""
    known = {one.version for one in recorded}
    if known and max(known) > shipped[-1].version:
        check_version(max(known), shipped[-1].version)
    return [one for one in shipped if one.version not in known]


def to_undo(
    shipped: Iterable[Migration], recorded: Sequence[Recorded], target: str
) -> list[Migration]:
    """What `down --to target` runs, newest first; '0' undoes all.

    Raises ConfigurationError for a target that is not applied, SchemaOutdated where one of those
    to be undone is not shipped with this busctl.
    """
    files = {one.version: one for one in shipped}
    applied = [one.version for one in recorded]
    if target != "0" and target not in applied:
        known = ", ".join(["0", *applied])
        raise ConfigurationError(
            f"There is no applied migration {target} to go back to.",
            remedy=f"Give one of {known} (`busctl migrate status` names them).",
        )
    undone = sorted((version for version in applied if version > target), reverse=True)
    if strange := [version for version in undone if version not in files]:
        raise SchemaOutdated(
            f"This busctl does not know migration {strange[0]}, so it cannot undo it.",
            remedy="Go back with the busctl that applied it.",
        )
    return [files[version] for version in undone]


def record_sql(migration: Migration) -> str:
    """The statement that records a migration. All three values are hex, digits or [a-z0-9_]."""
    return (
        "insert into bus.migration (version, name, checksum)\n"
        f"values ('{migration.version}', '{migration.name}', '{migration.checksum}')"
    )


def script(shipped: Iterable[Migration]) -> str:
    """What `up` runs on an empty database, as one transaction: `psql -f` leaves all or nothing."""
    parts = [
        "-- The busctl schema, from nothing. One transaction: it is applied whole or not at all.",
        "begin;",
        f"set local lock_timeout = '{LOCK_TIMEOUT}';",
        f"{ADVISORY_LOCK};",
    ]
    for one in shipped:
        parts += [f"\n-- {one.title}", one.up.strip(), f"{record_sql(one)};"]
    return "\n".join([*parts, "\n-- Partitions of today and tomorrow.", f"{MAKE_PARTITIONS};",
                      "commit;", ""])  # fmt: skip


def described(lines: Iterable[str]) -> Mapping[str, str]:
    """Catalog lines (`kind name: description`) by what they describe."""
    return {
        what: text for line in lines for what, _, text in [line.partition(": ")] if not _blank(line)
    }


def _blank(line: str) -> bool:
    return not line.strip() or line.startswith("#")
