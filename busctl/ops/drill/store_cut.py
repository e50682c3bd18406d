"""The network between daemon and PostgreSQL is cut."""

from __future__ import annotations

from busctl.ops.drill.deployment import Line
from busctl.ops.drill.scene import Drill, Scene, nothing


async def play(scene: Scene) -> None:
    line = scene.deployment.store_line

    async def abort(each: Line) -> None:
        each.abort()

    async def cut() -> None:
        line.cut()

    async def heal() -> None:
        line.heal()

    await scene.at_points(line, abort, nothing, share=scene.part(2, 3))
    await scene.round(scene.part(1, 3), cut, heal)


DRILL = Drill(
    "store-cut",
    "A connection to PostgreSQL is cut at each point of a commit; then the network is away for "
    "seconds.",
    "A commit whose outcome is unknown is resolved by asking for the id; while there is no network "
    "answers go through the spool.",
    play,
)
