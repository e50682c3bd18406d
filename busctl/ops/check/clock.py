"""Whether the clocks agree: ids carry this machine's time, expiry goes by the server's."""

from __future__ import annotations

from busctl.core.operating.health import Kind, Measure, Seen, Threshold
from busctl.core.text import counted
from busctl.ops.check.surroundings import Check, Surroundings

KINDS = {
    "clock.skew_secs": Kind(
        "Set the clock of this machine (chrony, systemd-timesyncd), or the database server's.",
        Threshold(5, 60, "s"),
        local=True,
    ),
    "clock.silent_secs": Kind(
        "See whether that daemon lives; start it again. The row of one that crashed leaves when "
        "one runs on its host again, or with a cleanup after a day.",
        Threshold(60, 600, "s"),
    ),
}


async def look(around: Surroundings) -> Seen:
    """The difference between the server's clock and ours, and how long each daemon was silent."""
    before = around.clock.unix_ms()
    (row,) = await around.store.ask("health_clock")
    after = around.clock.unix_ms()
    # The answer was made at some moment between: what the line took is no skew.
    ahead = row["epoch"] - after / 1000 if row["epoch"] * 1000 > after else 0.0
    behind = before / 1000 - row["epoch"] if row["epoch"] * 1000 < before else 0.0
    skew = max(ahead, behind)
    side = "ahead of" if ahead else "behind"
    told = f"The server's clock is {skew:.1f} s {side} this machine's"
    measures = [Measure("clock.skew_secs", skew, told, f"clock of {around.host}")]
    daemons = await around.store.ask("health_daemons")
    for one in daemons:
        told = f"It was last heard of {one['silent']:.0f} s ago"
        measures.append(
            Measure("clock.silent_secs", one["silent"], told, f"daemon {one['daemon']}")
        )
    return Seen(f"Skew {skew:.1f} s; {counted(len(daemons), 'daemon')} heard of.", tuple(measures))


CHECK = Check("clock", "the clocks agree, and no daemon went silent", KINDS, look)
