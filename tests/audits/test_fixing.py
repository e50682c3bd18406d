"""Fixes: what a rule replaces and nothing else, or the file as it was."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from busctl.audit import Finding, Rule, Source, Span
from busctl.audit.difference import unified_diff
from busctl.audit.fixing import BROKEN, Fix, Mended, apply, mend, write
from busctl.core.errors import FileFailed
from tests.audits.outcomes import Swallowed, finding


def fix(*replacements: tuple[tuple[int, int, int, int], str], line: int = 1) -> Fix:
    made = tuple((Span(*place), new) for place, new in replacements)
    return Fix(finding("a.py", line), made)


def mended(data: bytes, *fixes: Fix) -> Mended:
    return apply("a.py", data, fixes)


# --- replacing ---------------------------------------------------------------------------------


def test_replacements_are_applied_in_any_order() -> None:
    data = b"a = 1\nb = 2  # two\n"
    done = mended(
        data, fix(((2, 5, 2, 6), "22")), fix(((1, 5, 1, 6), "11"), ((1, 1, 1, 1), "c = 0\n"))
    )
    assert done.after == b"c = 0\na = 11\nb = 22  # two\n"
    assert len(done.applied) == 2
    assert done.left == ()


def test_of_two_that_overlap_the_first_wins_and_the_other_is_reported() -> None:
    one, other = (
        fix(((1, 1, 1, 6), "x = 9")),
        fix(((1, 5, 1, 6), "3"), ((2, 1, 2, 1), "y = 1\n"), line=2),
    )
    done = mended(b"a = 1\nb = 2\n", one, other)
    assert done.after == b"x = 9\nb = 2\n"  # no half of the other one either
    assert done.applied == (one.finding,)
    ((left, why),) = done.left
    assert left == other.finding
    assert "overlaps" in why


def test_the_same_import_for_two_fixes_is_added_once() -> None:
    add = ((1, 1, 1, 1), "import os\n")
    done = mended(b"a = 1\nb = 2\n", fix(add, ((1, 5, 1, 6), "3")), fix(add, ((2, 5, 2, 6), "4")))
    assert done.after == b"import os\na = 3\nb = 4\n"


def test_two_insertions_at_one_place_have_no_order() -> None:
    done = mended(b"a = 1\n", fix(((1, 1, 1, 1), "b = 1\n")), fix(((1, 1, 1, 1), "c = 1\n")))
    assert done.after == b"b = 1\na = 1\n"
    assert len(done.left) == 1


@pytest.mark.parametrize("place", [(9, 1, 9, 1), (1, 1, 1, 99), (1, 5, 1, 2), (0, 1, 1, 1)])
def test_a_place_that_is_not_there_is_reported(place: tuple[int, int, int, int]) -> None:
    done = mended(b"a = 1\n", fix((place, "x")))
    assert not done.changed
    assert "outside the file" in done.left[0][1]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("final", [True, False])
def test_line_endings_and_the_last_one_stay(ending: bytes, final: bool) -> None:
    data = ending.join([b"if a:", b"    b()", b"c()"]) + (ending if final else b"")
    done = mended(data, fix(((2, 5, 2, 8), "d()\n    e()"), ((3, 1, 3, 4), "f()\n")))
    lines = [b"if a:", b"    d()", b"    e()", b"f()"]
    if not final:
        assert done.after == ending.join(lines)
    else:
        assert done.after == ending.join([*lines, b"", b""])
    assert done.after.count(b"\n") == (done.after.count(ending) if b"\n" in ending else 0)


def test_taking_the_last_line_keeps_the_last_line_break() -> None:
    assert mended(b"a = 1\nb = 2\n", fix(((1, 6, 2, 6), ""))).after == b"a = 1\n"
    assert mended(b"a = 1\nb = 2\n", fix(((1, 6, 3, 1), ""))).after == b"a = 1\n"
    assert mended(b"a = 1\nb = 2", fix(((2, 1, 2, 6), ""))).after == b"a = 1"


@pytest.mark.parametrize(
    "data",
    [
        "# -*- coding: latin-1 -*-\nname = 'é'; a = 1\n".encode("latin-1"),
        "\ufeff# first\nname = 'é'; a = 1\n".encode(),
        "# \f first\nname = '語'; a = 1\n".encode(),
    ],
)
def test_encoding_and_mark_stay_and_columns_are_characters(data: bytes) -> None:
    assert mended(data, fix(((2, 17, 2, 18), "2"))).after == data.replace(b"a = 1", b"a = 2")


def test_a_result_that_does_not_parse_is_thrown_away() -> None:
    done = mended(b"a = 1\nb = 2\n", fix(((1, 5, 1, 6), "(")), fix(((2, 5, 2, 6), "3"), line=2))
    assert not done.changed
    assert done.applied == ()
    assert done.broken is not None
    assert (done.broken.code, done.broken.severity) == (BROKEN, "error")
    assert done.broken.path == "a.py"
    assert "left alone" in done.broken.message


@pytest.mark.parametrize(
    ("data", "one"),
    [
        (b"# coding: latin-1\na = '\xe9'\n", fix(((2, 5, 2, 8), "'\u8a9e'"))),
        (b"# coding: latin-1\na = '\xe9'\n", fix(((1, 1, 1, 1), "import os\nimport re\n"))),
    ],
)
def test_a_result_in_another_encoding_is_thrown_away(data: bytes, one: Fix) -> None:
    done = mended(data, one)
    assert not done.changed
    assert done.broken is not None


def test_syntax_newer_than_this_python_can_be_mended() -> None:
    done = mended(b"type A = int\na = 1\n", fix(((2, 5, 2, 6), "2")))
    assert done.after == b"type A = int\na = 2\n"


# --- by rules ----------------------------------------------------------------------------------


class ShoutedName(Swallowed):
    """Names in capitals become small."""

    code = "XX007"

    def check(self, source: Source) -> Iterator[Finding]:
        for node in source.nodes(ast.Name):
            if node.id.isupper():
                yield self.finding(source, node, "loud")

    def fix(self, source: Source, finding: Finding) -> Sequence[tuple[Span, str]]:
        name = source.line(finding.span.line)[finding.span.column - 1 : finding.span.end_column - 1]
        return [(finding.span, name.lower())]


class Unfixed(Swallowed):
    """Has no fix."""

    code = "XX008"


def test_rules_are_asked_for_their_fixes() -> None:
    rules: dict[str, Rule] = {"XX007": ShoutedName(), "XX008": Unfixed()}
    data = "é = LOUD + MORE  # LOUD\r\n".encode()
    found = [*ShoutedName().check(Source("a.py", data.decode()))]
    done = mend(
        "a.py", data, [*found, finding("a.py", 1, code="XX008"), finding(code="AU002")], rules
    )
    assert done.after == "é = loud + more  # LOUD\r\n".encode()
    assert [one.code for one in done.applied] == ["XX007", "XX007"]


# --- whatever the text -------------------------------------------------------------------------

PIECES = st.sampled_from(
    ["a = 1", "b = 'é語'", "# c", "", "if a:\n    b = 2", "    ", "d = '''x\ny'''"]
)
ENDINGS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Texts whose lines end in \\n."""
    return "\n".join(draw(st.lists(PIECES, min_size=1, max_size=6))) + draw(
        st.sampled_from(["", "\n"])
    )


