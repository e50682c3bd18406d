"""Searching agrees with Python's own expressions line by line, whatever the pieces, and a hostile
pattern is refused or stays linear."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from busctl.adapters.re2_patterns import MOST_CHARS, Re2Finder, finder_of, options_of
from busctl.core.errors import InvalidPattern
from busctl.core.reading.required_text import required_texts
from busctl.core.reading.search import Finder, Found, Search, clean_lines
from busctl.core.reading.search_lines import LINE_BYTES

TEXTS = st.text("ab\n é\0", max_size=60).map(lambda text: text.encode()) | st.binary(max_size=60)
PATTERNS = st.sampled_from([
    "a", "a+", "a*", "^", "$", "^$", "^a", "b$", "a|ab", "(a|b)+?", "[^b]", "\\s+", ".", "a.b",
    "a.*b", "é", "é?b", "\\0", "[[:space:]]a" , "(?i)A+", "b{2,3}", "\\w+", "a\\nb",
])  # fmt: skip


def searched(
    finder: Finder, payload: bytes, piece: int = 1 << 20, *, context: int = 0, most: int = 10**6,
    room: int = 10**9, start: int = 0, scouting: bool = False,
) -> Found:  # fmt: skip
    search = Search(finder, context=context, most=most, room=room, start=start)
    for at in range(0, len(payload), piece):
        fed = payload[at : at + piece]
        search.feed(fed, clean_lines(finder, fed, 0, len(fed)) if scouting else ())
        while search.step():
            pass
        if search.done:
            break
    if not search.done:
        search.end()
        while search.step():
            pass
    assert search.done
    return search.found


def lines_of(payload: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Number, offset and bytes of each line."""
    at = 0
    lines = payload.split(b"\n")
    for number, line in enumerate(lines[:-1] if lines[-1] == b"" else lines, 1):
        yield number, at, line
        at += len(line) + 1


def told(found: Found) -> list[tuple[int, int, int]]:
    return [(line.number, *match) for line in found.lines for match in line.matches]


@settings(max_examples=400)
@given(TEXTS, PATTERNS, st.integers(1, 20))
def test_matches_are_those_of_each_line(payload: bytes, pattern: str, piece: int) -> None:
    try:
        payload.decode()
    except UnicodeDecodeError:
        payload = payload.decode("latin-1").replace("\r", "r").encode()
    python = pattern.replace("[[:space:]]", "[ ]").replace("\\s", "[ \\t\\r\\f]")
    python = python.replace("\\w", "[0-9A-Za-z_]")
    expected = [
        (number, at + len(text[: match.start()].encode()), len(match[0].encode()))
        for number, at, line in lines_of(payload)
        for text in [line.decode()]
        for match in re.finditer(python, text)
    ]
    found = searched(finder_of(pattern), payload, piece)
    assert told(found) == expected
    assert found.matches == len(expected)
    assert not found.more


@given(TEXTS, st.text("ab é\0.*(", min_size=1, max_size=3), st.integers(1, 20))
def test_literals_are_found_where_their_bytes_are(payload: bytes, text: str, piece: int) -> None:
    literal = finder_of(text, literal=True)
    raw = text.encode()
    expected, at = [], payload.find(raw)
    while at >= 0:
        expected.append((payload[:at].count(b"\n") + 1, at, len(raw)))
        at = payload.find(raw, at + len(raw))
    assert told(searched(literal, payload, piece)) == expected


@settings(max_examples=300)
@given(st.lists(st.sampled_from([b"", b"hit", b"miss", b"x" * 30]), max_size=30),
       st.integers(0, 4), st.integers(1, 50), st.booleans())  # fmt: skip
def test_context_is_each_line_once_in_order(
    lines: list[bytes], context: int, piece: int, ends: bool
) -> None:
    payload = b"\n".join(lines) + b"\n" * ends
    known = {number: (at, line) for number, at, line in lines_of(payload)}
    hits = [number for number, (_, line) in known.items() if b"hit" in line]
    wanted = sorted(
        {near for hit in hits for near in range(hit - context, hit + context + 1) if near in known}
    )
    found = searched(finder_of("hit", literal=True), payload, piece, context=context)
    assert [line.number for line in found.lines] == wanted
    for line in found.lines:
        assert (line.offset, line.raw) == known[line.number]
        assert bool(line.matches) == (line.number in hits)


@given(TEXTS, st.integers(1, 4), st.integers(1, 20))
def test_a_search_goes_on_where_it_stopped(payload: bytes, most: int, piece: int) -> None:
    whole = told(searched(finder_of("a", literal=True), payload))
    parts: list[tuple[int, int, int]] = []
    start: int | None = 0
    while start is not None:
        found = searched(finder_of("a", literal=True), payload, piece, most=most, start=start)
        assert found.more == (found.next_offset is not None)
        parts += told(found)
        start = found.next_offset
    assert parts == whole


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("seed", range(6))
def test_looking_ahead_changes_nothing(seed: int, context: int) -> None:
    dice = random.Random(seed)
    words = [b"hit", b"miss", b"", b"x" * 200, "é".encode() * 30]
    weights = [dice.choice([0, 0.002, 0.1]), 1, 1, 1, 1]
    payload = b"\n".join(dice.choices(words, weights, k=30_000))
    finder = finder_of("hit|^xx" if seed % 2 else "hit$")
    start = dice.choice([0, dice.randrange(len(payload))])
    for most in (3, 10**6):
        plain = searched(finder, payload, 1 << 30, context=context, most=most, start=start)
        for piece in (1 << 20, 300_000, 70_001):
            seen = searched(
                finder, payload, piece, context=context, most=most, start=start, scouting=True
            )
            assert seen == plain


