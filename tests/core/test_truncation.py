"""Cut payloads are suspected, whole ones are not: JSON at every byte, markers at the edges only."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core import samples
from busctl.core.watching.truncation import SMALL_BYTES, TruncationScan
from busctl.core.watching.truncation_markers import MARKERS

TEXT, JSON = "text/plain; charset=utf-8", "application/json"
HOSTILE = {
    'quo"te': ['\\"', "\\", "{[", "]}", '"', "", {"": "a\\\\"}, -1.5e10, True, None],
    "é": "\U0001f600 \n\t", "nested": [[[{"x": [[]]}]]],
}  # fmt: skip


def kinds(payload: str | bytes, content_type: str = TEXT, piece: int = 1 << 20) -> list[str]:
    scan = TruncationScan(content_type)
    raw = payload.encode() if isinstance(payload, str) else payload
    for start in range(0, len(raw), piece):
        scan.add(raw[start : start + piece])
    return [one.kind for one in scan.suspicions()]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_cut_at_any_byte_ends_early(ascii_only: bool) -> None:
    whole = json.dumps(HOSTILE, ensure_ascii=ascii_only).encode()
    assert kinds(whole, JSON) == []
    for cut in range(1, len(whole)):
        assert "json_ends_early" in kinds(whole[:cut], JSON), whole[:cut]


def test_larger_json_is_counted_in_pieces_of_any_size() -> None:
    whole = json.dumps([HOSTILE] * 900).encode()
    assert len(whole) > 2 * SMALL_BYTES
    dice = random.Random(7)
    for piece in (1 << 20, 65_537, 1000):
        assert kinds(whole, JSON, piece) == []
        for cut in (dice.randrange(SMALL_BYTES, len(whole)) for _ in range(40)):
            assert "json_ends_early" in kinds(whole[:cut], JSON, piece), (piece, cut)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30,
), st.data())  # fmt: skip
def test_what_json_writes_is_whole_and_its_beginnings_are_not(value: Any, data: Any) -> None:
    whole = json.dumps([value], ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert kinds(whole, JSON) == []
    cut = data.draw(st.integers(1, len(whole) - 1))
    assert "json_ends_early" in kinds(whole[:cut], JSON)


@pytest.mark.parametrize("kind", samples.KINDS)
def test_samples_are_whole(kind: samples.Kind) -> None:
    for content_type in (JSON, TEXT, "application/octet-stream"):
        for size in (1_000, 200_000):
            found = kinds(samples.sample(kind, size), content_type)
            assert "json_ends_early" not in found or kind not in ("json",)
            assert "truncated_by_marker" not in found


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": [1, 2', '[{"name": "x', '{"a":1}\n{"b":2}\n{"c":', '  \n[1, 2, 3,',
        "\ufeff{\"a\": 1", '{"a": tru', '{"a": 1.', '["\\u00',
    ],
)  # fmt: skip
def test_text_that_begins_as_json_is_looked_at(text: str) -> None:
    assert kinds(text) == ["json_ends_early"]


@pytest.mark.parametrize(
    "text",
    [
        '[INFO] disk of 5" started', "[2026-11-27 10:00] it's (open", "[1] Smith, J. (2020",
        "{not json", '{"a": 1} and then "prose', "{{ template }} {", "[link](http://x", "[",
        "function() { return [", '{"a": 1}\n{"b": 2}\n', "[1, 2] items, [3", "", " ", '{"a":]',
        "{'python': ['dict'", "[section]\nkey = \"value",
    ],
)  # fmt: skip
def test_text_that_is_no_json_is_left_alone(text: str) -> None:
    assert kinds(text) == []
    assert kinds(text + "\n" + 'line of a log with a " in it [\n' * 5_000) == []


def test_json_that_is_wrong_is_not_said_to_be_cut() -> None:
    assert kinds('{"a": 1}}', JSON) == []
    assert kinds("<html><body>", JSON) == []
    assert kinds("", JSON) == []
    assert kinds('{"a": 1}' + "]" * 100_000, JSON) == []


def test_json_deeper_than_the_parser() -> None:
    deep = "[" * 20_000 + "]" * 20_000
    assert kinds(deep, JSON) == []
    assert kinds(deep[:-1], JSON) == ["json_ends_early"]


def test_above_the_limit_the_last_character_tells() -> None:
    whole = json.dumps([HOSTILE] * 900).encode()
    for payload, expected in ((whole, []), (whole[:-9], ["json_ends_early"])):
        scan = TruncationScan(JSON, json_limit=100_000)
        scan.add(payload)
        assert [one.kind for one in scan.suspicions()] == expected


def test_a_character_that_is_cut() -> None:
    for letter in ("é", "€", "\U0001f600"):
        raw = f"text {letter}".encode()
        assert kinds(raw) == []
        for left in range(1, len(letter.encode())):
            assert kinds(raw[:-left]) == ["text_ends_inside_character"]
            assert kinds(raw[:-left], "text/plain; charset=latin-1") == []
            assert kinds(raw[:-left], "application/octet-stream") == []


CUT = [
    "... [truncated]", "…[truncated]", "...(truncated)", "\n[truncated]", "\n<output truncated>",
    "\n\n[Response truncated]", "\n\n[Response truncated at 4096 chars]", "\n... 12 more lines",
    "\n...\n[output truncated at 10MB]\n", "\n... (5 more rows)", "\n... and 5 more\n",
    "\n\n... [120 lines truncated] ...", "…34387 tokens truncated…", "\n(12 more rows)",
    "\n[... omitted 5 of 30 lines ...]", "\n[... 15 more characters truncated]",
    "\n\n<error>Content truncated. Call the fetch tool with a start_index of 5000 to get more "
    "content.</error>",
    "<response clipped><NOTE>To save on context only part of this file has been shown to you."
    "</NOTE>",
    "\n[... Observation truncated due to length ...]\n",
    "\n<output too long - dropped 42 lines from the end>\n",
    "\n\n...14115 bytes truncated...\n\nThe tool call succeeded but the output was truncated. Full "
    "output saved to: /tmp/x\nUse the Task tool to have explore agent process this file.",
    "\n...Full output truncated (21 lines hidden), use '-vv' to show",
    "\n\nThe log length has exceeded the limit of 4 MB (this usually means that the test suite is "
    "raising the same exception over and over).\n\nThe job has been terminated\n",
    "...<output truncated>", "[...truncated...]", "\n--- output truncated ---\n",
    "\n*** truncated ***",
    "\nOutput truncated.", "\n## Output truncated (limit 10000 characters)", "\n+ 45 more lines",
    " ... [+45 lines]", " [truncated, 500 chars]", "... (truncated, 1234 chars total)",
    "\n[Truncated: showing first 100 of 2000 lines]", "\n[truncated 500 chars]", "\n<truncated>",
]  # fmt: skip


@pytest.mark.parametrize("marker", CUT)
def test_a_marker_at_the_end_is_found_in_text_and_in_json(marker: str) -> None:
    text = "some lines of output\nthat go on\nand on" + marker
    assert kinds(text) == ["truncated_by_marker"]
    wrapped = {"content": [{"type": "text", "text": text}], "isError": False}
    assert kinds(json.dumps(wrapped), JSON) == ["truncated_by_marker"]
    assert kinds(json.dumps(wrapped, indent=2), JSON) == ["truncated_by_marker"]
    assert kinds(text, "application/octet-stream") == []


@pytest.mark.parametrize("marker", CUT)
def test_a_marker_that_is_only_spoken_of_is_none(marker: str) -> None:
    """In the middle of a document, whatever its size."""
    around = "This chapter is about tools that cut their output, and how they say so. " * 15
    assert kinds(f"{around}{marker}\n{around}") == []


@pytest.mark.parametrize(
    "text",
    [
        'It was marked "[truncated]".', 'The marker is "[truncated]"', "Use `... [truncated]`.",
        "\tat java.lang.Thread.run(Thread.java:750)\n\t... 23 more", "(5 rows)", "(0 more lines)",
        "... [0 lines omitted] ...", "12 files changed (3 files skipped)",
        "The list was truncated.",
        "We truncated 5 lines.", "TRUNCATE TABLE logs;", "Table 1 (truncated)", "Is there more?",
        "and 5 more", "It has 3 more lines", "to be continued...", "[100 rows x 5 columns]",
        "assert output.endswith('... [truncated]')", "no more items",
        "Loading ... 3 items remaining.", "The output truncated.", "- [truncated] marks a cut.",
        "It writes '[truncated, 5 chars]'", "logs were truncated", "git added + 45 lines",
        "a (+5 lines)",
    ],
)  # fmt: skip
def test_what_only_resembles_a_marker_is_none(text: str) -> None:
    assert kinds(text) == []
    assert kinds(json.dumps({"text": text, "n": 1}), JSON) == []


def test_a_marker_before_the_text() -> None:
    head = "[File content truncated: showing lines 1-100 of 500 total lines. Use offset/limit.]\n"
    body = "a line of the file\n" * 100
    assert kinds(head + body) == ["truncated_by_marker"]
    assert kinds(json.dumps([{"type": "text", "text": head + body}]), JSON) == [
        "truncated_by_marker"
    ]
    assert kinds("About it:\n" + head + body) == []


def test_every_marker_has_a_source_and_is_met_by_an_example() -> None:
    met = set()
    spilled = (
        "\nresult (70,000 characters) exceeds maximum allowed tokens. Output has been saved to x"
    )
    for marker in [*CUT, spilled]:
        scan = TruncationScan(TEXT)
        scan.add(("words\nmore" + marker).encode())
        met |= {one.detail["marker"] for one in scan.suspicions()}
    assert met == {one.name for one in MARKERS}
    assert all(one.source and one.words == tuple(map(str.lower, one.words)) for one in MARKERS)
