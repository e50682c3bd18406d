"""BusClient against a real daemon: every byte, many at once, and what goes wrong by its name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from busctl import BusClient
from busctl.adapters import embedded
from busctl.adapters.clock import SystemClock
from busctl.adapters.http_redemption import HttpRedemption
from busctl.core import samples
from busctl.core.configuration.settings import Settings
from busctl.core.errors import (
    CallFailed,
    ConfigurationError,
    DaemonUnreachable,
    MessageMissing,
    Unauthorized,
)
from tests.e2e.client_daemon import Served, serving

SIZES = [0, 1, 1_000, 65_536, 65_537, 1_048_576, 1_048_577, 5_000_003]


@pytest.fixture(scope="module")
def served(server: embedded.Server, open_folder: Path) -> Iterator[Served]:
    with serving(server, open_folder / "client", "e2e") as daemon:
        yield daemon


# --- calls ---------------------------------------------------------------------------------------


async def test_tools_are_listed_with_their_schemas(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        tools = {each.name: each for each in await client.list_tools()}
    assert {"echo", "generate", "mirror", "slow", "count", "broken"} <= set(tools)
    assert tools["echo"].input_schema["required"] == ["text"]
    assert tools["mirror"].description == "Give the value back."


@pytest.mark.parametrize("kind", samples.KINDS)
async def test_every_kind_and_size_comes_back(served: Served, kind: samples.Kind) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        for size in SIZES:
            arguments = {"size_bytes": size, "kind": kind, "seed": size}
            result = await client.call("generate", arguments)
            assert result.payload == samples.sample(kind, size, size)
            assert result.checksum == sha256(result.payload).hexdigest()
            assert result.size == size
            assert (result.claim is not None) == (size > 65_536)


@pytest.mark.parametrize("kind", ["json", "hostile", "surrogates"])
async def test_a_client_without_claims_gets_whole_answers(
    served: Served, kind: samples.Kind
) -> None:
    async with BusClient.connect(served.url, served.token, accepts_claims=False) as client:
        result = await client.call("generate", {"size_bytes": 3_000_000, "kind": kind})
        assert result.claim is None
        assert result.payload == samples.sample(kind, 3_000_000)
        assert await client.fetch(result.transaction_id) == result.payload


async def test_an_answer_over_the_clients_limit_names_its_id(served: Served) -> None:
    async with BusClient.connect(
        served.url, served.token, accepts_claims=False, max_message_bytes=100_000
    ) as client:
        with pytest.raises(CallFailed) as failure:
            await client.call("generate", {"size_bytes": 200_000})
        assert failure.value.error_code == "TOO_LARGE"
        assert failure.value.transaction_id is not None


async def test_lone_surrogates_cross_as_json_escapes(served: Served) -> None:
    value = {"\ud800": ["\udfff", "é\x00"]}
    async with BusClient.connect(served.url, served.token) as client:
        result = await client.call("mirror", {"value": value})
    assert json.loads(result.payload) == value


async def test_progress_is_told(served: Served) -> None:
    notes: list[str] = []
    async with BusClient.connect(served.url, served.token) as client:
        result = await client.call("slow", {"seconds": 0.7}, on_progress=notes.append)
    assert result.payload == b"awake"
    assert "sleeping" in notes


async def test_many_calls_and_fetches_share_one_connection(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:

        async def one(seed: int) -> None:
            size = (seed % 4) * 900_000 + 10
            result = await client.call("generate", {"size_bytes": size, "seed": seed})
            assert result.payload == samples.sample("json", size, seed)

        for _ in range(3):
            await asyncio.gather(*(one(seed) for seed in range(8)))


async def test_the_claim_of_a_small_and_of_a_large_answer(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        for size in (10, 2_000_000):
            claim = await client.call_claim("generate", {"size_bytes": size})
            assert claim.payload_size_bytes == size
            assert claim.checksum == sha256(samples.sample("json", size)).hexdigest()
            assert await client.fetch(claim.transaction_id) == samples.sample("json", size)


# --- fetches -------------------------------------------------------------------------------------


async def test_ranges_and_the_same_id_at_once(served: Served) -> None:
    whole = samples.sample("random", 3_500_000, 1)
    async with BusClient.connect(served.url, served.token) as client:
        claim = await client.call_claim(
            "generate", {"size_bytes": len(whole), "kind": "random", "seed": 1}
        )
        spans = [(0, 0), (0, 1), (1_048_575, 2), (3_499_999, 5), (3_500_000, 1), (9**9, 3)]
        spans += [(number * 300_000, 700_000) for number in range(8)]
        found = await asyncio.gather(
            *(client.fetch(claim.transaction_id, offset, length) for offset, length in spans)
        )
        assert found == [whole[offset : offset + length] for offset, length in spans]


async def test_a_fetch_that_is_left_does_not_disturb_the_next(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        claim = await client.call_claim("generate", {"size_bytes": 20_000_000})
        for delay in (0.0, 0.001, 0.01, 0.05, 0.1):
            leaving = asyncio.create_task(client.fetch(claim.transaction_id))
            await asyncio.sleep(delay)
            if leaving.cancel():  # False: a quick machine had it all by then
                with pytest.raises(asyncio.CancelledError):
                    await leaving
            assert (
                await client.fetch(claim.transaction_id, 7, 9)
                == (samples.sample("json", 20_000_000)[7:16])
            )


async def test_fetch_to_a_file_and_a_sink(served: Served, tmp_path: Path) -> None:
    wanted = samples.sample("hostile", 4_000_000, 9)
    target = tmp_path / "answer"
    target.write_bytes(b"before")
    async with BusClient.connect(served.url, served.token) as client:
        with pytest.raises(MessageMissing):
            await client.fetch_to(SystemClock().new_id(), target)
        assert target.read_bytes() == b"before"
        claim = await client.call_claim(
            "generate", {"size_bytes": len(wanted), "kind": "hostile", "seed": 9}
        )
        assert await client.fetch_to(claim.transaction_id, target) == claim
        with (tmp_path / "other").open("wb") as out:
            arguments = {"size_bytes": len(wanted), "kind": "hostile", "seed": 9}
            result = await client.call("generate", arguments, into=out)
            small = await client.call("echo", {"text": "more"}, into=out)
    assert target.read_bytes() == wanted
    assert result.payload == small.payload == b""
    assert (tmp_path / "other").read_bytes() == wanted + b"more"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["answer", "other"]


async def test_http_redeems_the_same_bytes(served: Served) -> None:
    async with (
        BusClient.connect(served.url, served.token) as client,
        HttpRedemption.connect(served.url, served.token) as http,
    ):
        result = await client.call("generate", {"size_bytes": 2_000_000, "kind": "text"})
        assert await http.get(result.transaction_id) == result.payload
        with pytest.raises(MessageMissing):
            await http.get(SystemClock().new_id())
    async with HttpRedemption.connect(served.url, "wrong") as http:
        with pytest.raises(CallFailed) as failure:
            await http.get(result.transaction_id)
        assert failure.value.error_code == "UNAUTHORIZED"


# --- what goes wrong -----------------------------------------------------------------------------


async def test_failures_of_a_call_have_their_codes(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        for tool, arguments, code, said in [
            ("nothing", {}, "TOOL_NOT_FOUND", "nothing"),
            ("broken", {}, "EXEC_ERROR", "RuntimeError: out of order"),
            ("echo", {"txt": 1}, "EXEC_ERROR", "text: Field required; txt: Extra inputs"),
        ]:
            with pytest.raises(CallFailed, match=said) as failure:
                await client.call(tool, arguments)
            assert failure.value.error_code == code
        assert (await client.call("echo", {"text": "still here"})).payload == b"still here"


async def test_a_call_that_timed_out_is_answered_when_repeated(served: Served) -> None:
    async with BusClient.connect(served.url, served.token, session_id="patient") as client:
        assert client.session_id == "patient"
        arguments = {"name": "once", "seconds": 0.5}
        with pytest.raises(CallFailed, match="request r-1, session patient") as failure:
            await client.call("count", arguments, request_id="r-1", timeout=0.05)
        assert failure.value.error_code == "TIMEOUT"
        first = await client.call("count", arguments, request_id="r-1")
    async with BusClient.connect(served.url, served.token, session_id="patient") as client:
        again = await client.call("count", arguments, request_id="r-1")
    assert first.payload == again.payload == b"1"
    assert first.transaction_id == again.transaction_id


async def test_one_request_id_at_a_time(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        first = asyncio.create_task(client.call("slow", {"seconds": 0.3}, request_id="same"))
        await asyncio.sleep(0)
        with pytest.raises(ConfigurationError, match="'same' waits"):
            await client.call("slow", {"seconds": 0.3}, request_id="same")
        assert (await first).payload == b"awake"


async def test_arguments_that_are_not_json(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        with pytest.raises(ConfigurationError, match="not JSON"):
            await client.call("echo", {"text": object()})
        with pytest.raises(ConfigurationError, match="not JSON"):
            await client.call("mirror", {"value": float("nan")})


async def test_wrong_token_and_no_daemon(served: Served, unused_tcp_port: int) -> None:
    with pytest.raises(Unauthorized, match="refused the token"):
        async with BusClient.connect(served.url, "wrong"):
            pass
    with pytest.raises(DaemonUnreachable, match=f"127.0.0.1:{unused_tcp_port}"):
        async with BusClient.connect(f"ws://127.0.0.1:{unused_tcp_port}/", "any"):
            pass
    with pytest.raises(ConfigurationError, match="no WebSocket address"):
        async with BusClient.connect("127.0.0.1:8765", "any"):
            pass


async def test_settings_tell_where_and_with_which_token(served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    settings = Settings(port=port, state_dir=served.folder / "state")
    async with BusClient.connect(settings=settings) as client:
        assert (await client.health())["ok"] is True


async def test_the_token_is_changed(served: Served) -> None:
    new = "a-new-token-of-enough-characters"
    async with BusClient.connect(served.url, served.token) as client:
        with pytest.raises(CallFailed, match="old token is wrong"):
            await client.rotate_token("wrong", new)
        await client.rotate_token(served.token, new)
        try:
            with pytest.raises(Unauthorized):
                async with BusClient.connect(served.url, served.token):
                    pass
            async with BusClient.connect(served.url, new) as other:
                assert (await other.call("echo", {"text": "new"})).payload == b"new"
        finally:
            await client.rotate_token(new, served.token)


async def test_leaving_fails_what_still_waits(served: Served) -> None:
    async with BusClient.connect(served.url, served.token) as client:
        waiting = asyncio.create_task(client.call("slow", {"seconds": 5}))
        await asyncio.sleep(0.05)
    with pytest.raises(DaemonUnreachable, match="closed"):
        await waiting
    with pytest.raises(DaemonUnreachable, match="closed"):
        await client.call("echo", {"text": "late"})
