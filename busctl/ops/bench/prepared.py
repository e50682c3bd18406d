"""The tool that bench's daemon offers: bytes made once, so that calls measure their carrying."""

from __future__ import annotations

from functools import lru_cache

from busctl.core import samples
from busctl.ports import Answer

SPEC = f"{__name__}:prepared"
TOOL = "prepared"
SEED = 1


@lru_cache(maxsize=1)
def _payload(kind: samples.Kind, size_bytes: int) -> bytes:
    return samples.sample(kind, size_bytes, SEED)


async def prepared(size_bytes: int, kind: samples.Kind) -> Answer:
    """Answer with the bytes that were made at the first call with these arguments."""
    return Answer(_payload(kind, size_bytes), None, samples.CONTENT_TYPES[kind])