def test_a_line_of_20_mb_is_searched_in_bounded_memory_and_shown_in_part() -> None:
    payload = b"x" * 9_999_990 + "é needle é".encode() + b"y" * 10_000_000 + b"needle"
    found = searched(finder_of("needle"), payload, context=2)
    assert [(line.number, line.matches) for line in found.lines] == [
        (1, [(9_999_993, 6)]), (1, [(len(payload) - 6, 6)])
    ]  # fmt: skip
    for line in found.lines:
        assert line.cut
        assert len(line.raw) <= LINE_BYTES
        assert payload[line.offset : line.stop] == line.raw
    finder = finder_of("needle")
    search = Search(finder)
    held = 0
    for at in range(0, len(payload), 1 << 20):
        search.feed(payload[at : at + (1 << 20)])
        while search.step():
            pass
        held = max(held, search.held_bytes)
    assert held <= 3 * finder.stretch


@pytest.mark.parametrize("start", [0, 500, (1 << 20) - 5, (1 << 20) - 1, (1 << 20) + 3])
def test_a_match_across_stretches_of_a_long_line_is_found_whole(start: int) -> None:
    needle = b"<" + b"m" * 9_000 + b">"
    payload = b"x" * start + needle + b"z" * 3_000_000
    assert told(searched(finder_of("<m+>"), payload, 65_536)) == [(1, start, len(needle))]


@pytest.mark.parametrize(
    "pattern",
    [
        "a{1000}{1000}", "((a{100}){100}){100}", "\\pL{1000}", "((((a{50})*){50})*){50}",
        "x" * (MOST_CHARS + 1), "(", "[z-a]", "(a)\\1", "(?=a)", "*", "\ud800",
        "(?i)[\\pL\\pN]{1,300}q",
    ],
)  # fmt: skip
def test_a_pattern_that_needs_too_much_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(InvalidPattern) as raised:
        finder_of(pattern)
    assert "pattern" in raised.value.message
    assert len(raised.value.message) < 3_000


@pytest.mark.parametrize("text", ["", "a\nb", "x" * 2_001])
def test_a_literal_is_one_piece_of_a_line(text: str) -> None:
    with pytest.raises(InvalidPattern):
        finder_of(text, literal=True)


@pytest.mark.parametrize(
    "pattern", ["(x+x+)+y", "(x*)*y", "(x|xx)+y", "(.*)*z", "(x+)+$y", "((((x*)*)*)*)*z"]
)
def test_what_explodes_elsewhere_is_linear_here(pattern: str) -> None:
    payload = b"x" * 2_000_000 + b"\n" + b"\xff\xfe\0" * 100_000
    found = searched(finder_of(pattern), payload)
    assert (found.matches, found.more) == (0, False)


def test_one_call_is_bounded_for_a_pattern_with_many_states() -> None:
    wide = finder_of("|".join(f"w{n}x" for n in range(300)))
    small = finder_of("word")
    assert wide.stretch < small.stretch
    assert told(searched(wide, b"x" * 50_000 + b"w299x" + b"x" * 50_000))[0] == (1, 50_000, 5)


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("needle", ["needle"]), ("[a-z]+@[a-z]+\\.com", [".com"]), ("^a.*needle$", ["needle"]),
        ("error|timeout", ["error", "timeout"]), ("(error|timeout) now", ["error", "timeout"]),
        ("(a|b)+ now", [" now"]), ("ab?cd", ["cd"]), ("abc+d", ["ab"]), ("abc*", ["ab"]),
        ("a{2}bcd", ["bcd"]), ("\\d+ rows\\b", [" rows"]), ("(?i)needle", []), ("\\x41bc", []),
        ("\\Qa.b\\E", []), ("[]x]yz", ["yz"]), ("[[:alpha:]]yz", ["yz"]),
        ("(a(b[)])c)def", ["def"]), ("a{x", []), ("(?:x)", ["x"]), ("x|", []), ("", []),
        ("é+üb", ["üb"]), ('"id": 7', ['"id": 7']), ("a\\{b", ["a{b"]), ("one|\\d", []),
        ("(foo|ba(r|z+))[0-9]", ["foo", "ba"]), ("(foo|bar)?x", ["x"]), ("a|b|c|d|e|f|g", []),
        ("(a", []), ("a)", []), ("ab+?c", ["a"]), ("a++", []),
    ],
)  # fmt: skip
def test_what_every_match_must_have_one_of_is_seen(pattern: str, texts: list[str]) -> None:
    assert list(required_texts(pattern)) == texts


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([
    "a", "b", "ab", "@", ".", "[ab]", "[^a]", "(a|b)", "(?:ab)", "\\w", "\\.", "a{2}", "b{0,1}",
    "?", "*", "+", "*?", "^", "$", "|", "(b", ")",
]), max_size=6).map("".join), st.text("ab@. \n", max_size=40))  # fmt: skip
def test_looking_for_it_first_finds_the_same(pattern: str, text: str) -> None:
    try:
        finder = finder_of(pattern)
    except InvalidPattern:
        return
    required = required_texts(pattern)
    payload = (text + "\n") * 3
    for line in payload.split("\n"):
        if searched(finder, line.encode()).matches:
            assert not required or any(each in line for each in required)
    # Long enough for it to be looked for first.
    padded = b"....\n" * 2_000 + payload.encode() * 400 + b"..b..\n" * 9_000
    plain = Re2Finder(re2.compile("(?m)" + pattern, options_of()), finder.stretch)
    assert searched(finder, padded, most=30) == searched(plain, padded, most=30)
