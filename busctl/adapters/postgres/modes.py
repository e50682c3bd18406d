"""Proving how a connection reaches the server: by whom it is really served."""

from __future__ import annotations

from contextlib import AsyncExitStack

import psycopg

from busctl.adapters.postgres.errors import mapped
from busctl.adapters.postgres.pool import Pool
from busctl.core.operating.diagnosis import Mode, mode_of

ROUNDS = 4


async def prove_mode(pool: Pool) -> Mode:
    """Two connections take turns in short transactions. Raises the store's errors."""
    two = pool.sibling(2)
    two.prepare_threshold = None
    try:
        async with AsyncExitStack() as stack:
            sessions = [await stack.enter_async_context(two.borrow()) for _ in range(2)]
            told = [one.connection.info.backend_pid for one in sessions]
            seen: list[list[int]] = [[], []]
            for _ in range(ROUNDS):
                for session, numbers in zip(sessions, seen, strict=True):
                    (number,) = await session.only("select pg_backend_pid()")
                    numbers.append(number)
            return mode_of(told, seen)
    except psycopg.Error as error:
        raise mapped(error) from error
    finally:
        await two.close()
