"""PostgreSQL's disk is full."""

from __future__ import annotations

from busctl.ops.drill.deployment import Shape
from busctl.ops.drill.scene import Drill, Scene

LARGER = (200_000, 1_500_000, 3_500_000)
"""Bytes of messages that do not fit into what tables have free within themselves."""
FIRST = (10_000_000,) * 8
"""Those before it is full: a limit on the size of files is for tables that are larger."""
MOST = 60
"""So many of them, which the disk has room for before it is full."""


async def play(scene: Scene) -> None:
    deployment = scene.deployment

    async def fill() -> None:
        scene.notes.append(await deployment.fill_disk())

    messages = scene.part(1, 1)
    larger = [LARGER[number % len(LARGER)] for number in range(min(MOST, messages * 3 // 4))]
    await scene.round(messages, fill, deployment.empty_disk, [*FIRST, *larger])


DRILL = Drill(
    "disk-full",
    "PostgreSQL's disk is full for seconds: a small file system of its own where the drill runs as "
    "root, else a limit on the size of files.",
    "Answers go through the spool, on another disk, and into the store when there is room.",
    play,
    Shape(disk=True),
    needs_server=True,
)
