"""`busctl drill`: faults rehearsed on a deployment that may be thrown away.

One file a drill; `registry` has them all, `scene` what they play with, `run` plays them.
"""

from busctl.ops.drill.deployment import Deployment, Shape
from busctl.ops.drill.registry import DRILLS
from busctl.ops.drill.run import DrillReport, Played, run
from busctl.ops.drill.scene import CannotDrill, Drill

__all__ = ["DRILLS", "CannotDrill", "Deployment", "Drill", "DrillReport", "Played", "Shape", "run"]
