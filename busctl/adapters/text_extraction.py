"""Text out of files, on this machine: by its encoding, or from a PDF with pypdf.

pypdf is Python through and through: a hostile file can cost it time and memory, which the child's
bounds end, but not take over the process, as faults of C and C++ parsers have been used to.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

from busctl.adapters import child, pdf_child
from busctl.core.errors import FileRefused
from busctl.core.files.kind import decoded
from busctl.core.files.manifest import Reason
from busctl.core.files.paths import refusal
from busctl.ports import Extracted, ReadFile

CPU_SECS = 60
MEMORY_BYTES = 1 << 30
"""Address space of the child, of which Python and pypdf take about a sixth."""
TEXT_BYTES = 32 << 20
"""Most text taken of one PDF: far over what any model has room for."""
AT_A_TIME = 2
PDF = "pypdf"

_ENDED = {
    pdf_child.NO_PDF: (Reason.EXTRACTION, "its content is damaged, or no PDF after all",
                       "Repair it, or save it as text."),
    pdf_child.ENCRYPTED: (Reason.ENCRYPTED, "it is encrypted", "Save it without a password."),
    pdf_child.NO_MEMORY: (Reason.EXTRACTION, "it takes more memory to read than is allowed",
                          "Split it, or save it as text."),
}  # fmt: skip


class LocalExtractor:
    """Implements `busctl.ports.Extractor`. The bounds are those of one PDF: seconds of CPU and
    twice as many of time, bytes of memory and of text."""

    def __init__(
        self, *, cpu_secs: int = CPU_SECS, memory_bytes: int = MEMORY_BYTES,
        text_bytes: int = TEXT_BYTES,
    ) -> None:  # fmt: skip
        self._cpu_secs = cpu_secs
        self._memory_bytes = memory_bytes
        self._text_bytes = text_bytes
        self._turn = asyncio.Semaphore(AT_A_TIME)

    async def text(self, file: ReadFile) -> Extracted:
        return await asyncio.to_thread(_decoded, file)

    async def pdf(self, file: ReadFile) -> Extracted:
        async with self._turn:
            process = await self._started(file)
            try:
                async with asyncio.timeout(self._cpu_secs * 2):
                    heard = await self._heard(process, file)
                    code = await process.wait()
            except TimeoutError:
                raise _late(file) from None
            finally:
                await child.end(process)
        if code < 0:  # by a signal: over its CPU time
            raise _late(file)
        if code:
            reason, why, remedy = _ENDED.get(code, _ENDED[pdf_child.NO_PDF])
            raise _refused(file, reason, why, remedy)
        if not (text := heard.decode()).strip():
            raise _refused(
                file, Reason.NO_TEXT, "there is no text in it (a scan has pictures of text only)",
                "Have its text recognised first, or name it to a provider that does.",
            )  # fmt: skip
        return Extracted(text, PDF)

    async def _started(self, file: ReadFile) -> Process:
        file.content.seek(0)
        # Nothing of our environment: it holds keys.
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(Path(pdf_child.__file__)), str(self._cpu_secs),
            str(self._memory_bytes), stdin=file.content.fileno(), stdout=PIPE, stderr=DEVNULL,
            cwd="/", env=kept, start_new_session=True,
        )  # fmt: skip

    async def _heard(self, process: Process, file: ReadFile) -> bytes:
        assert process.stdout is not None  # noqa: S101  # a PIPE
        heard = bytearray()
        while piece := await process.stdout.read(1 << 16):
            heard += piece
            if len(heard) > self._text_bytes:
                raise _refused(
                    file, Reason.TOO_LARGE, f"it holds over {self._text_bytes:,} bytes of text",
                    "Split it.",
                )  # fmt: skip
        return bytes(heard)


def _late(file: ReadFile) -> FileRefused:
    return _refused(
        file, Reason.EXTRACTION, "it takes more time to read than is allowed",
        "Split it, or save it as text.",
    )  # fmt: skip


def _decoded(file: ReadFile) -> Extracted:
    """Unicode where it is certain, else the likeliest of the older encodings."""
    file.content.seek(0)
    content = file.content.read()
    try:
        return Extracted(*decoded(content))
    except UnicodeDecodeError as error:
        return _guessed(file, content, error)


def _guessed(file: ReadFile, content: bytes, error: UnicodeDecodeError) -> Extracted:
    from charset_normalizer import from_bytes  # only where it is needed

    best = from_bytes(content).best()
    if best is None:
        raise _refused(
            file, Reason.KIND, "it is in no encoding that is known", "Save it as UTF-8."
        ) from error
    return Extracted(str(best), best.encoding)


def _refused(file: ReadFile, reason: Reason, why: str, remedy: str) -> FileRefused:
    return refusal(f"The file {file.asked!r} is not used: {why}.", reason, remedy)
