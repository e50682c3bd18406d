"""The transaction pooler is killed and started again."""

from __future__ import annotations

from busctl.ops.drill.deployment import Shape
from busctl.ops.drill.scene import Drill, Scene


async def play(scene: Scene) -> None:
    deployment = scene.deployment
    await scene.round(scene.part(1, 1), deployment.kill_pooler, deployment.start_pooler)


DRILL = Drill(
    "pooler-restarted",
    "pgbouncer (transaction mode) before PostgreSQL is killed, and started again after seconds.",
    "A restart of the pooler is an outage like any other, and prepared statements do not outlive "
    "it.",
    play,
    Shape(pooler=True),
    needs_server=True,
)
