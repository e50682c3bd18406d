"""Migrations as files for `supabase db push`: re-stamped, recording themselves, harmless twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from busctl.core.errors import ConfigurationError
from busctl.core.migration import (
    ADVISORY_LOCK,
    LOCK_TIMEOUT,
    MAKE_PARTITIONS,
    Migration,
    record_sql,
)

_STAMP = re.compile(r"^(\d{14})_.*\.sql$")
_OURS = re.compile(r"^-- busctl migration (?P<version>\d{14})_\w+ sha256 (?P<checksum>\w{64})$")
_PARTITIONS = "-- busctl partitions"
_FORMAT = "%Y%m%d%H%M%S"


def exported(shipped: Iterable[Migration], present: Mapping[str, str]) -> list[tuple[str, str]]:
    """The files (name, text) that a folder lacks, in order; `present` maps the names there to
    their first lines.

    Each name is newer than all that are there, because push refuses files older than the newest
    one pushed. Raises ConfigurationError where a file of ours holds another text of a migration.
    """
    there = _ours(present)
    missing = []
    for one in shipped:
        if one.version not in there:
            missing.append((one.name, migration_text(one)))
        elif there[one.version][1] != one.checksum:
            raise ConfigurationError(
                f"{there[one.version][0]} holds another text of migration {one.title}.",
                remedy="Delete the file if it was never pushed; if it was, use the busctl that "
                "wrote it, or write a migration of your own for the difference.",
            )
    if missing and _PARTITIONS not in present.values():
        missing.append(("make_partitions", partitions_text()))
    stamps = _stamps_after(present, min(one.version for one in shipped))
    return [(f"{stamp}_busctl_{name}.sql", text) for stamp, (name, text) in zip(stamps, missing)]  # noqa: B905  # stamps never end


def _ours(present: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """File name and checksum of each migration that was exported before, by version."""
    marks = ((name, _OURS.match(first)) for name, first in present.items())
    return {mark["version"]: (name, mark["checksum"]) for name, mark in marks if mark}


def _stamps_after(present: Iterable[str], first: str) -> Iterator[str]:
    """Stamps a second apart, from `first` or from just after the newest file."""
    found = [mark[1] for name in present if (mark := _STAMP.match(name))]
    stamp = max([*found, str(int(first) - 1)])
    while True:
        stamp = _next(stamp)
        yield stamp


def _next(stamp: str) -> str:
    try:
        return (datetime.strptime(stamp, _FORMAT) + timedelta(seconds=1)).strftime(_FORMAT)  # noqa: DTZ007  # a number
    except (ValueError, OverflowError):
        # Fourteen digits that are no time: push compares them as numbers.
        return f"{int(stamp) + 1:014d}"


def migration_text(migration: Migration) -> str:
    """One migration as one statement, so that no tool can apply half of it."""
    return "\n".join([
        f"-- busctl migration {migration.title} sha256 {migration.checksum}",
        "-- Written by `busctl migrate export`; does nothing where `busctl migrate up` came first.",
        "do $busctl_migration$",
        "begin",
        f"    perform {ADVISORY_LOCK.removeprefix('select ')};",
        "    if exists (",
        "        select from pg_catalog.pg_class class",
        "        join pg_catalog.pg_namespace space on space.oid = class.relnamespace",
        "        where space.nspname = 'bus' and class.relname = 'migration')",
        "    then",
        "        if exists (",
        f"            select from bus.migration where version = '{migration.version}')",
        "        then",
        "            return;",
        "        end if;",
        "    end if;",
        f"    perform pg_catalog.set_config('lock_timeout', '{LOCK_TIMEOUT}', true);",
        "    execute $busctl_up$",
        migration.up.strip(),
        "$busctl_up$;",
        f"    {record_sql(migration)};",
        "end",
        "$busctl_migration$;",
        "",
    ])  # fmt: skip


def partitions_text() -> str:
    """Partitions of the day it is pushed and the next; the daemon and `cleanup` make the others."""
    return f"{_PARTITIONS}\n-- Written by `busctl migrate export`.\n{MAKE_PARTITIONS};\n"
