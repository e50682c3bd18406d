"""Whether alerts reach anybody."""

from __future__ import annotations

from busctl.core.operating.health import Fault, Grade, Kind, Seen
from busctl.core.text import counted
from busctl.ops.check.surroundings import Check, Surroundings

KINDS = {
    "alerts.undelivered": Kind(
        "Read why in the message; `busctl alert test` tries every sink (BUSCTL_ALERT_WEBHOOK_URL, "
        "BUSCTL_ALERT_COMMAND, BUSCTL_ALERT_APPRISE_URLS)."
    ),
}


async def look(around: Surroundings) -> Seen:
    """Notices that a sink did not take, of the store and of this machine's own file."""
    waiting = await around.undelivered()
    if not waiting:
        _ = around.store  # what is there is not known while the store is away
    faults = []
    for one in waiting:
        why = "; ".join(f"{sink}: {said}" for sink, said in one.outcomes.items() if said)
        told = f"{one.change.value} was not delivered in {one.attempts} attempts ({why})."
        subject = f"{one.key.kind} {one.key.subject}"
        faults.append(Fault("alerts.undelivered", Grade.WARNING, told, subject))
    summary = f"{counted(len(waiting), 'alert')} not delivered."
    return Seen(summary if waiting else "No alert is undelivered.", faults=tuple(faults))


CHECK = Check("alerts", "alerts reach somebody", KINDS, look)
