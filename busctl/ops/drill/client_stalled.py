"""The network between clients and daemon carries nothing, and says nothing."""

from __future__ import annotations

from busctl.ops.drill.scene import Drill, Scene


async def play(scene: Scene) -> None:
    await scene.silence(scene.deployment.client_line)


DRILL = Drill(
    "client-stalled",
    "Clients' connections stay and carry nothing for seconds; then they are half-open.",
    "A client that gives up waiting and repeats its request gets the answer that was stored.",
    play,
)
