"""Tools that the daemon's tests call."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic import FilePath

from busctl.core.mcp.result import payload_of
from busctl.tools import Answer, Progress, ToolSet

tools = ToolSet()


@tools.tool
def text(value: str) -> str:
    return value


@tools.tool
def blob(size_bytes: int) -> bytes:
    return bytes(index % 251 for index in range(size_bytes))


@tools.tool
def letters(count: int) -> str:
    return "é" * count


@tools.tool
def structured() -> dict[str, object]:
    return {"b": 1, "a": [None, True, "\x00"]}


@tools.tool
async def stream(pieces: int, piece_bytes: int) -> AsyncIterator[bytes]:
    for index in range(pieces):
        await asyncio.sleep(0)
        yield bytes([index % 256]) * piece_bytes


@tools.tool
def fail(words: str) -> str:
    raise ValueError(words)


@tools.tool
def refuse(words: str, times: int = 1) -> Answer:
    """An answer that the tool itself calls an error."""
    return Answer((words * times).encode(), None, "text/plain; charset=utf-8", is_error=True)


@tools.tool
def blocks(is_error: bool = False) -> Answer:
    """A result of the Model Context Protocol: a text and an image."""
    image = {"type": "image", "data": "iVBORw0K", "mimeType": "image/png"}
    kept = payload_of({"content": [{"type": "text", "text": "seen"}, image], "isError": is_error})
    return Answer(kept.body, None, kept.content_type, is_error=kept.is_error)


@tools.tool
async def wait_for(path: str, note: Progress, marker: str = "") -> str:
    """Write a line to `marker`, then wait until the file at `path` is there."""
    if marker:
        with Path(marker).open("a") as out:
            out.write("ran\n")
    note("waiting for the file")
    while not Path(path).exists():
        await asyncio.sleep(0.02)
    return Path(path).read_text()


@tools.tool
def hang(seconds: float) -> str:
    time.sleep(seconds)
    return "woke up"


@tools.tool(timeout_secs=0.3)
async def short(seconds: float) -> str:
    """One that may take a moment only."""
    await asyncio.sleep(seconds)
    return "in time"


@tools.tool(timeout_secs=0.3)
async def dripping() -> AsyncIterator[str]:
    """A stream that is too slow."""
    while True:
        yield "drop"
        await asyncio.sleep(0.05)


@tools.tool(concurrency=1)
async def alone(path: str) -> str:
    """One at a time."""
    while not Path(path).exists():
        await asyncio.sleep(0.02)
    return "alone"


@tools.tool(inline_max_bytes=10, name="brief")
def letters_told(count: int) -> str:
    """Answers of ten bytes travel whole."""
    return "x" * count


@tools.tool
def surrogate_note(note: Progress) -> str:
    note("half \ud800 a pair")
    time.sleep(1.0)
    return "done"


@tools.tool
def loud() -> str:
    """A tool that prints, as tools should not."""
    print("printed", flush=True)
    return "said"


@tools.tool
def sha256_of(path: FilePath) -> str:
    """The digest of a file that the daemon lets tools read."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
