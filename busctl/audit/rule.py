"""What a rule is: one mistake, with the examples that are its tests and its documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from busctl.audit.model import Confidence, Finding, Severity, Span

if TYPE_CHECKING:
    import ast

    from busctl.audit.project import Project
    from busctl.audit.source import Source


@dataclass(frozen=True, slots=True)
class Example:
    """A small file, and the other files of its project by path where the rule looks across them."""

    text: str
    path: str = "example.py"
    others: Mapping[str, str] = field(default_factory=dict)


class Facts:
    """What is collected once a file for looking across files. Subclass it, name it in a rule's
    `needs`, and read it with `project.facts(TheSubclass)`."""

    def collect(self, source: Source) -> Any:
        """Values that JSON can hold; None when the file has nothing to say."""
        raise NotImplementedError


class Rule:
    """One mistake. Subclasses set the class variables and implement `check` or `check_project`.

    `GOOD` must yield no finding of this rule, each of `BAD` exactly one. `patterns` are the files
    the rule reads. A finding with `asks` goes to `settle` once the whole project is known.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    family: ClassVar[str]
    severity: ClassVar[Severity] = Severity.WARNING
    summary: ClassVar[str]
    """The mistake in one line."""
    why: ClassVar[str]
    """What is lost, and who cannot learn of it."""
    remedy: ClassVar[str]
    GOOD: ClassVar[Sequence[Example | str]] = ()
    BAD: ClassVar[Sequence[Example | str]] = ()
    needs: ClassVar[tuple[type[Facts], ...]] = ()
    default: ClassVar[bool] = True
    """Whether it is run when nothing is selected."""
    suffixes: ClassVar[tuple[str, ...]] = (".py",)

    def check(self, source: Source) -> Iterable[Finding]:
        """Findings of one file, seen alone."""
        return ()

    def check_text(self, path: str, text: str) -> Iterable[Finding]:
        """As `check`, for files that are not Python (`suffixes` names others, such as .sql)."""
        return ()

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        """The finding as the whole project shows it, None when it is none."""
        return finding

    def check_project(self, project: Project) -> Iterable[Finding]:
        """Findings that only the whole project shows."""
        return ()

    def fix(self, source: Source, finding: Finding) -> Sequence[tuple[Span, str]]:
        """Replacements that mend it without changing what is meant; none by default."""
        return ()

    def moved(self, source: Source, finding: Finding) -> tuple[str, str] | None:
        """The environment variable that the fix reads and the value it had, for the .env example;
        None if the fix moves nothing there."""
        return None

    def finding(
        self, source: Source, node: ast.AST, message: str, *,
        confidence: Confidence = Confidence.MEDIUM, evidence: Sequence[str] = (),
        severity: Severity | None = None, remedy: str | None = None,
        asks: Mapping[str, Any] | None = None,
    ) -> Finding:  # fmt: skip
        """A finding of this rule at `node`."""
        span = source.span(node)
        return Finding(
            code=self.code, name=self.name, path=source.path, span=span, message=message,
            severity=severity or self.severity, confidence=confidence,
            remedy=remedy or self.remedy, evidence=tuple(evidence), symbol=source.symbol(node),
            anchor=" ".join(source.line(span.line).split()), asks=dict(asks or {}),
        )  # fmt: skip
