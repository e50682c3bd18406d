"""`busctl test-integrity`: samples through each path, compared byte for byte."""

from busctl.ops.integrity.limits import Limit, find_limit
from busctl.ops.integrity.paths import (
    ClaimPath,
    HttpPath,
    Path,
    Sent,
    StorePath,
    WebsocketPath,
)
from busctl.ops.integrity.report import IntegrityReport
from busctl.ops.integrity.run import Comparer, Plan, cases_of

__all__ = [
    "ClaimPath",
    "Comparer",
    "HttpPath",
    "IntegrityReport",
    "Limit",
    "Path",
    "Plan",
    "Sent",
    "StorePath",
    "WebsocketPath",
    "cases_of",
    "find_limit",
]
