"""`busctl get`: redeem a transaction id; the bytes go to standard output or into a file."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.connect import Bus
    from busctl.core.configuration.settings import Settings
    from busctl.ops.bus import Opened

Span = tuple[int, int | None]
"""Offset and length in bytes; a negative offset counts from the end, length None is to the end."""
Lines = tuple[int, int | None]
"""The first line and the last, counted from 1; None is to the end."""


def get(
    transaction_id: options.Id,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write FILE, whole or not at all; - is stdout."
        ),
    ] = None,
    byte_range: Annotated[
        str | None,
        typer.Option(
            "--range", "-r", metavar="A-B", help="Bytes A to B included: 0-99, 100-, -50 (last 50)."
        ),
    ] = None,
    offset: Annotated[int | None, typer.Option(min=0, help="First byte, from 0.")] = None,
    length: Annotated[int | None, typer.Option(min=0, help="How many bytes at most.")] = None,
    lines: Annotated[
        str | None,
        typer.Option(
            "--lines", "-l", metavar="A:B", help="Lines A to B included: 1:20, 100:, :50."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write binary bytes to a terminal all the same.")
    ] = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Redeem a transaction id: the payload, verified, to standard output or into a file.

    The payload's SHA-256 is checked before its last bytes are given; a part of it is checked by
    the digests of its chunks. If anything is wrong the exit code is 1, the error names the chunk
    and its bytes, and no FILE is left or changed. An existing FILE is replaced. With -o, --json
    prints transaction_id, size, checksum (SHA-256 of the whole payload), path and verified, and
    incomplete where its producer says that it is not whole; that is told on stderr, too. An
    answer that waits in this host's spool is read from there. For --lines what lies before them is
    read, too; `busctl search` tells in which line something is.

    \b
    Examples:
      busctl get 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f | jq .
      busctl get "$ID" -o answer.json
      busctl get "$ID" --range 0-99
      busctl get "$ID" --lines 100:120
    """
    from busctl.cli.running import emit_json, run, settings_for
    from busctl.cli.targets import check_target
    from busctl.core.errors import ConfigurationError
    from busctl.core.ids import parse_id

    span = _span(byte_range, offset, length)
    wanted_lines = _lines(lines, span)
    output = None if output == Path("-") else output
    if as_json and output is None:
        raise ConfigurationError(
            "--json needs -o FILE: standard output carries the payload.",
            remedy="`busctl show ID --json` prints the envelope.",
        )
    wanted = parse_id(transaction_id)
    settings = settings_for(env_file, sets)
    if output is None:
        run(_print(settings, wanted, span, wanted_lines, force=force))
        return
    check_target(output)
    opened, size = run(_save(settings, wanted, span, wanted_lines, output))
    _tell_incomplete(opened)
    if as_json:
        incomplete = opened.claim.incomplete
        emit_json({
            "transaction_id": str(wanted), "size": size,
            "checksum": opened.claim.checksum, "path": str(output),
            "verified": settings.checksum_enabled,
            **({"incomplete": incomplete} if incomplete else {}),
        })  # fmt: skip


async def _save(
    settings: Settings, wanted: UUID, span: Span, lines: Lines | None, output: Path
) -> tuple[Opened, int]:
    import asyncio

    from busctl.cli.progress import Bar
    from busctl.connect import Bus, waits_here
    from busctl.ops.replacing import replacing

    async with Bus.connect(settings, lazily=waits_here(settings, wanted)) as bus:
        opened = await _opened(bus, wanted, span)
        bar = Bar(str(wanted), opened.stop - opened.start)
        size = 0
        with bar, _writing(wanted, str(output)), replacing(output) as out:
            async for piece in _within(opened, wanted, lines):
                await asyncio.to_thread(out.write, piece)
                bar.add(len(piece))
                size += len(piece)
    return opened, size


async def _print(
    settings: Settings, wanted: UUID, span: Span, lines: Lines | None, *, force: bool
) -> None:
    import asyncio
    import sys

    from busctl.cli.progress import Bar
    from busctl.cli.streams import standard_output
    from busctl.connect import Bus, waits_here

    terminal = sys.stdout.isatty()
    async with Bus.connect(settings, lazily=waits_here(settings, wanted)) as bus:
        opened = await _opened(bus, wanted, span)
        total = opened.stop - opened.start
        bar = Bar(str(wanted), total, wanted=not terminal)
        with bar, _writing(wanted, "standard output"), standard_output() as out:
            async for piece in _within(opened, wanted, lines):
                if terminal and not force:
                    _refuse_binary(piece)
                await asyncio.to_thread(out.write, piece)
                bar.add(len(piece))
    _tell_incomplete(opened)


