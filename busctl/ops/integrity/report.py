"""What an integrity test found: every comparison, the limits, and the exit it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from busctl.core.comparison import Comparison, Verdict
from busctl.core.operating.finding import Finding, Report
from busctl.ops.integrity.limits import Limit

REMEDY = "Keep the message (--keep) and look at it with `busctl show` and `busctl get`."
WRONG = (Verdict.DIFFERENT, Verdict.FAILED)


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """Exit 0 only if everything was compared and equal, 1 if anything was wrong, 3 if something
    could not be tried."""

    comparisons: Sequence[Comparison]
    limits: Sequence[Limit] = ()

    @property
    def compared(self) -> Sequence[Comparison]:
        return [one for one in self.comparisons if one.verdict is not Verdict.NOT_TRIED]

    @property
    def not_tried(self) -> Sequence[Comparison]:
        return [one for one in self.comparisons if one.verdict is Verdict.NOT_TRIED]

    @property
    def compared_bytes(self) -> int:
        """Bytes that came back and were the right ones."""
        return sum(one.case.size for one in self.compared if one.verdict is Verdict.IDENTICAL)

    @property
    def report(self) -> Report:
        findings = [
            Finding(one.verdict.value, one.subject, reason_of(one), REMEDY)
            for one in self.compared
            if one.verdict in WRONG
        ]
        findings += [
            Finding("limit", f"{limit.path} at {limit.failed_bytes:,} bytes", limit.why, REMEDY)
            for limit in self.limits
            if limit.is_wrong
        ]
        return Report(len(self.compared), tuple(findings))

    @property
    def exit_code(self) -> int:
        if self.report.findings:
            return 1
        return 3 if self.not_tried or not self.report.ok else 0

    def summary(self) -> str:
        """One line: how many comparisons and bytes, and the verdict."""
        wrong, left = len(self.report.findings), len(self.not_tried)
        parts = [f"{len(self.compared):,} comparisons, {self.compared_bytes:,} bytes identical"]
        parts += [f"{wrong:,} wrong"] if wrong else []
        parts += [f"{left:,} not tried"] if left else []
        return ", ".join(parts) + "."

    def shape(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "checked": len(self.compared),
            "compared_bytes": self.compared_bytes,
            "not_tried": len(self.not_tried),
            "exit_code": self.exit_code,
            "comparisons": [one.shape() for one in self.comparisons],
            "findings": [
                {"kind": one.kind, "subject": one.subject, "message": one.message,
                 "remedy": one.remedy}
                for one in self.report.findings
            ],
            "limits": [limit.shape() for limit in self.limits],
        }  # fmt: skip


def reason_of(one: Comparison) -> str:
    """Why a comparison is not a pass; "" when it is."""
    return " · ".join(str(part) for part in (one.difference, one.note) if part)
