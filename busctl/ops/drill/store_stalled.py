"""The network between daemon and PostgreSQL carries nothing, and says nothing."""

from __future__ import annotations

from busctl.ops.drill.scene import Drill, Scene


async def play(scene: Scene) -> None:
    await scene.silence(scene.deployment.store_line)


DRILL = Drill(
    "store-stalled",
    "Connections to PostgreSQL stay and carry nothing for seconds; then they are half-open: the "
    "server's side is gone and the daemon is not told.",
    "Time-outs on progress open the breaker, answers go through the spool, and late answers of the "
    "store do no harm.",
    play,
)
