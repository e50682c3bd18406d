"""junit and markdown: nothing of the audited code becomes markup."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from busctl.audit.formats import FORMATS
from busctl.audit.formats.markdown import plain
from busctl.audit.outcome import Outcome
from tests.audits.outcomes import TEXT, finding, outcome, outcomes

# --- junit -------------------------------------------------------------------------------------


@given(outcomes())
@settings(max_examples=60, deadline=None)
def test_junit_is_xml_with_a_case_for_each(told: Outcome) -> None:
    root = ElementTree.fromstring(FORMATS["junit"](told).encode())
    assert len(root.findall(".//failure")) == len(told.findings)
    errors = len(told.not_looked_at) + (not told.checked)
    assert len(root.findall(".//error")) == errors
    assert int(root.attrib["tests"]) == len(root.findall(".//testcase"))
    assert int(root.attrib["failures"]) == len(told.findings)
    assert int(root.attrib["errors"]) == errors


def test_junit_groups_by_file() -> None:
    told = outcome(finding("a.py"), finding("a.py", 2), finding("b.py"))
    root = ElementTree.fromstring(FORMATS["junit"](told))
    assert [(one.attrib["name"], one.attrib["failures"]) for one in root] == [
        ("busctl audit", "0"), ("a.py", "2"), ("b.py", "1"),
    ]  # fmt: skip


def test_junit_replaces_what_xml_forbids() -> None:
    root = ElementTree.fromstring(
        FORMATS["junit"](outcome(finding(message="a\x00\x1b\ufffe<&\ud800")))
    )
    (failure,) = root.iter("failure")
    assert failure.attrib["message"] == "a\ufffd\ufffd\ufffd<&\ufffd"


# --- markdown ----------------------------------------------------------------------------------

READER = MarkdownIt("commonmark").enable("table")


def tokens(text: str) -> list[Token]:
    """All tokens, those inside of lines too."""
    return [each for one in READER.parse(text) for each in (one, *(one.children or ()))]


def cells(text: str) -> int:
    return sum(one.type == "td_open" for one in tokens(text))


@given(outcomes())
@settings(max_examples=60, deadline=None)
def test_markdown_holds_no_markup_of_the_code(told: Outcome) -> None:
    read = tokens(FORMATS["markdown"](told))
    kinds = [one.type for one in read]
    assert not {"link_open", "image", "em_open", "strong_open", "code_inline"} & set(kinds)
    assert kinds.count("td_open") == 4 * len(told.findings)
    assert kinds.count("heading_open") == 1
    html = [one.content for one in read if one.type in ("html_inline", "html_block")]
    tags = re.findall(r"<(?!!-- -->)/?(\w+)", "".join(html))
    assert sorted(tags) == sorted(
        ["details", "summary", "summary", "details"] * len(told.findings)
    )  # fmt: skip


@given(TEXT)
@settings(max_examples=150, deadline=None)
def test_markdown_shows_the_text_as_it_is(text: str) -> None:
    shown = "".join(
        one.content for one in tokens(f"a{plain(text)}a") if one.type in ("text", "text_special")
    )
    said = re.sub("[\ud800-\udfff]", "\ufffd", " ".join(text.split()))
    escaped = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in said
    )
    assert shown == f"a{escaped}a"


def test_markdown_calls_nobody() -> None:
    text = FORMATS["markdown"](outcome(finding(message="@team broke #12, see www.example.org")))
    assert "@team" not in text
    assert "#12" not in text
    assert "www.example" not in text
    assert cells(text) == 4


def test_markdown_fences_code_that_holds_fences() -> None:
    lines = ["````python", "x", "y", "</details>", "````"]
    text = FORMATS["markdown"](outcome(finding(line=1, end_line=5), lines=lines))
    (fence,) = [one for one in tokens(text) if one.type == "fence"]
    assert "</details>" in fence.content
