"""Text out of real files, and out of PDFs that are made to harm their reader."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from busctl.adapters.file_reading import RootedFiles
from busctl.adapters.text_extraction import LocalExtractor
from busctl.core.errors import FileRefused
from busctl.core.files.manifest import Reason
from busctl.ports import Extracted
from tests import pdfs

MB = 1_000_000


async def extracted(folder: Path, content: bytes, **bounds: int) -> Extracted:
    path = folder / "file.pdf"
    path.write_bytes(content)
    file = RootedFiles([str(folder)], 100 * MB).read(str(path), keep=True)
    with file.content:
        extractor = LocalExtractor(**bounds)
        return await (extractor.pdf if content.startswith(b"%PDF") else extractor.text)(file)


async def refused(folder: Path, content: bytes, **bounds: int) -> FileRefused:
    with pytest.raises(FileRefused) as caught:
        await extracted(folder, content, **bounds)
    assert caught.value.remedy
    return caught.value


async def test_the_pages_of_a_pdf_in_their_order(tmp_path: Path) -> None:
    content = pdfs.pdf([[f"page {page} line {line}" for line in range(40)] for page in range(30)])
    found = await extracted(tmp_path, content)
    lines = [line.strip() for line in found.text.splitlines() if line.strip()]
    assert lines == [f"page {page} line {line}" for page in range(30) for line in range(40)]
    assert found.by == "pypdf"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pdfs.encrypted(), Reason.ENCRYPTED),
        (pdfs.pdf([[]]), Reason.NO_TEXT),
        (b"%PDF-1.7\nnothing of the kind", Reason.EXTRACTION),
        (pdfs.pdf([["text"] * 40] * 5)[:900], Reason.EXTRACTION),
        (b"%PDF-1.7\n" + b"[" * 200_000, Reason.EXTRACTION),
    ],
    ids=["encrypted", "without text", "no PDF", "cut off", "nested deep"],
)
async def test_what_gives_no_text_is_refused_by_its_reason(
    tmp_path: Path, content: bytes, reason: Reason
) -> None:
    assert (await refused(tmp_path, content)).reason == reason


async def test_a_page_tree_that_holds_itself_ends(tmp_path: Path) -> None:
    assert (await refused(tmp_path, pdfs.circular(), cpu_secs=5)).reason in (
        Reason.EXTRACTION, Reason.NO_TEXT,
    )  # fmt: skip


async def test_a_bomb_ends_at_the_bound_of_memory(tmp_path: Path) -> None:
    content = pdfs.bomb(400 * MB)
    assert len(content) < MB
    error = await refused(tmp_path, content, memory_bytes=256 << 20)
    assert error.reason in (Reason.EXTRACTION, Reason.NO_TEXT)


async def test_endless_work_ends_at_the_bound_of_time(tmp_path: Path) -> None:
    error = await refused(tmp_path, pdfs.busy(400_000), cpu_secs=1)
    assert error.reason == Reason.EXTRACTION
    assert "time" in error.message


async def test_more_text_than_is_allowed_is_refused_and_not_cut(tmp_path: Path) -> None:
    content = pdfs.pdf([["word " * 15] * 40] * 20)
    error = await refused(tmp_path, content, text_bytes=10_000)
    assert error.reason == Reason.TOO_LARGE


async def test_a_cancelled_extraction_leaves_no_process(tmp_path: Path) -> None:
    task = asyncio.create_task(extracted(tmp_path, pdfs.busy(400_000)))
    deadline = time.monotonic() + 30
    while not (running := children()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not set(running) & set(children())


async def test_the_child_knows_nothing_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", "sk-secret-0123456789")
    task = asyncio.create_task(extracted(tmp_path, pdfs.busy(400_000), cpu_secs=2))
    while not (running := children()):
        await asyncio.sleep(0.01)
    environ = Path(f"/proc/{running[0]}/environ").read_bytes()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert b"secret" not in environ


def children() -> list[int]:
    """Processes of ours that read a PDF."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # ended meanwhile
            if parent == str(os.getpid()) and b"pdf_child.py" in command:
                found.append(int(entry.name))
    return found


TEXT = "Größe und Wert – ein längerer deutscher Text, der genug zu raten gibt: schöne Grüße. " * 20
CHINESE = "这是一个用于测试的中文文本文件，其中包含足够多的汉字，以便能够识别其编码方式。" * 20


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (TEXT, "utf-8"), (CHINESE, "utf-8"), (TEXT, "utf-8-sig"), (CHINESE, "utf-16"),
        (TEXT, "utf-32"), (CHINESE, "gb18030"), (TEXT, "cp1252"),
    ],
)  # fmt: skip
async def test_text_in_its_encoding(tmp_path: Path, text: str, encoding: str) -> None:
    assert (await extracted(tmp_path, text.encode(encoding))).text == text


async def test_the_detection_is_loaded_only_where_it_is_needed(tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.startswith("charset_normalizer")]:
        del sys.modules[name]
    await extracted(tmp_path, TEXT.encode())
    assert "charset_normalizer" not in sys.modules
