"""PostgreSQL's disk is full."""

from __future__ import annotations

from busctl.ops.drill.deployment import Shape
from busctl.ops.drill.scene import Drill, Scene


async def play(scene: Scene) -> None:
    deployment = scene.deployment

    async def fill() -> None:
        scene.notes.append(await deployment.fill_disk())

    await scene.round(scene.part(1, 1), fill, deployment.empty_disk)


DRILL = Drill(
    "disk-full",
    "PostgreSQL's disk is full for seconds: a small file system of its own where the drill runs as "
    "root, else a limit on the size of files.",
    "Answers go through the spool, on another disk, and into the store when there is room.",
    play,
    Shape(disk=True),
    needs_server=True,
)
