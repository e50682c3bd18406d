"""CF017: the .env file and its example name different variables."""

from __future__ import annotations

from collections.abc import Iterable

from audits.config.envfiles import Entry, texts_of
from audits.config.names import is_platform
from busctl.audit import Confidence, Example, Finding, Project, Rule, Severity, Span


class EnvFileDrift(Rule):
    """Values are never shown. Entries that the example has commented out may be missing."""

    code = "CF017"
    name = "env-file-drift"
    family = "config"
    severity = Severity.WARNING
    summary = "A variable is in .env and not in its example, or the other way round."
    why = (
        "The next installation is made from the example: what this one was given by hand is "
        "missing there, and nobody is told until something behaves differently."
    )
    remedy = "Bring both to the same names; leave optional ones in the example as comments."
    GOOD = (
        Example("x = 1\n", "app.py",
                {".env": "A=1\n", ".env.example": "A=\n# Optional.\n# B=\n"}),
        Example("x = 1\n", "app.py", {".env.example": "A=\nB=\n"}),
    )  # fmt: skip
    BAD = (
        Example("x = 1\n", "app.py", {".env": "A=1\nB=2\n", ".env.example": "A=\n"}),
        Example("x = 1\n", "app.py", {".env": "A=1\n", ".env.example": "A=\nB=\n"}),
    )

    def check_project(self, project: Project) -> Iterable[Finding]:
        texts = texts_of(project)
        for path, real in sorted(texts.real.items()):
            folder, _, last = path.rpartition("/")
            examples = [
                one for where, each in texts.examples.items()
                if where.rpartition("/")[0] == folder for one in each
            ]  # fmt: skip
            if last != ".env" or not examples:
                continue
            documented = {one.name for one in examples}
            set_ = {one.name for one in real if not one.commented}
            seen = {one.name for one in real}
            for one in _once(real):
                if one.name not in documented and not is_platform(one.name):
                    yield self._finding(one, f"{one.name} is set here and {examples[0].path} does "
                        "not name it: an installation made from the example lacks it, and nobody "
                        "is told.", Confidence.HIGH, Severity.WARNING)  # fmt: skip
            for one in _once(examples):
                if one.name not in seen and one.name not in set_ and not is_platform(one.name):
                    yield self._finding(one, f"{one.name} is in the example and not in {path}: "
                        "this installation runs with the code's default for it, and nobody is "
                        "told.", Confidence.MEDIUM, Severity.NOTE)  # fmt: skip

    def _finding(
        self, entry: Entry, message: str, confidence: Confidence, severity: Severity
    ) -> Finding:
        return Finding(
            code=self.code, name=self.name, path=entry.path,
            span=Span(entry.line, 1, entry.line, 1 + len(entry.name)), message=message,
            severity=severity, confidence=confidence, remedy=self.remedy, anchor=entry.name,
        )  # fmt: skip


def _once(entries: list[Entry]) -> list[Entry]:
    """Entries that are set, each name once."""
    return list({one.name: one for one in reversed(entries) if not one.commented}.values())[::-1]
