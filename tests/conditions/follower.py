"""A follower in a process of its own that logs each message in the transaction of its cursor."""

from __future__ import annotations

import asyncio
import sys

from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.errors import BusctlError


async def main(dsn: str) -> None:
    settings = Settings(database_url=dsn)
    async with Bus.connect(settings) as bus, bus.follow("log", most=20) as follower:
        async for batch in follower.batches():
            try:
                async with follower.transaction(batch) as connection:
                    for one in batch.messages:
                        await connection.execute(
                            "insert into followed values (%s)", [one.envelope.transaction_id]
                        )
            except BusctlError as error:
                print(f"again: {error}", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
