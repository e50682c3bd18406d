"""Reading on in stored answers: the exact bytes, where they begin and end, and only one's own."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from busctl.adapters.jsonpath_process import JsonPathProcess
from busctl.adapters.re2_patterns import Re2Patterns, finder_of
from busctl.connect import Bus
from busctl.core import samples
from busctl.core.content_type import MCP_RESULT
from busctl.core.envelope import Labels
from busctl.core.errors import (
    AccessDenied,
    BusctlError,
    InvalidArguments,
    InvalidPattern,
    InvalidPlace,
    MessageCorrupt,
    MessageExpired,
    MessageMissing,
    NotJson,
    PayloadTooLarge,
    SearchTimedOut,
)
from busctl.core.principal import OPERATOR, Principal, Scope
from busctl.core.reading.json_paths import Bounds
from busctl.core.reading.part import whole_characters
from busctl.ops.reading.parts import read_lines, read_range
from busctl.ops.reading.recent import Recent
from busctl.ops.reading.searching import Wanted, query, search
from busctl.ops.reading.source import Place
from busctl.ops.reading.tools import ReadingTools
from busctl.ports import Answer, Call
from tests.adapters.bus_sql import sql

MIB = 1 << 20
WANTED = Wanted(most=50, context=0, room=8_000, seconds=30)
BOUNDS = Bounds(most=50, value_bytes=500, room=8_000, seconds=30, memory_bytes=2_000_000_000)
ANNA = Principal("anna", frozenset({Scope.CALL, Scope.READ}))
TEXT = "text/plain; charset=utf-8"


async def put(bus: Bus, payload: bytes, content_type: str = TEXT, owner: str = "operator") -> Place:
    labels = Labels(content_type=content_type, owner=owner)
    return Place((await bus.put(payload, labels)).transaction_id)


def result_of(*blocks: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"content": list(blocks), **more}).encode()


# --- parts --------------------------------------------------------------------------------------


@given(
    st.text("aé\N{EURO SIGN}\N{GRINNING FACE}\n", max_size=30),
    st.integers(0, 90),
    st.integers(1, 20),
)
def test_a_range_is_moved_to_whole_characters_only(text: str, first: int, length: int) -> None:
    raw = text.encode()
    first = min(first, len(raw))
    last = min(len(raw), first + length)
    start, stop = whole_characters(raw, first, last)
    raw[start:stop].decode()
    assert first - 3 <= start <= first
    assert start < stop or first == last
    assert last - 3 <= stop <= last + 3
    assert whole_characters(b"\xff\xfe" * 9, 3, 8) == (3, 8)


@pytest.mark.parametrize("size", [30_000, 3 * MIB + 11])
async def test_a_text_read_range_by_range_is_the_text(bus: Bus, size: int) -> None:
    text = ("ligne é \N{GRINNING FACE}\n" * (size // 14))[: size // 2]
    place = await put(bus, text.encode())
    parts: list[str | None] = []
    offset: int | None = 0
    while offset is not None:
        part = await read_range(bus, place, offset=offset, length=max(7_777, size // 9))
        assert part.start == offset
        assert part.size == len(text.encode())
        parts.append(part.text)
        offset = part.next_offset
    assert "".join(str(part) for part in parts) == text
    assert len(parts) > 1


async def test_a_range_says_where_it_begins_and_ends(bus: Bus) -> None:
    place = await put(bus, "aé\N{EURO SIGN}b".encode())
    middle = await read_range(bus, place, offset=2, length=2)
    assert (middle.start, middle.stop, middle.text, middle.next_offset) == (1, 3, "é", 3)
    short = await read_range(bus, place, offset=3, length=1)
    assert (short.start, short.stop, short.text) == (3, 6, "\N{EURO SIGN}")
    end = await read_range(bus, place, offset=6, length=100)
    assert (end.text, end.next_offset) == ("b", None)
    empty = await read_range(bus, await put(bus, b""), offset=0, length=10)
    assert (empty.text, empty.next_offset, empty.size) == ("", None, 0)


async def test_binary_is_told_in_base64(bus: Bus) -> None:
    payload = bytes(range(256)) * 5_000
    place = await put(bus, payload, "application/octet-stream")
    part = await read_range(bus, place, offset=1_000_001, length=999)
    shape = part.as_json()
    assert shape["encoding"] == "base64"
    assert base64.b64decode(shape["data"]) == payload[1_000_001:1_001_000]
    assert (shape["offset"], shape["length"], shape["next_offset"]) == (1_000_001, 999, 1_001_000)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(lines=st.lists(st.sampled_from(["", "x", "é" * 5, "word " * 9]), max_size=20),
       ends=st.booleans(), first=st.integers(1, 22), count=st.none() | st.integers(1, 6),
       room=st.integers(4, 60))  # fmt: skip
async def test_lines_are_those_that_splitting_gives(
    bus: Bus, lines: list[str], ends: bool, first: int, count: int | None, room: int
) -> None:
    text = "\n".join(lines) + "\n" * ends
    place = await put(bus, text.encode())
    whole = [line + "\n" for line in text.split("\n")]
    whole[-1] = whole[-1][:-1]
    whole = whole if whole[-1] else whole[:-1]
    if first > max(1, len(whole)):
        with pytest.raises(InvalidPlace, match="there is no line"):
            await read_lines(bus, place, first=first, count=count, room=room)
        return
    wanted = "".join(whole[first - 1 :][:count])
    part = await read_lines(bus, place, first=first, count=count, room=room)
    assert part.text is not None
    assert wanted.startswith(part.text)
    assert part.text == wanted or len(part.text.encode()) > room - 4
    assert part.start == len("".join(whole[: first - 1]).encode())
    behind = part.stop < len(text.encode())
    assert part.next_offset == (part.stop if behind else None)
    if part.next_offset is not None:
        rest = await read_lines(bus, place, offset=part.next_offset, room=10_000)
        assert text == text.encode()[: part.stop].decode() + str(rest.text)


async def test_lines_far_in_are_found_and_those_before_alone_are_read(bus: Bus) -> None:
    text = "".join(f"line {n}\n" for n in range(1, 400_001))
    place = await put(bus, text.encode())
    part = await read_lines(bus, place, first=300_000, count=2, room=8_000)
    assert (part.text, part.lines) == ("line 300000\nline 300001\n", (300_000, 300_001))
    again = await read_range(bus, place, offset=part.start, length=11)
    assert again.text == "line 300000"
    wide = await put(bus, b"x" * 3_000_000)
    cut = await read_lines(bus, wide, first=1, count=5, room=1_000)
    assert (cut.stop, cut.next_offset) == (1_000, 1_000)


@pytest.mark.parametrize("offset", [6, 7, 10**12])
async def test_past_the_end_is_an_error(bus: Bus, offset: int) -> None:
    place = await put(bus, b"abcdef")
    with pytest.raises(InvalidPlace, match="has 6 bytes"):
        await read_range(bus, place, offset=offset, length=1)
    with pytest.raises(InvalidPlace):
        await read_lines(bus, place, offset=offset, room=10)
    with pytest.raises(InvalidPlace, match="negative"):
        await read_range(bus, place, offset=-1, length=1)


async def test_a_part_is_noted_as_delivered_and_a_search_is_not(bus: Bus) -> None:
    place = await put(bus, b"some text\n" * 400_000)
    await search(bus, place, finder_of("text"), WANTED)
    await bus.deliveries.flush()
    assert (await bus.stat(place.transaction_id)).retrieved_count == 0
    await read_range(bus, place, offset=1_500_000, length=10)
    await bus.deliveries.flush()
    found = {one.kind: one.detail for one in await bus.events(place.transaction_id)}
    assert found["searched"] == {"matches": 50}
    assert found["delivered"]["via"] == "bus_read"
    assert (found["delivered"]["offset"], found["delivered"]["length"]) == (1_500_000, 10)
    assert (await bus.stat(place.transaction_id)).retrieved_count == 1


# --- blocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ascii_only", [True, False])
async def test_a_block_is_read_and_searched_by_its_own_offsets(bus: Bus, ascii_only: bool) -> None:
    text = 'say "é" \\ \N{GRINNING FACE}\n' * 120_000
    image = bytes(range(256)) * 9_000
    raw = json.dumps({
        "content": [
            {"type": "text", "text": text},
            {"type": "image", "data": base64.b64encode(image).decode(), "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "file:///x", "text": "inner"}},
        ],
        "structuredContent": {"a": [1, 2]},
    }, ensure_ascii=ascii_only).encode()  # fmt: skip
    at = (await put(bus, raw, MCP_RESULT)).transaction_id
    first = await read_range(bus, Place(at, block=0), offset=1_000_003, length=5_000)
    assert first.text is not None
    assert text.encode()[first.start : first.stop].decode() == first.text
    picture = await read_range(bus, Place(at, block=1), offset=2_000_000, length=999)
    assert picture.raw == image[2_000_000:2_000_999]
    assert picture.content_type == "image/png"
    assert (await read_range(bus, Place(at, block=2), offset=0, length=99)).text == "inner"
    structured = await read_range(bus, Place(at, block=3), offset=0, length=99)
    assert json.loads(structured.raw) == {"a": [1, 2]}
    found, _ = await search(bus, Place(at, block=0), finder_of('^say "é"'), WANTED)
    assert found.lines[1].matches == [(len(text.encode()) // 120_000, 8)]
    with pytest.raises(InvalidPlace, match="no block 4"):
        await read_range(bus, Place(at, block=4), offset=0, length=9)
    with pytest.raises(InvalidPlace, match="has no blocks"):
        await read_range(
            bus, Place((await put(bus, b"x")).transaction_id, block=0), offset=0, length=9
        )


@given(st.text(max_size=40), st.integers(1, 9), st.booleans())
def test_a_blocks_text_is_read_whatever_the_pieces(text: str, piece: int, ascii_only: bool) -> None:
    from busctl.core.reading.block_text import BlockDecoder

    raw = json.dumps(text, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")[1:-1]
    decoder = BlockDecoder(encoded=False)
    read = b"".join(decoder.add(raw[at : at + piece]) for at in range(0, len(raw), piece))
    assert read + decoder.finish() == text.encode("utf-8", "backslashreplace")


# --- searching ----------------------------------------------------------------------------------


async def test_matches_carry_offsets_that_reading_takes(bus: Bus) -> None:
    text = "".join(f"row {n} é {'needle' if n % 50_000 == 7 else 'hay'}\n" for n in range(200_000))
    place = await put(bus, text.encode())
    found, _ = await search(bus, place, finder_of("ne+dle$"), WANTED)
    assert [line.number for line in found.lines] == [8, 50_008, 100_008, 150_008]
    for line in found.lines:
        ((offset, length),) = line.matches
        part = await read_range(bus, place, offset=offset, length=length)
        assert part.text == "needle"
        assert line.raw.decode() == f"row {line.number - 1} é needle"


async def test_a_search_says_when_there_is_more_and_goes_on(bus: Bus) -> None:
    place = await put(bus, b"a hit\n" * 1_000)
    wanted = Wanted(most=400, context=0, room=10**6, seconds=30)
    found, _ = await search(bus, place, finder_of("hit"), wanted)
    assert (found.matches, found.more) == (400, True)
    assert found.next_offset == 400 * 6 + 2
    rest, _ = await search(
        bus, place, finder_of("hit"),
        Wanted(most=1_000, context=0, room=10**6, seconds=30, offset=found.next_offset),
    )  # fmt: skip
    assert (rest.matches, rest.more, rest.lines[0].number) == (600, False, 401)
    narrow, _ = await search(bus, place, finder_of("hit"), Wanted(900, 0, 500, 30))
    assert narrow.more
    assert sum(len(line.raw) for line in narrow.lines) <= 510


async def test_nothing_is_searched_behind_the_end(bus: Bus) -> None:
    place = await put(bus, b"a hit\n" * 10)
    found, _ = await search(bus, place, finder_of("hit"), Wanted(9, 0, 900, 30, offset=60))
    assert found.matches == 0
    with pytest.raises(InvalidPlace, match="nothing to search from 61 on"):
        await search(bus, place, finder_of("hit"), Wanted(9, 0, 900, 30, offset=61))


async def test_a_search_ends_at_its_limit_and_does_not_hold_the_loop(bus: Bus) -> None:
    letters = bytes(b"ab"[byte % 2] for byte in range(256))
    payload = random.Random(1).randbytes(4_000_000).translate(letters)
    place = await put(bus, payload, "application/octet-stream")
    hostile = finder_of("[ab]*a[ab]{900}c")
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    ticking = asyncio.create_task(tick())
    with pytest.raises(SearchTimedOut, match=r"came to byte [\d,]+"):
        await search(bus, place, hostile, Wanted(50, 0, 8_000, seconds=1.0))
    ticking.cancel()
    assert turns > 20
    beginning = await put(bus, b"xc\n" + payload)
    found, _ = await search(bus, beginning, finder_of("xc|[ab]*a[ab]{900}d"),
                            Wanted(50, 0, 8_000, seconds=1.0))  # fmt: skip
    assert (found.matches, found.more) == (1, True)


async def test_what_was_searched_is_searched_again_without_the_store(
    bus: Bus, database: str
) -> None:
    text = "".join(f"row {n}\n" for n in range(300_000)).encode()
    place = await put(bus, text, owner="anna")
    recent = Recent(5_000_000)
    first, _ = await search(bus, place, finder_of("row 29999"), WANTED, recent)
    assert recent.size == len(text)
    await sql(database, "delete from bus.message_chunk where transaction_id = %s",
              place.transaction_id)  # fmt: skip
    again, _ = await search(bus, place, finder_of("row 29999"), WANTED, recent)
    assert again == first
    with pytest.raises(AccessDenied):
        await search(bus, Place(place.transaction_id, "bert"), finder_of("row"), WANTED, recent)
    await bus.remove(place.transaction_id)
    with pytest.raises(MessageExpired):
        await search(bus, place, finder_of("row"), WANTED, recent)
    other = await put(bus, text[::-1])
    await search(bus, other, finder_of("none such"), WANTED, recent)
    assert recent.size == len(text)  # the first had to go
    damaged = await put(bus, text[1:])
    await sql(database, "delete from bus.message_chunk where transaction_id = %s and seq = 2",
              damaged.transaction_id)  # fmt: skip
    with pytest.raises(MessageCorrupt):
        await search(bus, damaged, finder_of("no such row"), WANTED, recent)
    assert recent.size == len(text)
    recent.forget()
    assert recent.size == 0
    told = (await bus.stat(damaged.transaction_id)).claim()
    recent.remember(told, text[1:])
    found, _ = await search(bus, damaged, finder_of("row 2999"), WANTED, recent)
    assert found.matches == 50
    recent.remember(told, b"x" * 6_000_000)
    assert recent.size == len(text) - 1


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(payload=st.binary(max_size=200))
async def test_any_bytes_can_be_searched(bus: Bus, payload: bytes) -> None:
    place = await put(bus, payload, "application/octet-stream")
    found, _ = await search(bus, place, finder_of("a"), WANTED)
    offsets = [offset for line in found.lines for offset, _ in line.matches]
    assert offsets == [match.start() for match in re.finditer(b"a", payload)][:50]


# --- JSONPath -----------------------------------------------------------------------------------


async def test_paths_select_what_the_parser_finds(bus: Bus) -> None:
    rows = [{"id": n, "name": f"user é {n}", "tags": ["a", {"deep": n}]} for n in range(20_000)]
    place = await put(bus, json.dumps({"rows": rows, "n": None}).encode(), "application/json")
    paths = JsonPathProcess()
    expected = {
        "$.rows[19999].name": ["user é 19999"],
        "$.rows[?@.id==77].tags[1].deep": [77],
        "$..deep": list(range(50)),
        "$.n": [None],
        "$.nothing": [],
        "$.rows[?match(@.name, 'user é 1999[0-3]')].id": [19990, 19991, 19992, 19993],
        "$.rows[-1:].id": [19_999],
    }
    for path, values in expected.items():
        found, _ = await query(bus, place, paths, path, BOUNDS)
        assert [json.loads(one.json) for one in found.values] == values, path
        assert found.more == (path == "$..deep")
    found, _ = await query(bus, place, paths, "$.rows[3]", BOUNDS)
    assert found.values[0].path == "$['rows'][3]"
    found, _ = await query(bus, place, paths, "$", BOUNDS)
    assert found.values[0].cut
    assert found.values[0].size > 1_000_000
    assert len(found.values[0].json.encode()) <= BOUNDS.value_bytes


async def test_paths_over_values_one_a_line_say_the_line(bus: Bus) -> None:
    place = await put(bus, b'{"a": 1}\n\n{"a": 2}\n{"b": 3}\n')
    found, _ = await query(bus, place, JsonPathProcess(), "$.a", BOUNDS)
    assert [(one.line, one.json) for one in found.values] == [(1, "1"), (3, "2")]


@pytest.mark.parametrize(
    ("path", "payload", "error"),
    [
        ("nope", b"{}", InvalidPattern), ("$[", b"{}", InvalidPattern),
        ("$" * 3_000, b"{}", InvalidPattern), ("$[?nofunction(@)]", b"[1]", InvalidPattern),
        ("$.a", b"plain text", NotJson), ("$.a", b"\xff\xfe{}", NotJson), ("$", b"", NotJson),
        ("$..*", b"[" * 200_000, NotJson), ("$.a", b'{"a": 1} {"a": ', NotJson),
    ],
)  # fmt: skip
async def test_what_is_no_path_or_no_json_is_told(
    bus: Bus, path: str, payload: bytes, error: type[BusctlError]
) -> None:
    with pytest.raises(error):
        await query(bus, await put(bus, payload), JsonPathProcess(), path, BOUNDS)


async def test_a_hostile_path_ends_at_its_limit(bus: Bus) -> None:
    payload = json.dumps([{"s": "x" * 200, "t": list(range(50))} for _ in range(3_000)]).encode()
    place = await put(bus, payload, "application/json")
    tight = Bounds(50, 500, 8_000, seconds=1.5, memory_bytes=2_000_000_000)
    with pytest.raises(SearchTimedOut):
        await query(bus, place, JsonPathProcess(), "$..[?count($..*)<0]", tight)
    wide = {"names": [str(n) * 9 for n in range(200_000)]}
    large = await put(bus, json.dumps(wide).encode(), "application/json")
    narrow = Bounds(50, 500, 8_000, seconds=30, memory_bytes=60_000_000)
    with pytest.raises(PayloadTooLarge, match="memory"):
        await query(bus, large, JsonPathProcess(), "$.names[0]", narrow)
    found, _ = await query(bus, place, JsonPathProcess(), "$[?search(@.s, '(x+x+)+y')]", BOUNDS)
    assert found.values == ()


# --- the tools ----------------------------------------------------------------------------------


def tools_of(bus: Bus) -> ReadingTools:
    return ReadingTools(bus, Re2Patterns(), JsonPathProcess())


async def called(bus: Bus, name: str, principal: Principal = OPERATOR, **arguments: Any) -> Any:
    """The JSON of an answer, or the texts of one."""
    call = Call(name, arguments, principal, "s", "r", uuid4(), print, lambda done, of: None)
    answer = await tools_of(bus).call(call)
    return told(answer)


def told(answer: Answer) -> Any:
    assert answer.payload is not None
    if answer.content_type == MCP_RESULT:
        return [block["text"] for block in json.loads(answer.payload)["content"]]
    if answer.content_type == "application/json":
        return json.loads(answer.payload)
    return answer.payload.decode()


async def test_tools_read_search_and_tell(bus: Bus) -> None:
    text = "".join(f"line {n} é\n" for n in range(100_000))
    place = await put(bus, text.encode())
    at = str(place.transaction_id)
    said, text = await called(bus, "bus_read", id=at, first_line=3, lines=2)
    assert text == "line 2 é\nline 3 é\n"
    assert "lines 3 to 4" in said
    assert "go on with offset" in said
    said, text = await called(bus, "bus_read", id=f"bus://{at}", offset=0)
    assert len(text.encode()) <= bus.settings.read_max_bytes
    shape = await called(bus, "bus_read", id=at, offset=10, length=20, format="json")
    assert shape["text"] == "line 1 é\nline 2 é\n"[: len(shape["text"])]
    answer = await called(bus, "bus_search", id=at, pattern="line 777 ", context=1)
    start = len("".join(f"line {n} é\n" for n in range(776)).encode())
    assert answer.splitlines()[1:] == [
        f"777 @{start}- line 776 é", f"778 @{start + 12}: line 777 é",
        f"779 @{start + 24}- line 778 é",
    ]  # fmt: skip
    shape = await called(bus, "bus_search", id=at, pattern="777", max_matches=2, format="json")
    assert (shape["matches"], shape["more"]) == (2, True)
    answer = await called(bus, "bus_search", id=at, pattern="(", kind="literal")
    assert answer == f"No match in message {at}."
    known = await called(bus, "bus_info", id=at, format="json")
    assert known["outline"]["lines"] == 100_000
    assert known["differs"] is None
    text = await called(bus, "bus_info", id=at)
    assert "This is an outline, not the whole" in text
    assert len(text) <= bus.settings.read_max_bytes


async def test_a_tool_tells_values_of_a_path(bus: Bus) -> None:
    place = await put(bus, b'{"a": [{"b": "\xc3\xa9"}, 2]}', "application/json")
    at = str(place.transaction_id)
    text = await called(bus, "bus_search", id=at, pattern="$.a[*]", kind="jsonpath")
    assert text.splitlines()[1:] == ['$[\'a\'][0] = {"b":"é"}', "$['a'][1] = 2"]
    shape = await called(
        bus, "bus_search", id=at, pattern="$.a[0].b", kind="jsonpath", format="json"
    )
    assert shape["values"] == [
        {"path": "$['a'][0]['b']", "json": '"é"', "size": 4, "cut": False, "line": None}
    ]


async def test_only_ones_own_messages_are_read(bus: Bus) -> None:
    hers = str((await put(bus, b"hers", owner="anna")).transaction_id)
    his = str((await put(bus, b"his")).transaction_id)
    for name, more in (("bus_read", {}), ("bus_search", {"pattern": "h"}), ("bus_info", {})):
        assert await called(bus, name, ANNA, id=hers, **more)
        assert await called(bus, name, OPERATOR, id=hers, **more)
        with pytest.raises(AccessDenied):
            await called(bus, name, ANNA, id=his, **more)
        caller = Principal("anna", frozenset({Scope.CALL}))
        with pytest.raises(AccessDenied, match="lacks the scope read"):
            await called(bus, name, caller, id=hers, **more)


async def test_outcomes_have_their_names(bus: Bus, database: str) -> None:
    gone = await put(bus, b"gone")
    await sql(database, "update bus.message_bus set expires_at = now() - interval '1 s', "
              "created_at = now() - interval '2 s' where transaction_id = %s",
              gone.transaction_id)  # fmt: skip
    damaged = await put(bus, samples.sample("random", 3 * MIB), "application/octet-stream")
    await sql(database, "update bus.message_chunk set body = set_byte(body, 3, get_byte(body, 3) "
              "# 1) where transaction_id = %s and seq = 1", damaged.transaction_id)  # fmt: skip
    outcomes: list[tuple[UUID, type[BusctlError]]] = [
        (bus.clock.new_id(), MessageMissing), (gone.transaction_id, MessageExpired),
        (damaged.transaction_id, MessageCorrupt),
    ]  # fmt: skip
    for chosen, error in outcomes:
        with pytest.raises(error):
            await called(bus, "bus_search", id=str(chosen), pattern="zzzzzzzzz")
        with pytest.raises(error):
            await called(bus, "bus_info", id=str(chosen))
        with pytest.raises(error):
            await called(
                bus, "bus_read", id=str(chosen), offset=MIB + 1 if error is MessageCorrupt else 0
            )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("bus_read", {}), ("bus_read", {"id": "x", "offset": -1}),
        ("bus_read", {"id": "x", "offset": 1, "first_line": 1}),
        ("bus_search", {"id": "x"}), ("bus_search", {"id": "x", "pattern": "a", "context": 11}),
        ("bus_search", {"id": "x", "pattern": "a", "max_matches": 0}),
        ("bus_search", {"id": "x", "pattern": "a", "kind": "pcre"}),
        ("bus_info", {"id": "x", "reader": 1}),
    ],
)  # fmt: skip
async def test_arguments_are_checked(bus: Bus, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments):
        await called(bus, name, **arguments)


async def test_the_tools_are_listed_as_reading_only(bus: Bus) -> None:
    tools = {tool.name: tool for tool in tools_of(bus).list_tools()}
    assert list(tools) == ["bus_info", "bus_read", "bus_search"]
    for tool in tools.values():
        assert not tool.kept
        assert tool.extra["annotations"]["readOnlyHint"] is True
        assert "reader" not in tool.input_schema["properties"]
        assert tool.input_schema["required"][0] == "id"
        assert "\n" not in tool.description
