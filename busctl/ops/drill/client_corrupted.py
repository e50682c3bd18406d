"""Bits flip between daemon and clients."""

from __future__ import annotations

from busctl.ops.drill.scene import Drill, Scene


async def play(scene: Scene) -> None:
    await scene.spoilt(scene.deployment.client_line, "server", scene.part(1, 1))


DRILL = Drill(
    "client-corrupted",
    "Bits flip in answers on their way from the daemon to its clients.",
    "The client finds the damage by the digest, and the same request again gives the right bytes.",
    play,
)
