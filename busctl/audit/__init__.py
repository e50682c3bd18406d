"""The audit engine: what rules are made of. Rules import from here and nowhere else in busctl."""

from busctl.audit.model import Confidence, Finding, Severity, Span
from busctl.audit.project import Project
from busctl.audit.rule import Example, Facts, Rule
from busctl.audit.source import FUNCTIONS, Function, Source
from busctl.audit.tree import children, walk

__all__ = [
    "FUNCTIONS",
    "Confidence",
    "Example",
    "Facts",
    "Finding",
    "Function",
    "Project",
    "Rule",
    "Severity",
    "Source",
    "Span",
    "children",
    "walk",
]
