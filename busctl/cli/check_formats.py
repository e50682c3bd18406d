"""How the outcome of `busctl check` is printed: for people, programs, Nagios and Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from busctl.cli.rendering import printable
from busctl.core.operating.health import Grade, Graded, Health, Judgement, Kind, Reading, Threshold
from busctl.ops.check.connection import UNREACHABLE

NAGIOS_UNITS = frozenset({"s", "ms", "us", "B", "c", "%"})


def text(health: Health, *, quiet: bool) -> Iterator[str]:
    """A line for each check, and under it what was found; with `quiet` only what is wrong. Why the
    store cannot be asked is told once."""
    why: list[str] = []
    for one in health.judgements:
        if not (quiet and one.grade is Grade.OK):
            yield from _told(one, why)
        why += [found.message for found in one.findings if found.kind == UNREACHABLE]
    if not quiet:
        counts = [
            f"{count} {grade.name}"
            for grade in Grade
            if (count := sum(one.grade is grade for one in health.judgements))
        ]
        took = f"{health.seconds:.2f} s"
        if health.connect_ms is not None:
            took += f" besides {health.connect_ms:.0f} ms to connect"
        yield f"{', '.join(counts)}; {took}."


def _told(one: Judgement, why: list[str]) -> Iterator[str]:
    """`why` are the reasons that were told before."""
    summary = _shortened(one.summary, why)
    yield f"{one.grade.name:8}  {one.check:11} {printable(summary)}"
    if summary != one.summary:
        return  # the finding says the same
    for found in one.findings:
        message = _shortened(found.message, why)
        yield f"{'':10}{found.grade.name} {printable(f'{found.subject}: {message}')}"
        if message == found.message:
            yield f"{'':10}  fix: {printable(found.remedy)}"


def _shortened(told: str, why: list[str]) -> str:
    known = next((each for each in why if told.endswith(each)), None)
    return told if known is None else f"{told.removesuffix(known)}the store cannot be reached."


def shape(health: Health) -> dict[str, Any]:
    """The JSON shape."""
    return {
        "ok": health.exit_code == 0,
        "grade": health.grade.name,
        "exit_code": health.exit_code,
        "checked": health.report.checked,
        "connect_ms": health.connect_ms,
        "seconds": health.seconds,
        "checks": [_check(one) for one in health.judgements],
        "findings": [
            {"check": one.check, **finding(found)}
            for one in health.judgements
            for found in one.findings
        ],
    }


def finding(found: Graded) -> dict[str, Any]:
    """The JSON shape of one finding."""
    return {
        "kind": found.kind, "subject": found.subject, "grade": found.grade.name,
        "message": found.message, "remedy": found.remedy,
    }  # fmt: skip


def _check(one: Judgement) -> dict[str, Any]:
    return {
        "check": one.check, "grade": one.grade.name, "summary": one.summary,
        "seconds": one.seconds,
        "measures": [
            {"kind": each.measure.kind, "subject": each.measure.subject,
             "value": each.measure.value, "unit": each.threshold.unit,
             "warn": each.threshold.warn, "critical": each.threshold.critical}
            for each in one.readings
        ],
    }  # fmt: skip


# --- Nagios ------------------------------------------------------------------------------------


def nagios(health: Health) -> Iterator[str]:
    """One line with performance data, then a line for each finding (plug-in API 3)."""
    wrong = [found for one in health.judgements for found in one.findings]
    data = " ".join(_performance(each) for one in health.judgements for each in one.readings)
    bad = [one for one in health.judgements if one.grade is not Grade.OK]
    said = "; ".join(f"{one.check} {one.grade.name}: {one.summary.rstrip('.')}" for one in bad)
    first = said or f"{len(health.judgements)} checks in {health.seconds:.2f} s"
    yield f"BUSCTL {health.grade.name} - {_one_line(first)}" + (f" | {data}" if data else "")
    for found in wrong:
        yield _one_line(
            f"{found.grade.name} {found.kind}: {found.subject}: {found.message} fix: {found.remedy}"
        )


def nagios_failure(message: str) -> str:
    """The line for a check that could not even begin."""
    return f"BUSCTL UNKNOWN - {_one_line(message)}"


def _one_line(said: str) -> str:
    # The bar begins the performance data.
    return printable(" ".join(said.split())).replace("|", "/")


def _performance(each: Reading) -> str:
    measure, threshold = each.measure, each.threshold
    label = measure.kind if measure.subject == "store" else f"{measure.kind} {measure.subject}"
    label = _one_line(label).replace("'", "").replace("=", ":")
    unit = threshold.unit if threshold.unit in NAGIOS_UNITS else ""
    ranges = ";".join(_range(limit, threshold) for limit in (threshold.warn, threshold.critical))
    return f"'{label}'={measure.value:.6g}{unit};{ranges}".rstrip(";")


def _range(limit: float | None, threshold: Threshold) -> str:
    if limit is None:
        return ""
    return f"{limit:g}:" if threshold.low else f"{limit:g}"


# --- Prometheus --------------------------------------------------------------------------------


def prometheus(health: Health, now: float) -> Iterator[str]:
    """Text exposition, for node_exporter's textfile collector. `now` is Unix time in seconds."""
    yield "# HELP busctl_check_grade 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."
    yield "# TYPE busctl_check_grade gauge"
    for one in health.judgements:
        yield f'busctl_check_grade{{check="{one.check}"}} {int(one.grade)}'
    yield "# HELP busctl_check_value What a check measured, in the unit of its name."
    yield "# TYPE busctl_check_value gauge"
    for one in health.judgements:
        for each in one.readings:
            labels = f"kind={_label(each.measure.kind)},subject={_label(each.measure.subject)}"
            yield f"busctl_check_value{{{labels}}} {each.measure.value:.10g}"
    yield "# HELP busctl_check_timestamp_seconds When the checks were made."
    yield "# TYPE busctl_check_timestamp_seconds gauge"
    yield f"busctl_check_timestamp_seconds {now:.3f}"


def _label(value: str) -> str:
    return json.dumps(printable(value), ensure_ascii=False)


# --- the list ----------------------------------------------------------------------------------


def listing(abouts: Mapping[str, str], kinds: Mapping[str, Kind]) -> Iterator[str]:
    """Every check and, below it, what it can find, with thresholds."""
    for name, about in abouts.items():
        yield f"{name}: {about}"
        for kind, known in kinds.items():
            if kind.partition(".")[0] == name:
                yield f"  {kind}{_shown(known.threshold)}"


def _shown(threshold: Threshold | None) -> str:
    if threshold is None:
        return ""
    side = "<" if threshold.low else ">="
    unit = f" {threshold.unit}" if threshold.unit else ""
    pairs = (("warn", threshold.warn), ("critical", threshold.critical))
    shown = [f"{name} {side} {limit:g}{unit}" for name, limit in pairs if limit is not None]
    return "  " + (", ".join(shown) or "no threshold")


def check_shape(name: str, about: str, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """The JSON shape of one check, not made."""
    own = {kind: known for kind, known in kinds.items() if kind.partition(".")[0] == name}
    return {
        "check": name, "about": about,
        "findings": [
            {"kind": kind, "remedy": known.remedy, "measured": known.threshold is not None,
             **_limits(known.threshold or Threshold())}
            for kind, known in own.items()
        ],
    }  # fmt: skip


def _limits(threshold: Threshold) -> dict[str, Any]:
    return {"unit": threshold.unit, "warn": threshold.warn, "critical": threshold.critical}
