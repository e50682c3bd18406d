"""Bits flip between daemon and PostgreSQL, both ways."""

from __future__ import annotations

from busctl.ops.drill.deployment import Shape
from busctl.ops.drill.scene import Drill, Scene


async def play(scene: Scene) -> None:
    line = scene.deployment.store_line
    await scene.spoilt(line, "client", scene.part(1, 2))
    await scene.spoilt(line, "server", scene.part(1, 2))


DRILL = Drill(
    "store-corrupted",
    "Bits flip in payloads on their way into PostgreSQL, then on their way out.",
    "Damage is found by the digests and named: no wrong byte is handed out as right, and what is "
    "acknowledged is stored whole (MESSAGE_BUS_VERIFY_INTEGRITY=true).",
    play,
    Shape(settings={"MESSAGE_BUS_VERIFY_INTEGRITY": "true"}),
)
