"""The network between clients and daemon carries nothing, and says nothing."""

from __future__ import annotations

from busctl.ops.drill.scene import Drill, Scene


async def play(scene: Scene) -> None:
    line = scene.deployment.client_line

    async def stall() -> None:
        line.stall()

    async def half_open() -> None:
        line.half_open()

    async def heal() -> None:
        line.heal()

    await scene.round(scene.part(1, 2), stall, heal)
    await scene.round(scene.part(1, 2), half_open, heal)


DRILL = Drill(
    "client-stalled",
    "Clients' connections stay and carry nothing for seconds; then they are half-open.",
    "A client that gives up waiting and repeats its request gets the answer that was stored.",
    play,
)
