"""Which paths may be named, what a file is by its bytes, and how it becomes text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.adapters.provider_profiles import load_profiles
from busctl.core.errors import FileRefused
from busctl.core.files.kind import FileKind, decoded, kind_of
from busctl.core.files.manifest import Done, Entry, Reason, manifest_json, refused
from busctl.core.files.paths import below, checked_path
from busctl.core.files.plan import FileTerms, Way, missing, plan_file, tokens_of

KIMI = FileTerms("kimi", "file-extract", 100_000_000, frozenset({"pdf", "docx", "png"}))
PROFILES = {one.name: one for one in load_profiles()}
ZAI, GLM = FileTerms.of(PROFILES["zai"]), FileTerms.of(PROFILES["glm"])
ROOM = 100_000


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", Reason.BAD_PATH), (7, Reason.BAD_PATH), ("/a\0b", Reason.BAD_PATH),
        ("/a\udcff", Reason.BAD_PATH), ("/" + "x" * 5000, Reason.BAD_PATH),
        ("file:///etc/passwd", Reason.BAD_PATH), ("https://host/a", Reason.BAD_PATH),
        ("a/b", Reason.NOT_ABSOLUTE), ("~/a", Reason.NOT_ABSOLUTE), ("./a", Reason.NOT_ABSOLUTE),
        ("/a/../b", Reason.PARENT), ("/..", Reason.PARENT),
        ("C:\\Users\\me\\a.txt", Reason.WINDOWS_PATH), ("d:/a", Reason.WINDOWS_PATH),
        ("\\\\server\\share\\a", Reason.WINDOWS_PATH), ("\\\\?\\C:\\a", Reason.WINDOWS_PATH),
        ("C:", Reason.WINDOWS_PATH),
    ],
)  # fmt: skip
def test_paths_that_cannot_be_taken(path: object, reason: Reason) -> None:
    with pytest.raises(FileRefused) as caught:
        checked_path(path)
    assert caught.value.reason == reason
    assert caught.value.remedy


@pytest.mark.parametrize("path", ["/a", "/a/b c.txt", "/a/..b/c..", "/ä/中.pdf", "/a//b/./c"])
def test_paths_that_can(path: str) -> None:
    assert checked_path(path) == path


@given(st.text())
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        taken = checked_path(text)
    except FileRefused as error:
        taken = f"/{error.message.encode()!r}"  # it can be sent
    assert taken.startswith("/")


def test_the_innermost_root_holds_a_path() -> None:
    roots = ["/a", "/a/b", "/c"]
    assert below("/a/b/file", roots) == "/a/b"
    assert below("/a/bc/file", roots) == "/a"
    assert below("/ab/file", roots) is None
    assert below("/a/b", ["/a/b"]) is None


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7\n", FileKind.PDF), (b"\n\n%PDF-1.4", FileKind.PDF),
        (b"plain text\n", FileKind.TEXT), ("中文".encode("gb18030"), FileKind.TEXT),
        ("text".encode("utf-16"), FileKind.TEXT), (b"", FileKind.TEXT),
        (b"\x89PNG\r\n\x1a\n", FileKind.IMAGE), (b"\xff\xd8\xff\xe0", FileKind.IMAGE),
        (b"PK\x03\x04....[Content_Types].xml", FileKind.OFFICE),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind.OFFICE),
        (b"PK\x03\x04....a.txt", FileKind.ARCHIVE), (b"\x1f\x8b\x08", FileKind.ARCHIVE),
        (b"\x7fELF\x02\x01", FileKind.BINARY), (b"text\0text", FileKind.BINARY),
    ],
)  # fmt: skip
def test_a_file_is_what_its_bytes_say(head: bytes, kind: FileKind) -> None:
    assert kind_of(head) is kind


@given(st.text())
def test_utf8_is_decoded_as_it_was(text: str) -> None:
    marked = text.startswith("\ufeff")
    assert decoded(text.encode()) == (text[marked:], "utf-8-sig" if marked else "utf-8")


@pytest.mark.parametrize(
    ("kind", "size", "suffix", "terms", "way", "reason"),
    [
        (FileKind.TEXT, 10, "txt", KIMI, Way.INLINE, None),
        (FileKind.TEXT, 10, "pdf", KIMI, Way.INLINE, None),  # its name lies
        (FileKind.TEXT, 0, "txt", KIMI, Way.REFUSE, Reason.EMPTY),
        (FileKind.TEXT, 900_000, "txt", KIMI, Way.REFUSE, Reason.CONTEXT),
        (FileKind.PDF, 5_000_000, "pdf", KIMI, Way.UPLOAD, None),
        (FileKind.PDF, 5_000_000, "PDF", KIMI, Way.UPLOAD, None),
        (FileKind.PDF, 200_000_000, "pdf", KIMI, Way.LOCAL, None),
        (FileKind.PDF, 5_000_000, "pdf", ZAI, Way.LOCAL, None),
        (FileKind.OFFICE, 5_000, "docx", KIMI, Way.UPLOAD, None),
        (FileKind.OFFICE, 5_000, "docx", ZAI, Way.REFUSE, Reason.KIND),
        (FileKind.OFFICE, 200_000_000, "docx", KIMI, Way.REFUSE, Reason.PROVIDER),
        (FileKind.IMAGE, 5_000, "png", KIMI, Way.UPLOAD, None),
        (FileKind.IMAGE, 5_000_001, "png", GLM, Way.REFUSE, Reason.PROVIDER),
        (FileKind.PDF, 50_000_001, "pdf", GLM, Way.LOCAL, None),
        (FileKind.IMAGE, 5_000, "tiff", KIMI, Way.REFUSE, Reason.KIND),
        (FileKind.BINARY, 5_000, "exe", KIMI, Way.REFUSE, Reason.KIND),
        (FileKind.BINARY, 5_000, "txt", KIMI, Way.REFUSE, Reason.KIND),  # its name lies
    ],
)
def test_the_way_a_file_takes(
    kind: FileKind, size: int, suffix: str, terms: FileTerms, way: Way, reason: Reason | None
) -> None:
    plan = plan_file(kind, size, suffix, terms, ROOM)
    assert (plan.way, plan.reason) == (way, reason)
    assert (plan.way is Way.REFUSE) == bool(plan.why and plan.remedy)


@given(
    st.sampled_from(FileKind), st.integers(0, 10**10), st.text(), st.sampled_from([KIMI, ZAI]),
    st.integers(0, 10**7),
)  # fmt: skip
def test_a_refusal_always_has_its_reason(
    kind: FileKind, size: int, suffix: str, terms: FileTerms, room: int
) -> None:
    plan = plan_file(kind, size, suffix, terms, room)
    assert (plan.way is Way.REFUSE) == (plan.reason is not None)


def test_tokens_are_estimated_rather_too_many() -> None:
    assert 1000 <= tokens_of("word " * 1000) <= 2000
    assert 1000 <= tokens_of("中" * 1000) <= 1100


@pytest.mark.parametrize(
    ("given", "here", "told"),
    [
        ("word " * 300, "wo rd\n" * 300, None),
        ("word " * 150, "word " * 300, "600 of about 1,200 letters"),
        ("", "word " * 100, None),  # too little to tell
    ],
)
def test_a_text_that_misses_much_is_noticed(given: str, here: str, told: str | None) -> None:
    assert missing(given, here) == told


def test_a_path_that_metadata_cannot_hold_has_its_line_all_the_same() -> None:
    entry = refused("/r/nul\0\ud800x", Reason.BAD_PATH, "no path")
    assert (entry.name, entry.path) == ("nul\ufffd?x", "/r/nul\ufffd?x")


def test_the_shape_of_a_manifest() -> None:
    entries = [
        Entry("a.txt", "/r/a.txt", Done.INLINED, 3, "ab"),
        refused("/r/b", Reason.MISSING, "there is none"),
    ]
    assert manifest_json(entries) == [
        {"name": "a.txt", "path": "/r/a.txt", "done": "inlined", "size": 3, "sha256": "ab"},
        {"name": "b", "path": "/r/b", "done": "refused", "reason": "missing",
         "why": "there is none"},
    ]  # fmt: skip
    assert "skipped" not in {done.value for done in Done}
