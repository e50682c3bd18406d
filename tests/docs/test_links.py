"""Links lead somewhere, and every busctl command line that a document quotes exists as quoted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
)  # fmt: skip
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
# As a command word: at the start, or behind a space, an operator or a path; never `busctl.tools`.
COMMAND = re.compile(r"(?:^|[\s;|&(\"$/])m?busctl[ \t]+(.*)$")
OPERATORS = frozenset({"|", "||", "&", "&&", ";", ">", ">>", "2>", "2>>", "2>&1", "#", ")", "…"})


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def prose_of(page: str) -> str:
    return FENCE.sub("", text_of(page))


# --- links -------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES)
def test_the_links_lead_somewhere(page: str) -> None:
    for link in LINK.findall(prose_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), f"{page} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page} links to {link}"


# --- commands ----------------------------------------------------------------------------------


@cache
def root() -> Any:
    import typer

    from busctl.cli.app import app

    return typer.main.get_command(app)


def quoted(page: str) -> Iterator[str]:
    """What stands behind `busctl ` wherever a page shows a command line."""
    lines = [span.replace("\n", " ") for span in SPAN.findall(prose_of(page))]
    for language, block in FENCE.findall(text_of(page)):
        joined = block.replace("\\\n", " ")
        if language in ("sh", "bash"):
            lines += joined.splitlines()
        elif language == "console":
            lines += [line[2:] for line in joined.splitlines() if line.startswith("$ ")]
        elif language == "text" and "Examples:" in block:  # a command's own page
            lines += joined.partition("Examples:")[2].partition("\n\n")[0].splitlines()
    for line in lines:
        for part in re.split(r"\$\(|\|\||&&|[|;()]", line):
            if found := COMMAND.search(part.strip()):
                yield found[1]


def words(line: str) -> list[str]:
    """The words of one command, up to the first operator or comment, or to `--`: behind that stands
    another program's."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.quotes, lexer.commenters = True, "\"'", "#"
    found: list[str] = []
    try:
        for word in lexer:
            if word in OPERATORS or word == "--":
                break
            found.append(word.rstrip(".,:…"))
    except ValueError:  # a quote that is closed behind the cut: what came before it counts
        pass
    return found


def faults(line: str) -> list[str]:
    """What of that command line does not exist."""
    command, rest = root(), words(line)
    while hasattr(command, "commands"):
        name = rest[0] if rest and not rest[0].startswith("-") else ""
        # `status|stop` and `NAME` stand for commands in prose, not for one.
        if re.search(r"[|A-Z…]", name):
            return []
        if name in command.commands:
            command = command.commands[rest.pop(0)]
        elif "run" in command.commands:  # `busctl audit src` is `busctl audit run src`
            command = command.commands["run"]
        elif name:
            return [f"no command {name!r} in: busctl {line}"]
        else:
            break
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    given = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    missing = given - known - {"--help", "-h", "--version"}
    return [f"no option {option} in: busctl {line}" for option in sorted(missing)]


@pytest.mark.parametrize("page", PAGES)
def test_the_quoted_commands_exist(page: str) -> None:
    assert not [fault for line in quoted(page) for fault in faults(line)]


def test_commands_are_found_and_checked() -> None:
    assert sum(1 for page in PAGES for _ in quoted(page)) > 100
    assert faults("store start --json") == faults("put - --ttl 7d | cat") == []
    assert faults("store begin") == ["no command 'begin' in: busctl store begin"]
    assert faults("get ID --offsets 3") == ["no option --offsets in: busctl get ID --offsets 3"]
