"""Whether bytes come back as they went in, along every path that exists here."""

from __future__ import annotations

from busctl.core.comparison import Comparison, Verdict
from busctl.core.operating.health import Fault, Grade, Kind, Measure, Seen, Threshold
from busctl.core.sizes import show_size
from busctl.ops.check.surroundings import Check, Surroundings

KINDS = {
    "integrity.different": Kind(
        "Stop trusting that path; `busctl show` and `busctl get` the message, then look at the "
        "server's disk and memory."
    ),
    "integrity.failed": Kind("Read the message; `busctl test-integrity` tries more of it."),
    "integrity.not_tried": Kind(
        "Mend what the message names: the daemon's token (BUSCTL_TOKEN) or its load."
    ),
    "integrity.checksum_off": Kind("Set MESSAGE_BUS_CHECKSUM_ENABLED=true."),
    "integrity.path_ms": Kind(
        "Look at `busctl bench` and `busctl check latency`.", Threshold(5000, 30000, "ms")
    ),
}
_FAULTS = {
    Verdict.DIFFERENT: ("integrity.different", Grade.CRITICAL),
    Verdict.FAILED: ("integrity.failed", Grade.CRITICAL),
    Verdict.NOT_TRIED: ("integrity.not_tried", Grade.UNKNOWN),
}


async def look(around: Surroundings) -> Seen:
    """1 KB and 1 MB put and got through each path, compared byte for byte, then removed."""
    faults = []
    if not around.settings.checksum_enabled:
        told = "MESSAGE_BUS_CHECKSUM_ENABLED is false: readers do not verify what they get."
        faults.append(Fault("integrity.checksum_off", Grade.WARNING, told, "configuration"))
    if not around.settings.enabled:
        told = "The bus is switched off, so no canary was sent."
        faults.append(Fault("integrity.not_tried", Grade.UNKNOWN, told, "configuration"))
        return Seen(told, faults=tuple(faults))
    _ = around.store
    sent = await around.send_canaries()
    faults += [_fault(one) for one in sent.comparisons if one.verdict in _FAULTS]
    fine = [one for one in sent.comparisons if one.verdict is Verdict.IDENTICAL]
    paths = dict.fromkeys(one.path for one in fine)
    told = f"{len(fine)} of {len(sent.comparisons)} canaries came back identical"
    summary = f"{told} ({', '.join(paths) or 'no path'}). {sent.skipped}".rstrip()
    return Seen(summary, tuple(_measure(one) for one in fine), tuple(faults))


def _fault(one: Comparison) -> Fault:
    kind, grade = _FAULTS[one.verdict]
    told = str(one.difference) if one.difference else one.note
    return Fault(kind, grade, told or one.verdict.value, _subject(one))


def _measure(one: Comparison) -> Measure:
    ms = (one.put_ms or 0.0) + (one.get_ms or 0.0)
    told = f"There and back took {ms:.1f} ms"
    return Measure("integrity.path_ms", ms, told, _subject(one))


def _subject(one: Comparison) -> str:
    return f"{one.path}, {show_size(one.case.size)}"


CHECK = Check(
    "integrity", "1 KB and 1 MB come back identical on every path", KINDS, look, local=True
)
