"""Redeeming over the session when something is in the way."""

from __future__ import annotations

import random

from busctl.connect import Bus
from busctl.core.envelope import Labels
from tests.adapters.bus_sql import sql
from tests.e2e.daemons import daemon, session


async def test_what_may_not_be_read_is_told_and_nothing_is_sent(database: str, bus: Bus) -> None:
    foreign = await bus.put(b"x" * 10, Labels(owner="somebody"))
    expired = await bus.put(b"x" * 10)
    await sql(
        database,
        "update bus.message_bus set expires_at = now() - interval '1 s' where transaction_id = %s",
        expired.transaction_id,
    )
    with daemon(database) as running:
        async with session(running) as client:
            opened, payload = await client.fetch(str(expired.transaction_id))
            assert opened["error"]["code"] == "EXPIRED"
            assert opened["error"]["transaction_id"] == str(expired.transaction_id)
            assert payload == b""
            # The daemon's own token is the operator's: it reads everybody's messages.
            assert (await client.fetch(str(foreign.transaction_id)))[1] == b"x" * 10


async def test_corrupt_in_mid_stream_ends_the_fetch_with_the_chunk(database: str, bus: Bus) -> None:
    claim = await bus.put(random.Random(3).randbytes(6_000_000))
    wanted = str(claim.transaction_id)
    await sql(
        database,
        "update bus.message_chunk set body = set_byte(body, 9, (get_byte(body, 9) + 1) %% 256) "
        "where transaction_id = %s and seq = 4",
        claim.transaction_id,
    )
    with daemon(database) as running:
        async with session(running) as client:
            await client.say("fetch", request_id="f", transaction_id=wanted)
            assert "error" not in await client.hear_op("fetch_res", "f")
            end = await client.hear_op("fetch_end", "f")
            assert "checksum" not in end
            assert end["error"]["code"] == "CORRUPT"
            assert "chunk 4" in end["error"]["message"]
            assert end["error"]["transaction_id"] == wanted
            assert "outputs" in await client.call("text", {"value": "the session lives on"})


async def test_fetches_of_a_session_are_bounded(database: str, bus: Bus) -> None:
    claim = await bus.put(random.Random(4).randbytes(30_000_000))
    with daemon(database, BUSCTL_MAX_INFLIGHT_PER_SESSION="2") as running:
        async with session(running) as client:
            for number in range(6):
                await client.say(
                    "fetch", request_id=str(number), transaction_id=str(claim.transaction_id)
                )
            ended: dict[str, str] = {}
            while len(ended) < 6:
                frame = await client.hear()
                if isinstance(frame, bytes):
                    continue
                if frame["op"] == "fetch_end":
                    assert frame["checksum"] == claim.checksum
                    ended[frame["request_id"]] = "OK"
                elif "error" in frame:
                    ended[frame["request_id"]] = frame["error"]["code"]
            assert ended["0"] == ended["1"] == "OK"
            assert "OVER_CAPACITY" in ended.values()
