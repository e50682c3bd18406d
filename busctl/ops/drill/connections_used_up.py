"""No connection is left on the server."""

from __future__ import annotations

from busctl.ops.drill.scene import Drill, Scene


async def play(scene: Scene) -> None:
    deployment = scene.deployment

    async def use_up() -> None:
        deployment.store_line.cut()  # or the daemon would be quicker than we are
        held = await deployment.take_slots()
        deployment.store_line.heal()
        scene.notes.append(f"{held} connections were held by others")

    await scene.round(scene.part(1, 1), use_up, deployment.free_slots)


DRILL = Drill(
    "connections-used-up",
    "Other clients hold every connection that the server takes (max_connections) for seconds.",
    "A refusal of the server counts as a failure like any other: answers go through the spool.",
    play,
    needs_server=True,
)
