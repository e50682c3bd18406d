"""`busctl check`: graded looks at a deployment, one file each."""

from busctl.ops.check.registry import CHECKS, kinds_of, names
from busctl.ops.check.running import check
from busctl.ops.check.surroundings import Canaries, Check, Surroundings

__all__ = ["CHECKS", "Canaries", "Check", "Surroundings", "check", "kinds_of", "names"]
