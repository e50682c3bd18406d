"""--report: what was measured as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from busctl.core.reports.page import Page


def check_report(target: Path | None) -> None:
    """That the page can be written, before anything is measured. Raises FileFailed."""
    from busctl.adapters import report_page

    if target is not None:
        report_page.check_place(target)


def write_report(target: Path, page: Page, *, quiet: bool) -> None:
    """Write the page and say so. Raises FileFailed."""
    from busctl.adapters import report_page
    from busctl.cli.running import say

    report_page.write(target, page)
    if not quiet:
        say(f"wrote {target}.")
