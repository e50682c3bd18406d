"""Outlines: counts and sizes as the parser finds them, whatever the pieces; head and tail are the
bytes they say; never more characters than there is room."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busctl.core import samples
from busctl.core.content_type import MCP_RESULT
from busctl.core.reading.excerpt import Edges
from busctl.core.reading.json_node import Kind, Node
from busctl.core.reading.json_scan import JsonScan
from busctl.core.reading.outline import DEFAULT_ROOM, Outliner, outline_of
from busctl.core.reading.shape import shape_json, shape_text

TEXT, JSON = "text/plain; charset=utf-8", "application/json"
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12) | st.text('[]{},:"\\', max_size=8)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=60,
)


def scanned(raw: bytes, piece: int = 1 << 20, **bounds: int) -> JsonScan:
    scan = JsonScan(**bounds)
    for at in range(0, len(raw), piece):
        scan.add(raw[at : at + piece])
    scan.finish()
    return scan


def agrees(node: Node, value: Any, raw: bytes) -> None:
    """The node is the value: its bytes read as it, its count and the kept members are right."""
    assert node.stop is not None
    assert json.loads(raw[node.start : node.stop]) == value
    if isinstance(value, dict | list):
        assert node.kind is (Kind.OBJECT if isinstance(value, dict) else Kind.ARRAY)
        assert node.count == len(value)
        pairs = list(value.items()) if isinstance(value, dict) else [("", one) for one in value]
        for (key, member), (name, inner) in zip(node.members, pairs, strict=False):
            assert key == name
            agrees(member, inner, raw)


@settings(max_examples=300)
@given(VALUES, st.integers(1, 40), st.booleans(), st.sampled_from([None, 2]),
       st.integers(0, 3), st.integers(1, 3))  # fmt: skip
def test_scan_finds_what_the_parser_finds_whatever_the_pieces(
    value: Any, piece: int, ascii_only: bool, indent: int | None, depth: int, width: int
) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    value = json.loads(raw)
    scan = scanned(raw, piece, depth=depth, members=width, items=width)
    assert scan.broken_at is None
    assert not scan.several
    assert scan.root is not None
    if not isinstance(value, int | float) or value is True or value is False:
        agrees(scan.root, value, raw)


@pytest.mark.parametrize("piece", [1 << 20, 70_000, 997])
def test_large_json_is_counted_by_windows(piece: int) -> None:
    row = {"id": 1, "t": ['a"b\\', "]}{[", {"deep": [[[[[[1, {"x": "\\\\"}]]]]]]}], "é": None}
    value = {"head": [row] * 3, "rows": [row] * 4_000, "wide": {str(i): row for i in range(900)}}
    raw = json.dumps(value).encode()
    scan = scanned(raw, piece)
    assert scan.root is not None
    agrees(scan.root, value, raw)
    assert [(key, node.count) for key, node in scan.root.members] == [
        ("head", 3), ("rows", 4_000), ("wide", 900)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "raw", [b"[" * 300_000, b'{"a":' * 200_000, b"[1," * 100_000 + b"]" * 100_000,
            b'["' + b'\\"' * 200_000 + b'", ' + b"1," * 100_000 + b"2]"],
)  # fmt: skip
def test_hostile_nesting_and_escapes_are_passed_in_bounded_depth(raw: bytes) -> None:
    scan = scanned(raw, 65_536)
    assert scan.root is not None
    assert len(shape_text(scan.root, 300)) <= 300
    json.dumps(shape_json(scan.root))


@pytest.mark.parametrize(
    ("raw", "at"),
    [(b'{"a", 1}', 4), (b"[1 2]", 3), (b"{1: 2}", 1), (b'["a"}', 4), (b"[nope]", 1), (b"[,]", 1)],
)
def test_what_is_no_json_is_told_with_its_byte(raw: bytes, at: int) -> None:
    assert scanned(raw).broken_at == at


def test_what_python_writes_for_no_number_is_passed_over() -> None:
    scan = scanned(json.dumps({"a": [float("nan"), float("-inf")], "b": 1}).encode())
    assert scan.broken_at is None
    assert scan.root is not None
    assert [(key, node.count) for key, node in scan.root.members] == [("a", 2), ("b", 0)]


def test_values_one_a_line_are_several() -> None:
    raw = b"".join(json.dumps({"n": n}).encode() + b"\n" for n in range(5_000))
    outline = outline_of(raw, TEXT)
    assert (outline.form, outline.lines) == ("several_json", 5_000)
    assert "Shape of the first value:\nobject, 1 key" in outline.text


@given(st.binary(max_size=400) | st.text(max_size=300).map(lambda text: text.encode()),
       st.integers(1, 60), st.integers(0, 60), st.integers(1, 50))  # fmt: skip
def test_head_and_tail_are_the_bytes_they_say(
    raw: bytes, head_room: int, tail_room: int, piece: int
) -> None:
    edges = Edges(head_room + tail_room)
    for at in range(0, len(raw), piece):
        edges.add(raw[at : at + piece])
    assert edges.size == len(raw)
    assert edges.lines == len(raw.split(b"\n")) - (not raw or raw.endswith(b"\n"))
    found = edges.excerpt(head_room, tail_room)
    assert len(found.head) + len(found.tail) <= head_room + tail_room
    assert 0 <= found.head_stop <= found.tail_start <= len(raw)
    between = raw[found.head_stop : found.tail_start]
    assert found.lines_between == between.count(b"\n")
    if not found.replaced and raw.isascii() and raw.decode().isprintable():
        assert found.head.encode() + between + found.tail.encode() == raw


def test_an_excerpt_is_cut_between_lines_and_characters() -> None:
    raw = "".join(f"line {n} é\N{GRINNING FACE}\r\n" for n in range(1_000)).encode()
    edges = Edges(400)
    for at in range(0, len(raw), 333):
        edges.add(raw[at : at + 333])
    found = edges.excerpt(200, 200)
    assert found.head.endswith("\N{GRINNING FACE}\n")
    assert found.tail.startswith("line ")
    assert not found.replaced
    long = Edges(400)
    long.add(("é" * 100_000).encode())
    assert set(long.excerpt(200, 199).head + long.excerpt(200, 199).tail) == {"é"}


@pytest.mark.parametrize("kind", samples.KINDS)
@pytest.mark.parametrize("size", [0, 1, 700, 300_000])
@pytest.mark.parametrize("content_type", [JSON, TEXT, "text/csv", "", MCP_RESULT])
def test_an_outline_has_its_room_and_no_more(
    kind: samples.Kind, size: int, content_type: str
) -> None:
    raw = samples.sample(kind, size)
    for room in (600, 2_000):
        outline = outline_of(raw, content_type, room=room)
        assert outline.text.startswith(f"{len(raw):,} bytes")
        assert len(outline.text) <= room
        shown_whole = "All of it:" in outline.text
        assert shown_whole or "not the whole" in outline.text.partition("\n")[0]
        json.dumps(outline.as_json())


def test_an_outline_is_the_same_whatever_the_pieces() -> None:
    raw = samples.sample("json", 500_000)
    outliner = Outliner(JSON)
    for at in range(0, len(raw), 4_001):
        outliner.add(raw[at : at + 4_001])
    assert outliner.finish().text == outline_of(raw, JSON).text


def test_a_table_shows_its_columns() -> None:
    raw = b'\xef\xbb\xbfid,"full, name",x\r\n' + b"1,2,3\r\n" * 50_000
    outline = outline_of(raw, "text/csv; charset=utf-8")
    assert list(outline.columns) == ["id", "full, name", "x"]
    assert outline.lines == 50_001


def test_controls_and_strays_do_not_reach_the_reader_raw() -> None:
    raw = b"\x1b[31mred \xff\xfe caf\xe9\n" * 3 + b"plain line\n" * 5_000
    text = outline_of(raw, TEXT).text
    assert "\x1b" not in text
    assert "\\x1b[31mred" in text
    assert "U+FFFD stands for" in text


def test_blocks_of_a_result_are_listed_with_where_they_lie() -> None:
    image = base64.b64encode(bytes(range(256)) * 400).decode()
    result = {
        "_meta": {}, "content": [
            {"type": "text", "text": 'say "é"\n' * 9_000},
            {"type": "image", "data": image, "mimeType": "image/png"},
            {"type": "resource",
             "resource": {"uri": "file:///a", "mimeType": "text/plain", "text": "a"}},
            {"type": "resource_link", "uri": "https://example.org/", "name": "x"},
        ],
        "structuredContent": {"rows": [1, 2]}, "isError": False,
    }  # fmt: skip
    raw = json.dumps(result).encode()
    outline = outline_of(raw, MCP_RESULT)
    assert [(one.index, one.kind, one.mime_type) for one in outline.blocks] == [
        (0, "text", ""), (1, "image", "image/png"), (2, "resource", "text/plain"),
        (3, "resource_link", ""), (4, "structuredContent", "application/json"),
    ]  # fmt: skip
    text, picture, inner, link, structured = outline.blocks
    assert json.loads(b'"' + raw[text.start : text.stop] + b'"') == 'say "é"\n' * 9_000
    assert raw[picture.start : picture.stop].decode() == image
    assert picture.size == len(image) * 3 // 4
    assert raw[inner.start : inner.stop] == b"a"
    assert link.uri == "https://example.org/"
    assert json.loads(raw[structured.start : structured.stop]) == {"rows": [1, 2]}
    assert "[1] image, image/png, about 102.4 KB" in outline.text


@pytest.mark.parametrize("blocks", [0, 1, 5_000])
def test_wide_structured_content_shows_its_keys_too(blocks: int) -> None:
    rows = [{f"key{of}": {"a": at, "b": [of]} for of in range(22)} for at in range(1_000)]
    result = {
        "content": [{"type": "text", "text": "x"}] * blocks,
        "structuredContent": {"rows": rows, "total": 5_000, "range": {"first": 1, "last": [1, 2]}},
    }
    outline = outline_of(json.dumps(result).encode(), MCP_RESULT)
    assert len(outline.text) <= DEFAULT_ROOM
    assert "Shape of structuredContent:\nobject, 3 keys" in outline.text
    for line in ("rows: array, 1,000 items", "total: number 5000", "range: object, 2 keys"):
        assert line in outline.text
    if blocks < 2:
        assert "key21: object, 2 keys" in outline.text


def test_structured_content_shows_its_shape() -> None:
    result = {
        "content": [{"type": "text", "text": "see structured"}],
        "structuredContent": {"rows": [{"number": at, "name": "x" * 50} for at in range(5_000)]},
    }
    outline = outline_of(json.dumps(result).encode(), MCP_RESULT)
    assert "Shape of structuredContent:\nobject, 1 key" in outline.text
    assert "rows: array, 5,000 items" in outline.text
    assert "number: number 0" in outline.text
    assert len(outline.text) <= 2_000
