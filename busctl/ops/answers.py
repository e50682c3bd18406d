"""What a tool returned, made into bytes: once, here. From here on nothing looks inside."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import itertools
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from busctl.core.content_type import BYTES, JSON, TEXT
from busctl.core.errors import ToolFailed
from busctl.ports import Answer

BATCH_BYTES = 1 << 20
"""How much of a generator one step in a thread collects."""
SMALL = 64 * 1024
"""Text up to this many characters is encoded on the spot."""

Result = TypeVar("Result")


def failed(tool: str, error: BaseException) -> ToolFailed:
    """The named error for what a tool raised: type and text, no traceback."""
    if isinstance(error, ToolFailed):
        return error
    text = str(error).encode("utf-8", "backslashreplace").decode()
    kind = type(error).__name__
    return ToolFailed(f"The tool {tool!r} failed: {kind}: {text}" if text else
                      f"The tool {tool!r} failed: {kind}.")  # fmt: skip


async def in_thread(tool: str, work: Callable[[], Result]) -> Result:
    """Run a tool's work in a thread of its own; whatever it raises is ToolFailed.

    A thread of a pool would be waited for when the process ends; a tool that hangs must not hold
    the daemon's stop, and must not take the place of others either.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Result | None, error: ToolFailed | None) -> None:
        if future.done():  # given up in the meantime
            return
        if error is None:
            future.set_result(value)  # type: ignore[arg-type]  # no error: it is the result
        else:
            future.set_exception(error)

    def run() -> None:
        value, error = None, None
        try:
            value = context.run(work)
        except (Exception, SystemExit, KeyboardInterrupt) as raised:  # noqa: BLE001  # goes to settle
            error = failed(tool, raised)
            error.__cause__ = raised
        # RuntimeError: the loop ended while the tool ran, so nobody waits for this any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, name=f"tool {tool}", daemon=True).start()
    return await future


async def answer_of(tool: str, result: object) -> Answer:
    """The bytes of what a tool returned.

    str is UTF-8 text, bytes are bytes, None and other JSON values are JSON (no spaces, keys in
    their order); generators are streams of str or of bytes; an Answer is taken as it is. Raises
    ToolFailed for anything that has no bytes.
    """
    match result:
        case Answer(payload=None):
            return replace(result, pieces=_guarded(tool, result.pieces))
        case Answer():
            return result
        case bytes():
            return Answer(result, None, BYTES)
        case bytearray() | memoryview():
            return Answer(bytes(result), None, BYTES)
        case str() if len(result) <= SMALL:
            return Answer(encode_text(tool, result), None, TEXT)
        case str():
            return Answer(await in_thread(tool, lambda: encode_text(tool, result)), None, TEXT)
        case AsyncIterator():
            return await _stream(tool, result)
        case Generator():
            return await _stream(tool, _stepped(tool, result))
        case _:
            return Answer(await in_thread(tool, lambda: encode_json(tool, result)), None, JSON)


def encode_text(tool: str, text: str) -> bytes:
    """UTF-8. Raises ToolFailed at a lone surrogate, which UTF-8 does not have."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolFailed(
            f"The tool {tool!r} returned text with a lone surrogate (U+{ord(text[error.start]):04X}"
            f" at character {error.start}), which has no UTF-8.",
            remedy="Return bytes, or a JSON value, in which it is escaped.",
        ) from error


def encode_json(tool: str, value: object) -> bytes:
    """Compact JSON in UTF-8; a lone surrogate is escaped as JSON does (\\udXXX)."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolFailed(
            f"The tool {tool!r} returned a {type(value).__name__} that is not JSON: {error}.",
            remedy="Return str, bytes, None or values that JSON has; it has no NaN.",
        ) from error
    # Only strings hold surrogates, and there the replacement is JSON's own escape.
    return text.encode("utf-8", "backslashreplace")


async def _stream(tool: str, source: AsyncIterator[Any]) -> Answer:
    """An answer in pieces; the first piece is awaited here, because it tells the type."""
    with _naming(tool):
        first = await anext(source, None)
    if first is None:
        return Answer(b"", None, BYTES)
    content_type = TEXT if isinstance(first, str) else BYTES
    return Answer(None, _pieces(tool, first, source), content_type)


async def _pieces(tool: str, first: object, source: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    wanted = str if isinstance(first, str) else bytes
    async with contextlib.aclosing(_guarded(tool, source)) as rest:
        yield _piece(tool, first, wanted)
        async for each in rest:
            yield _piece(tool, each, wanted)


def _piece(tool: str, piece: object, wanted: type) -> bytes:
    if isinstance(piece, str) and wanted is str:
        return encode_text(tool, piece)
    if isinstance(piece, bytes | bytearray | memoryview) and wanted is bytes:
        return bytes(piece)
    raise ToolFailed(
        f"The tool {tool!r} yielded a {type(piece).__name__} in a stream of {wanted.__name__}.",
        remedy="Yield str only or bytes only, or return one JSON value.",
    )


async def _guarded(tool: str, source: AsyncIterator[Any] | None) -> Any:
    """The same items; what the tool raises is ToolFailed, and it is closed at the end."""
    assert source is not None  # noqa: S101  # an Answer without a payload has pieces
    try:
        with _naming(tool):
            async for item in source:
                yield item
    finally:
        close: Callable[[], Awaitable[None]] | None = getattr(source, "aclose", None)
        if close is not None:
            await close()


@contextlib.contextmanager
def _naming(tool: str) -> Any:
    try:
        yield
    except (Exception, SystemExit) as error:
        raise failed(tool, error) from error


async def _stepped(tool: str, source: Generator[Any, Any, Any]) -> AsyncIterator[Any]:
    """A plain generator, advanced in a thread, about 1 MiB of pieces a step."""
    try:
        while batch := await in_thread(tool, lambda: _batch(source)):
            for piece in batch:
                yield piece
    finally:
        if inspect.getgeneratorstate(source) != inspect.GEN_RUNNING:
            source.close()


def _batch(source: Iterable[Any]) -> list[Any]:
    pieces: list[Any] = []
    size = 0
    for piece in itertools.islice(source, 10_000):
        pieces.append(piece)
        size += len(piece) if hasattr(piece, "__len__") else 0
        if size >= BATCH_BYTES:
            break
    return pieces