@st.composite
def ranges(draw: st.DrawFn, text: str) -> tuple[int, int]:
    first, last = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    return first, last


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def simply(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    """The same by slicing, from the end."""
    done = text
    for start, end, new in sorted(edits, reverse=True):
        done = done[:start] + new + done[end:]
    if text and done and text.endswith("\n") != done.endswith("\n"):
        return done + "\n" if text.endswith("\n") else done.removesuffix("\n")
    return done


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_fixes_come_to_what_slicing_gives(data: st.DataObject) -> None:
    text = data.draw(texts())
    ending = data.draw(ENDINGS) if "\n" in text else "\n"
    news = st.sampled_from(["", "z = 9\n", "1", "\n", "#"])
    edits = [
        (*data.draw(ranges(text)), data.draw(news)) for _ in range(data.draw(st.integers(1, 3)))
    ]
    fixes = [
        fix(((*place(text, start), *place(text, end)), new), line=number)
        for number, (start, end, new) in enumerate(edits)
    ]
    before = text.replace("\n", ending).encode()
    done = mended(before, *fixes)
    if done.broken is not None:
        assert done.after == before
        return
    applied = [edits[one.span.line] for one in done.applied]
    assert done.after.decode() == simply(text, list(dict.fromkeys(applied))).replace("\n", ending)
    assert len(done.applied) + len(done.left) == len(fixes)
    assert all("overlaps" in why for _, why in done.left)
    assert done.applied[0] == fixes[0].finding
    ast.parse(done.after)


@given(texts(), texts(), ENDINGS)
@settings(max_examples=25, deadline=None)
def test_git_takes_the_patch(
    tmp_path_factory: pytest.TempPathFactory, one: str, other: str, ending: str
) -> None:
    folder = tmp_path_factory.mktemp("patch")
    before, after = one.replace("\n", ending).encode(), other.encode()
    assume(before and after)
    (folder / "a b.py").write_bytes(before)
    patch = unified_diff(Mended("a b.py", before, after, "utf-8"))
    if before == after:
        assert patch == ""
        return
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"],
        cwd=folder,
        input=patch.encode(),
        capture_output=True,
    )
    assert done.returncode == 0, (done.stderr, patch)
    assert (folder / "a b.py").read_bytes() == after


def test_a_patch_to_read() -> None:
    lines = [f"line{number} = {number}" for number in range(1, 12)]
    done = mended("\n".join(lines).encode(), fix(((5, 9, 5, 10), "50")))
    assert unified_diff(done) == (
        "--- a/a.py\n+++ b/a.py\n@@ -2,7 +2,7 @@\n line2 = 2\n line3 = 3\n line4 = 4\n"
        "-line5 = 5\n+line5 = 50\n line6 = 6\n line7 = 7\n line8 = 8\n"
    )


# --- writing -----------------------------------------------------------------------------------


def test_writing_keeps_the_mode_and_the_link(tmp_path: Path) -> None:
    file, link = tmp_path / "real.py", tmp_path / "link.py"
    file.write_bytes(b"a = 1\n")
    file.chmod(0o751)
    link.symlink_to(file)
    done = mended(b"a = 1\n", fix(((1, 5, 1, 6), "2")))
    write(link, done)
    assert link.is_symlink()
    assert file.read_bytes() == b"a = 2\n"
    assert file.stat().st_mode & 0o7777 == 0o751
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.py", "real.py"]


def test_a_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"a = 3\n")
    with pytest.raises(FileFailed, match="changed meanwhile"):
        write(file, mended(b"a = 1\n", fix(((1, 5, 1, 6), "2"))))
    assert file.read_bytes() == b"a = 3\n"
    assert [*tmp_path.iterdir()] == [file]


def test_a_file_that_is_gone_is_an_error_not_a_new_file(tmp_path: Path) -> None:
    with pytest.raises(FileFailed):
        write(tmp_path / "a.py", mended(b"a = 1\n", fix(((1, 5, 1, 6), "2"))))
    assert [*tmp_path.iterdir()] == []
