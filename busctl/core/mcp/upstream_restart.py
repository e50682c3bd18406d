"""When an upstream server that has failed is started again."""

from __future__ import annotations

FIRST_SECS = 1.0
MOST_SECS = 60.0
STEADY_SECS = 60.0
"""One that served for so long has a clean slate."""


def failures_after(before: int, served_secs: float) -> int:
    """Failures in a row, once one has ended after serving for so long (0 for a failed start)."""
    return 1 if served_secs >= STEADY_SECS else before + 1


def wait_secs(failures: int) -> float:
    """How long to wait after that many failures in a row: doubled each time, up to a minute."""
    doublings = min(failures - 1, 10)
    return float(min(FIRST_SECS * (1 << doublings), MOST_SECS))