def _tell_incomplete(opened: Opened) -> None:
    from busctl.cli.running import say
    from busctl.core.text import printable

    if why := opened.claim.incomplete:
        say(
            f"Its producer says that message {opened.claim.transaction_id} is not whole "
            f"({printable(why)}); these are the bytes that it gave."
        )


async def _within(opened: Opened, wanted: UUID, lines: Lines | None) -> AsyncIterator[bytes]:
    """The pieces, or what of them lies in the lines."""
    from contextlib import aclosing

    from busctl.core.errors import InvalidPlace
    from busctl.core.reading.line_range import LineRange

    if lines is None:
        async for piece in opened.pieces:
            yield piece
        return
    taken = LineRange(*lines)
    async with aclosing(opened.pieces) as pieces:  # type: ignore[type-var]  # the bus gives a generator
        async for piece in pieces:
            if within := taken.take(piece):
                yield within
            if taken.done:
                return
    if taken.begins_at is None and lines[0] > 1:
        raise InvalidPlace(
            f"Message {wanted} has {taken.newlines:,} ends of lines; there is no line "
            f"{lines[0]:,}.",
            transaction_id=wanted, remedy="Lines are counted from 1.",
        )  # fmt: skip


def _writing(wanted: UUID, place: str) -> AbstractContextManager[None]:
    from busctl.cli.targets import writing

    return writing(f"Message {wanted} was not written to {place}", transaction_id=wanted)


async def _opened(bus: Bus, wanted: UUID, span: Span) -> Opened:
    """Open the message; a range from the end, or past it, needs its size first."""
    from busctl.core.errors import InvalidPlace

    offset, length = span
    if offset < 0:
        offset = max(0, (await bus.stat(wanted)).payload_size_bytes + offset)
    opened = await bus.open(wanted, offset=offset, length=length)
    size = opened.claim.payload_size_bytes
    if offset > 0 and offset >= size:
        raise InvalidPlace(
            f"Message {wanted} has {size:,} bytes; none from {offset:,} on.",
            transaction_id=wanted, remedy="Bytes are counted from 0.",
        )  # fmt: skip
    return opened


def _span(byte_range: str | None, offset: int | None, length: int | None) -> Span:
    from busctl.core.errors import ConfigurationError

    if byte_range is None:
        return offset or 0, length
    if offset is not None or length is not None:
        raise ConfigurationError("--range and --offset or --length say the same: give one of them.")
    first, last = _bounds(byte_range)
    if first is None:
        return (-last, None) if last else (0, 0)
    if last is None:
        return first, None
    if last < first:
        raise ConfigurationError(
            f"--range {byte_range!r} ends before it begins.",
            remedy="Write the first byte and the last: 0-99 is the first 100 bytes.",
        )
    return first, last - first + 1


def _lines(text: str | None, span: Span) -> Lines | None:
    from busctl.core.errors import ConfigurationError

    if text is None:
        return None
    if span != (0, None):
        raise ConfigurationError("--lines and a range of bytes say different things: give one.")
    match = re.fullmatch(r"(\d{0,15}):(\d{0,15})", text.strip(), re.ASCII)
    first, last = (int(match[1] or 1), int(match[2]) if match[2] else None) if match else (0, None)
    if first < 1 or (last is not None and last < first):
        raise ConfigurationError(
            f"--lines {text!r} is no range of lines.",
            remedy="Write 1:20 (the first 20), 100: (from line 100) or :50; the first is 1.",
        )
    return first, last


def _bounds(byte_range: str) -> tuple[int | None, int | None]:
    from busctl.core.errors import ConfigurationError

    match = re.fullmatch(r"(?:bytes=)?(\d{0,18})-(\d{0,18})", byte_range.strip(), re.ASCII)
    if match is None or not (match[1] or match[2]):
        raise ConfigurationError(
            f"--range {byte_range!r} is not a byte range.",
            remedy="Write 0-99 (the first 100 bytes), 100- (from byte 100) or -50 (the last 50).",
        )
    return int(match[1]) if match[1] else None, int(match[2]) if match[2] else None


def _refuse_binary(piece: bytes) -> None:
    """As curl does: NULs on a terminal help nobody and may upset it."""
    from busctl.core.errors import ConfigurationError

    if b"\x00" in piece:
        raise ConfigurationError(
            "The payload is binary, and standard output is a terminal.",
            remedy="Use -o FILE or a pipe, or --force to see it all the same.",
        )
