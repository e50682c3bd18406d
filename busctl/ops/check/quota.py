"""How much room is left, in the database and on this machine's disks."""

from __future__ import annotations

from busctl.core.operating.health import Fault, Grade, Kind, Measure, Seen, Threshold
from busctl.ops.check.surroundings import Check, Surroundings

KINDS = {
    "quota.read_only": Kind(
        "Free space with `busctl cleanup --max-db-bytes`, which works on a read-only project, then "
        "lift the restriction (Supabase: database settings)."
    ),
    "quota.database_share": Kind(
        "Run `busctl cleanup --max-db-bytes N --dry-run`, shorten MESSAGE_BUS_TTL_HOURS, or raise "
        "the plan and BUSCTL_DB_MAX_BYTES.",
        Threshold(0.8, 0.95),
    ),
    "quota.database_bytes": Kind("Set BUSCTL_DB_MAX_BYTES to the plan's.", Threshold(unit="B")),
    "quota.disk_free_bytes": Kind(
        "Free space on that disk: the spool and the embedded store stop when it is full.",
        Threshold(1_000_000_000, 200_000_000, "B", low=True),
        local=True,
    ),
}


async def look(around: Surroundings) -> Seen:
    """Bytes of the database against its budget, whether it takes writes, and free disk."""
    (row,) = await around.store.ask("health_quota")
    size, budget = row["bytes"], around.settings.db_max_bytes
    measures = [Measure("quota.database_bytes", size, f"The database has {size:,} bytes")]
    if budget is not None:
        told = f"The database has {size:,} of {budget:,} bytes"
        measures.append(Measure("quota.database_share", size / budget, told))
    faults = []
    if row["is_standby"] or row["read_only"]:
        what = "a standby" if row["is_standby"] else "read-only by default"
        told = f"The database is {what}: nothing can be stored."
        faults.append(Fault("quota.read_only", Grade.CRITICAL, told))
    for folder in around.folders:
        free = around.free_bytes(folder)
        told = f"{free:,} bytes are free on its disk"
        measures.append(Measure("quota.disk_free_bytes", free, told, str(folder)))
    against = f" of {budget:,}" if budget is not None else ", no budget set (BUSCTL_DB_MAX_BYTES)"
    return Seen(f"{size:,} bytes{against}.", tuple(measures), tuple(faults))


CHECK = Check("quota", "room in the database and on the disks", KINDS, look)
