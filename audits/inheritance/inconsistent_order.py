"""IN003: bases that contradict each other's order: Python refuses to create the class."""

from __future__ import annotations

from collections.abc import Iterable

from audits.inheritance.combining import called, hierarchy
from busctl.audit import Confidence, Finding, Project, Rule, Severity, Span
from busctl.audit.classes import ClassFacts
from busctl.audit.hierarchy import Hierarchy, InconsistentOrder


class InconsistentBases(Rule):
    """Only where every base that contradicts is a class of the project."""

    code = "IN003"
    name = "inconsistent-bases"
    family = "inheritance"
    severity = Severity.ERROR
    summary = "The bases contradict each other's order, so the class cannot be created."
    why = (
        "Python raises TypeError when the module is imported: whoever imports it lazily learns "
        "of it only when the feature is first used."
    )
    remedy = "Name the bases in the order their own classes have them, the more special first."
    needs = (ClassFacts,)
    GOOD = (
        """
class Base: ...
class Special(Base): ...
class Both(Special, Base): ...
""",
        # The base may be any class.
        """
def make(base):
    class Special(base): ...
    class Both(base, Special): ...
    return Both
""",
    )
    BAD = (
        """
class Base: ...
class Special(Base): ...
class Both(Base, Special): ...
""",
        """
class A: ...
class B: ...
class AB(A, B): ...
class BA(B, A): ...
class Both(AB, BA): ...
""",
    )

    def check_project(self, project: Project) -> Iterable[Finding]:
        classes = project.once(hierarchy)
        for identity in classes.classes:
            try:
                classes.order(identity)
            except InconsistentOrder:
                yield self._said(classes, identity)

    def _said(self, classes: Hierarchy, identity: str) -> Finding:
        facts = classes.classes[identity]
        bases = ", ".join(called(base) for base in classes.bases(identity))
        return Finding(
            code=self.code, name=self.name, path=classes.path(identity),
            span=Span(facts["line"], facts["column"], facts["line"],
                      facts["column"] + len(facts["anchor"])),
            message=f"{facts['name']} cannot be created: no order fits its bases ({bases}). "
                    "Importing this module raises TypeError.",
            severity=self.severity, confidence=Confidence.HIGH, remedy=self.remedy,
            symbol=facts["name"], anchor=facts["anchor"],
        )  # fmt: skip
