"""Findings for people: what, about which message, what to do; the same remedy once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from busctl.core.operating.finding import Finding


def show_findings(findings: Sequence[Finding]) -> None:
    """One line each on stdout, then each remedy once."""
    from busctl.cli.rendering import printable

    for one in findings:
        named = one.subject in one.message
        text = one.message if named else f"{one.subject}: {one.message}"
        print(printable(f"{one.kind}: {text.removesuffix('.')}."))
    for remedy in dict.fromkeys(one.remedy for one in findings if one.remedy):
        print(printable(f"  fix: {remedy}"))
