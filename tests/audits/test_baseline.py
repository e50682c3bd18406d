"""The baseline: stable on disk, strict when read, and a comparison that forgets nothing unseen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.audit import Finding
from busctl.audit.baseline import BaselineError, Known, read, split, updated, write, written
from busctl.core.errors import FileFailed
from tests.audits.outcomes import finding, findings_of

FOUND = (finding("b.py"), finding("a.py", 9), finding("a.py", 2, code="XX002"))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "audit.json"
    write(file, FOUND)
    assert {one.fingerprint for one in read(file)} == {one.fingerprint for one in FOUND}
    assert split(FOUND, read(file)) == ((), FOUND, ())


def test_it_is_sorted_with_one_finding_a_line() -> None:
    text = written(FOUND)
    assert text == written(reversed(FOUND)) == written([*FOUND, *FOUND])
    lines = text.splitlines()
    assert len(lines) == len(FOUND) + 5
    assert [json.loads(line.strip().rstrip(","))["path"] for line in lines[3:6]] == [
        "a.py", "a.py", "b.py",
    ]  # fmt: skip
    assert "returns" not in text
    assert json.loads(text)["busctl-audit-baseline"] == 1


def test_a_new_finding_adds_a_line() -> None:
    before, after = (written(some).splitlines() for some in (FOUND, [*FOUND, finding("a.py", 5)]))
    assert len(after) == len(before) + 1
    assert set(before) <= set(after)


def test_a_moved_line_is_still_known(tmp_path: Path) -> None:
    file = tmp_path / "audit.json"
    write(file, FOUND)
    moved = [
        replace(one, span=replace(one.span, line=90, end_line=91), message="new") for one in FOUND
    ]
    assert split(moved, read(file)).new == ()


def test_new_known_and_gone() -> None:
    before = [Known(one.path, one.code, one.fingerprint) for one in FOUND]
    more = finding("c.py")
    new, known, gone = split([FOUND[0], more], before)
    assert new == (more,)
    assert known == (FOUND[0],)
    assert [one.path for one in gone] == ["a.py", "a.py"]


def test_what_was_not_looked_at_is_neither_gone_nor_forgotten() -> None:
    before = [Known(one.path, one.code, one.fingerprint) for one in FOUND]
    assert split([], before, lambda one: one.path == "b.py").gone == (before[0],)
    kept = updated([finding("c.py")], before, lambda one: one.path == "b.py")
    assert [one.path for one in kept] == ["a.py", "a.py", "c.py"]


def test_an_empty_baseline_is_one(tmp_path: Path) -> None:
    write(tmp_path / "audit.json", [])
    assert read(tmp_path / "audit.json") == ()


@given(st.lists(findings_of(), max_size=5))
def test_any_findings_can_be_kept(
    tmp_path_factory: pytest.TempPathFactory, found: list[Finding]
) -> None:
    file = tmp_path_factory.mktemp("kept") / "audit.json"
    write(file, found)
    assert split(found, read(file)).new == ()


# --- errors ------------------------------------------------------------------------------------

ONE = {"fingerprint": "0" * 16, "code": "XX001", "path": "a.py"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is not JSON"), ("{", "it is not JSON"), ("\ufffe", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"), ("[]", "it has no"), ('{"version": 1}', "it has no"),
        ('{"busctl-audit-baseline": 2, "findings": []}', "of version 2"),
        ('{"busctl-audit-baseline": true, "findings": []}', "of version True"),
        ('{"busctl-audit-baseline": 1}', "are no list"),
        ('{"busctl-audit-baseline": 1, "findings": [1]}', "its finding 1 has no"),
        (
            json.dumps({"busctl-audit-baseline": 1, "findings": [ONE, {**ONE, "code": 1}]}),
            "its finding 2 has no",
        ),
        (
            json.dumps({"busctl-audit-baseline": 1, "findings": [{**ONE, "fingerprint": "x"}]}),
            "its finding 1 has no",
        ),
    ],
)  # fmt: skip
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "audit.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BaselineError, match=said) as caught:
        read(file)
    assert str(file) in caught.value.message
    assert caught.value.remedy
    assert caught.value.exit_code == 2


@given(st.binary(max_size=200))
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.mktemp("bytes") / "audit.json"
    file.write_bytes(data)
    with pytest.raises(BaselineError):
        read(file)


def test_a_missing_baseline_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="--update-baseline"):
        read(tmp_path / "none.json")


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileFailed, match="could not be written"):
        write(tmp_path / "none" / "audit.json", FOUND)
