"""The database refuses writes, as a Supabase project over its quota does."""

from __future__ import annotations

from busctl.ops.drill.scene import Drill, Scene


async def play(scene: Scene) -> None:
    deployment = scene.deployment

    async def close() -> None:
        await deployment.read_only(True)
        deployment.store_line.drop()  # it holds for new sessions

    async def reopen() -> None:
        await deployment.read_only(False)
        deployment.store_line.drop()

    await scene.round(scene.part(1, 1), close, reopen)


DRILL = Drill(
    "read-only",
    "The database is made read-only (default_transaction_read_only) for seconds.",
    "Answers go through the spool; what is stored can still be read meanwhile.",
    play,
)
