"""Text for people at a terminal."""

from __future__ import annotations

from datetime import datetime

from busctl.core.text import counted, printable, printable_lines, show_size

__all__ = ["counted", "printable", "printable_lines", "show_size", "show_time"]


def show_time(moment: datetime) -> str:
    """Local time with its offset, to the second."""
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")
