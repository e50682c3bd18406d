"""Tools that come with busctl, and what one writes tools with: ToolSet, Progress, Answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from pydantic import Field

from busctl.core import samples
from busctl.core.tools.toolset import Progress, ToolSet
from busctl.ports import Answer

__all__ = ["Answer", "Progress", "ToolSet", "demo"]

WHOLE_BYTES = 16 << 20
"""`generate` makes answers up to 16 MiB in one piece, larger ones as a stream."""

demo = ToolSet()
"""The demonstration tools, installed as the entry point `demo` of `busctl.tools`."""


@demo.tool
def echo(text: str) -> str:
    """Answer with the same text.

    Args:
        text: What to answer with.
    """
    return text


@demo.tool
async def generate(
    size_bytes: Annotated[int, Field(ge=0, le=10_000_000_000)],
    kind: samples.Kind = "json",
    seed: int = 0,
) -> Answer:
    """Answer with exactly size_bytes bytes, the same ones for the same arguments.

    Args:
        size_bytes: Size of the answer in bytes.
        kind: What the bytes are: tool-like JSON, text, random or zero bytes, or what breaks things.
        seed: Another seed gives other bytes.
    """
    content_type = samples.CONTENT_TYPES[kind]
    if size_bytes <= WHOLE_BYTES:
        payload = await asyncio.to_thread(samples.sample, kind, size_bytes, seed)
        return Answer(payload, None, content_type)
    return Answer(None, _pieces(kind, size_bytes, seed), content_type)


async def _pieces(kind: samples.Kind, size: int, seed: int) -> AsyncIterator[bytes]:
    made = samples.pieces(kind, size, seed)
    while piece := await asyncio.to_thread(next, made, b""):
        yield piece
