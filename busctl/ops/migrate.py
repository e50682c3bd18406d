"""What an operator asks of the schema: where it stands, and whether it is what was shipped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from busctl.core.migration import Migration, Recorded, Standing, State, described, standings
from busctl.core.operating.finding import Finding, Report


class Schema(Protocol):
    """The schema of one database. Both raise StoreUnreachable and StoreFailed."""

    async def recorded(self) -> list[Recorded]:
        """The applied migrations, oldest first; empty where the schema is missing."""

    async def catalog(self) -> list[str]:
        """What the schema holds, as lines `kind name: description`."""


async def status(schema: Schema, shipped: Iterable[Migration]) -> list[Standing]:
    """Every migration that is shipped or recorded, oldest first, with its state."""
    return standings(shipped, await schema.recorded())


def up_to_date(all_standings: Iterable[Standing]) -> bool:
    """Whether everything is applied, from the shipped texts, and nothing else is."""
    return all(one.state is State.APPLIED for one in all_standings)


async def verify(schema: Schema, shipped: Sequence[Migration], snapshot: Sequence[str]) -> Report:
    """Every difference between the database and what was shipped.

    The catalog is compared only where the shipped migrations and no others are applied: otherwise
    it differs because of them.
    """
    now = await status(schema, shipped)
    if all(one.state is State.PENDING for one in now):
        return Report(len(now), (_missing(),))
    findings = [found for one in now if (found := _of_migration(one)) is not None]
    checked = len(now)
    if not any(one.state in (State.PENDING, State.UNKNOWN) for one in now):
        checked += len(described(snapshot))
        findings += differences(snapshot, await schema.catalog())
    return Report(checked, tuple(findings))


def differences(shipped: Iterable[str], found: Iterable[str]) -> list[Finding]:
    """Between two catalogs, by name."""
    wanted, real = described(shipped), described(found)
    pairs = ((what, wanted.get(what), real.get(what)) for what in sorted({*wanted, *real}))
    return [_of_catalog(what, want, have) for what, want, have in pairs if want != have]


def _missing() -> Finding:
    return Finding(
        "missing", "schema bus", "The database has no bus schema.", "Run `busctl migrate up`."
    )


_OF_STATE = {
    State.PENDING: ("is not applied", "Run `busctl migrate up`."),
    State.CHANGED: (
        "was applied from another text than the shipped one",
        "Use the busctl that applied it; or export the messages, run `busctl migrate down --to 0` "
        "and `busctl migrate up`, and import them.",
    ),
    State.UNKNOWN: (
        "is not known to this busctl",
        "Upgrade busctl to the version that applied it.",
    ),
}


def _of_migration(one: Standing) -> Finding | None:
    if one.state is State.APPLIED:
        return None
    what, remedy = _OF_STATE[one.state]
    return Finding(one.state.value, f"migration {one.version}_{one.name}", f"It {what}.", remedy)


def _of_catalog(what: str, want: str | None, have: str | None) -> Finding:
    if want is None:
        if what.startswith("partition "):
            remedy = "Run as bus_janitor what `ensure_partitions_of` in `busctl migrate sql` runs."
            return Finding("partition", what, f"Wrong: {have}.", remedy)
        remedy = "Drop or revoke it: schema bus holds nothing but what busctl ships."
        return Finding("unexpected", what, f"It is not shipped: {have}.", remedy)
    remedy = "Restore it as `busctl migrate sql` prints it."
    if have is None:
        return Finding("missing", what, f"It is missing; shipped: {want}.", remedy)
    return Finding("different", what, f"Shipped: {want}; found: {have}.", remedy)
