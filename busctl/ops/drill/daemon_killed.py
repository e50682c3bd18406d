"""SIGKILL of the daemon, at every point of a commit."""

from __future__ import annotations

from busctl.ops.drill.deployment import Line
from busctl.ops.drill.scene import DECISIVE, Drill, Scene


async def play(scene: Scene) -> None:
    deployment = scene.deployment

    async def kill(_: Line) -> None:
        await deployment.kill_daemon()

    cure = deployment.start_daemon
    await scene.at_points(deployment.store_line, kill, cure, few=DECISIVE)


DRILL = Drill(
    "daemon-killed",
    "The daemon is killed (SIGKILL) at each point of a commit, and started again; callers connect "
    "anew and repeat their request.",
    "Nothing that a caller was told is lost with the daemon, and a repeated request is not stored "
    "twice.",
    play,
)
