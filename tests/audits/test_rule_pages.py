"""docs/rules/ says what the rules say; run `make docs` after changing one."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from markdown_it import MarkdownIt

from busctl.audit import Example, Rule
from busctl.audit.registry import rules
from tests.audits.outcomes import Swallowed
from tests.audits.rule_pages import RULES, _page, _prose, pages

ROOT = Path(__file__).parents[2]


def test_the_pages_are_fresh() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in RULES.glob("*.md")}
    assert written == pages(), "run `make docs`"


def test_make_docs_writes_them() -> None:
    assert "-m tests.audits.rule_pages" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_rule_has_a_page_and_a_place_in_the_index() -> None:
    found = pages()
    for rule in rules():
        assert f"[{rule.code}]({rule.code}.md)" in found["README.md"]
        assert f"# {rule.code} {rule.name}" in found[f"{rule.code}.md"]


class Across(Swallowed):
    """Looks at two files, one of them with a fence in it."""

    summary: ClassVar[str] = "`__exit__` | __exit__ of a<b>, *args and [x](y)."
    BAD = (Example("x = 1\n", "app.py", {".env": "X=1\n", "doc.md": "```sh\nx\n```\n"}),)
    GOOD = ("y = 2\n",)


def test_a_page_shows_every_file_and_no_markup_but_ours() -> None:
    rule: Rule = Across()
    tokens = MarkdownIt("commonmark").parse("\n".join(_page(rule)))
    fences = [(one.info, one.content) for one in tokens if one.type == "fence"]
    assert fences == [
        ("python", "x = 1\n"),
        ("text", "X=1\n"),
        ("markdown", "```sh\nx\n```\n"),
        ("python", "y = 2\n"),
        ("python", "# busctl: allow[XX001] why it may be lost\n"),
    ]
    line = MarkdownIt("commonmark").parse(_prose(rule.summary))[1].children or []
    kinds = {one.type for one in line}
    assert kinds <= {"text", "text_special", "code_inline"}
