"""The network between clients and daemon is cut."""

from __future__ import annotations

from busctl.ops.drill.scene import Drill, Scene


async def play(scene: Scene) -> None:
    line = scene.deployment.client_line

    async def drop() -> None:
        line.drop()

    async def cut() -> None:
        line.cut()

    async def heal() -> None:
        line.heal()

    await scene.round(scene.part(1, 2), drop, drop)
    await scene.round(scene.part(1, 2), cut, heal)


DRILL = Drill(
    "client-cut",
    "Clients' connections are cut, twice at once and then for seconds; they repeat their requests.",
    "A repeated request is answered from the store and its tool is not run again.",
    play,
)
