"""SIGKILL of the PostgreSQL server, at every point of a commit."""

from __future__ import annotations

from busctl.ops.drill.deployment import Line
from busctl.ops.drill.scene import DECISIVE, Drill, Scene


async def play(scene: Scene) -> None:
    deployment = scene.deployment

    async def kill(_: Line) -> None:
        await deployment.kill_postgres()

    cure = deployment.start_postgres
    await scene.at_points(deployment.store_line, kill, cure, few=DECISIVE)


DRILL = Drill(
    "postgres-killed",
    "The PostgreSQL server is killed (SIGKILL) at each point of a commit, and started again.",
    "What was acknowledged survives a crash of the server; what was not is in the spool or stored "
    "once, also where the commit was done and its answer got lost.",
    play,
    needs_server=True,
)
