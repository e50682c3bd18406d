"""search, get --lines and show: a stored answer is read on in from the command line."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import busctl, on_terminal, put

pytestmark = pytest.mark.one_database

ROWS = [f"row {n} é {'needle' if n % 900 == 77 else 'hay'}" for n in range(2_000)]
TEXT = "\n".join(ROWS).encode() + b"\n"


def test_matches_are_printed_as_grep_prints_them(database: str) -> None:
    one = put(database, TEXT)
    done = busctl(database, "search", one, "ne+dle$")
    assert (done.code, done.err) == (0, "")
    assert done.text.splitlines() == [f"{n + 1}:{ROWS[n]}" for n in (77, 977, 1877)]
    around = busctl(database, "search", one, "NEEDLE", "-i", "-C", "1", "-m", "2")
    assert around.text.splitlines() == [
        f"77-{ROWS[76]}", f"78:{ROWS[77]}", f"79-{ROWS[78]}", "--",
        f"977-{ROWS[976]}", f"978:{ROWS[977]}", f"979-{ROWS[978]}",
    ]  # fmt: skip
    assert "go on with --offset" in around.err
    offset = TEXT.index(b"needle")
    found = busctl(database, "search", one, "needle", "--literal", "-b")
    assert found.text.splitlines()[0] == f"78:{offset}:{ROWS[77]}"
    assert busctl(database, "get", one, "--offset", str(offset), "--length", "6").out == b"needle"
    rest = busctl(database, "search", one, "needle", "--offset", str(offset + 1))
    assert len(rest.text.splitlines()) == 2


def test_nothing_found_is_exit_1_and_json_says_where(database: str) -> None:
    one = put(database, TEXT)
    none = busctl(database, "search", one, "absent")
    assert (none.code, none.out) == (1, b"")
    shape = busctl(database, "search", one, "needle", "--json").json
    assert (shape["matches"], shape["more"], shape["next_offset"]) == (3, False, None)
    first = shape["lines"][0]
    assert (first["line"], first["text"]) == (78, ROWS[77])
    ((offset, length),) = first["matches"]
    assert TEXT[offset : offset + length] == b"needle"
    assert busctl(database, "search", one, "absent", "--json").json["lines"] == []


def test_paths_print_values(database: str) -> None:
    rows = [{"id": n, "name": f"é{n}"} for n in range(500)]
    one = put(database, json.dumps({"rows": rows}).encode(), "--content-type", "application/json")
    done = busctl(database, "search", one, "$.rows[?@.id >= 498].name", "--jsonpath")
    assert done.text.splitlines() == ["$['rows'][498]['name'] = \"é498\"",
                                      "$['rows'][499]['name'] = \"é499\""]  # fmt: skip
    assert busctl(database, "search", one, "$.none", "-j").code == 1
    shape = busctl(database, "search", one, "$.rows[7]", "-j", "--json").json
    assert json.loads(shape["values"][0]["json"]) == rows[7]
    plain = busctl(database, "search", put(database, TEXT), "$.a", "-j")
    assert (plain.code, "no JSON" in plain.err) == (1, True)


def test_a_terminal_gets_colours_and_no_escapes_of_the_payload(database: str) -> None:
    one = put(database, b"evil \x1b[2J hit\n")
    plain = busctl(database, "search", one, "hit")
    assert plain.text == "1:evil \\x1b[2J hit\n"
    code, shown = on_terminal(database, "search", one, "hit", no_color="")
    assert code == 0
    assert "\x1b[1;31mhit\x1b[0m" in shown
    assert "evil \\x1b[2J" in shown
    _, uncoloured = on_terminal(database, "search", one, "hit")
    assert "\x1b" not in uncoloured


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["search", "ID", "("], "RE2"), (["search", "ID", "a{1000}{1000}"], "RE2"),
        (["search", "ID", "a\nb", "-F"], "one line"), (["search", "ID", "$[", "-j"], "JSONPath"),
        (["search", "ID", "a", "-F", "-j"], "--jsonpath"), (["search", "x", "a"], "'x'"),
        (["search", "ID", "$.a", "-j", "-C", "1"], "--context"),
        (["search", "ID", "a", "--block", "0"], "has no blocks"),
        (["get", "ID", "--lines", "3:2"], "'3:2'"), (["get", "ID", "--lines", "0:2"], "'0:2'"),
        (["get", "ID", "--lines", "5"], "'5'"),
        (["get", "ID", "--lines", "1:2", "--range", "0-1"], "--lines"),
        (["get", "ID", "--lines", "2002:"], "no line 2,002"),
    ],
)  # fmt: skip
def test_wrong_questions_are_exit_2(database: str, args: list[str], said: str) -> None:
    one = put(database, TEXT)
    done = busctl(database, *[one if word == "ID" else word for word in args])
    assert done.code == 2, done.err
    assert said in done.err
    assert done.out == b""


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [("1:1", 0, 1), (":3", 0, 3), ("1999:", 1998, 2000), ("100:120", 99, 120), ("1:9999", 0, 2000)],
)
def test_lines_of_a_payload(database: str, span: str, first: int, last: int) -> None:
    one = put(database, TEXT)
    done = busctl(database, "get", one, "--lines", span)
    assert (done.code, done.err) == (0, "")
    assert done.out == "".join(f"{row}\n" for row in ROWS[first:last]).encode()


def test_lines_go_into_a_file(database: str, tmp_path: object) -> None:
    one = put(database, b"a line\n" * 500_000)
    target = f"{tmp_path}/lines"
    done = busctl(database, "get", one, "--lines", "400000:400001", "-o", target, "--json")
    assert done.json["size"] == 14
    assert busctl(database, "get", one, "--lines", "400000:400001").out == b"a line\na line\n"


def test_show_tells_the_shape(database: str) -> None:
    rows = [{"id": n, "name": "x"} for n in range(5_000)]
    one = put(database, json.dumps({"rows": rows}).encode(), "--content-type", "application/json")
    text = busctl(database, "show", one).text
    assert "This is an outline, not the whole:" in text
    assert "rows: array, 5,000 items" in text
    shape = busctl(database, "show", one, "--json").json["outline"]
    assert shape["shape"]["members"][0]["count"] == 5_000
    assert busctl(database, "show", one, "--json").json["envelope"]["retrieved_count"] == 0
