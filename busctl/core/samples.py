"""Sample payloads: the same kind, size and seed give the same bytes, in any process.

What the demonstration tool `generate` answers with and what `busctl test-integrity` and
`busctl bench` send, so that both ends of a path can make the expected bytes on their own.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Literal, get_args

import zstandard

Kind = Literal["json", "text", "random", "zeros", "hostile", "surrogates", "compressed"]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""json: rows as a tool answers with, some not ASCII · text: lines of words · random: does not
compress · zeros: NUL bytes · hostile: NUL, invalid UTF-8, CR and LF in every order, quotes, byte
order marks · surrogates: ASCII JSON text that no JSON round trip keeps (escaped lone surrogates,
duplicate keys, 1.0, \\u0000) · compressed: zstd frames, cut at the end."""

CONTENT_TYPES: dict[Kind, str] = {
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
    "random": "application/octet-stream",
    "zeros": "application/octet-stream",
    "hostile": "application/octet-stream",
    "surrogates": "application/json",
    "compressed": "application/zstd",
}

KEPT = timedelta(hours=1)
"""How long a sample is kept in a store if nobody removes it."""
PIECE_BYTES = 1 << 20
_ROWS = 4096

_WORDS = """
    claim store digest payload message session envelope chunk frame writer reader partition
    index socket offset latency deadline retry breaker spool horizon café naïve größer 数据
    ελληνικά данные owner label route event schema
""".split()  # noqa: SIM905  # words read better than a list of them
"""32 of them, so that five bits choose one."""
_PATHS = [f"src/{one}/{two}" for two in _WORDS for one in _WORDS]
_TEXTS = [f"{one} {two}" for two in _WORDS for one in _WORDS]
_PHRASES = [" ".join(_WORDS[at * step % 32] for step in (1, 7, 13, 22, 29)) for at in range(1, 33)]
_LEVELS = ("debug", "info", "warning", "error")

_HOSTILE = (
    b"\x00", b"\x00\x00\x00\x00", b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xf8\x88\x80\x80",
    b"\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\r\n", b"\n\r", b"\r", b"\n", b"\r\r\n",
    b"\x1a", b"\x1b[2J", b"\x7f", b"\\", b"\\x00", b"\\u0000", b'"', b"'", b"''", b"'); --",
    b"%s", b"{}", b"</script>", b"\xe2\x80\xa8", b"\\.", b"\\N", b"\t", b"\xc3", b"e\xcc\x81",
)  # fmt: skip
_HOSTILE_RUNS = [
    b"".join(_HOSTILE[at * step % len(_HOSTILE)] for step in (1, 5, 11, 17)) for at in range(256)
]


def sample(kind: Kind, size: int, seed: int = 0) -> bytes:
    """The sample whole. `size` in bytes, exact. Raises ValueError as `pieces` does."""
    return b"".join(pieces(kind, size, seed))


def pieces(kind: Kind, size: int, seed: int = 0) -> Iterator[bytes]:
    """The sample in pieces of about 1 MiB, so that memory stays bounded.

    "json" and "surrogates" are valid JSON of exactly `size` bytes (at 0 bytes: nothing). Raises
    ValueError for an unknown kind or a size below 0, at the call.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of sample {kind!r}: one of {', '.join(KINDS)}")
    if size < 0:
        raise ValueError(f"a sample cannot have {size} bytes")
    match kind:
        case "json":
            return _document(size, seed, _row)
        case "surrogates":
            return _document(size, seed, _ambiguous_row)
        case "text":
            return _text(size, seed)
        case "random":
            return _cut(size, (_random(seed, number) for number in itertools.count()))
        case "zeros":
            return _cut(size, itertools.repeat(bytes(PIECE_BYTES)))
        case "hostile":
            return _cut(size, (_hostile(seed, number) for number in itertools.count()))
        case "compressed":
            return _cut(size, (_compressed(seed, number) for number in itertools.count()))


def _cut(size: int, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The first `size` bytes of endless blocks."""
    left = size
    while left > 0:
        block = next(blocks)
        yield block if len(block) <= left else block[:left]
        left -= len(block)


def _random(seed: int, number: int, size: int = PIECE_BYTES) -> bytes:
    return hashlib.shake_128(f"busctl sample {seed} {number}".encode()).digest(size)


def _compressed(seed: int, number: int) -> bytes:
    # Hexadecimal digits halve, so this is a frame that was really compressed.
    return zstandard.ZstdCompressor(level=1).compress(
        _random(seed, number, PIECE_BYTES // 2).hex().encode()
    )


def _hostile(seed: int, number: int) -> bytes:
    """About 256 KiB of hostile fragments: each once within the first 400 bytes, then by chance."""
    first = b"".join(fragment + b"|" for fragment in _HOSTILE)
    rest = b"".join(map(_HOSTILE_RUNS.__getitem__, _random(seed, number, 32 * 1024)))
    return f"{seed}:{number}|".encode() + first + rest


def _document(size: int, seed: int, row: Callable[[int, int], str]) -> Iterator[bytes]:
    """One JSON object of exactly `size` bytes: rows while they fit, then a string that pads."""
    head = f'{{"tool":"generate","seed":{seed},"rows":['.encode()
    tail = b'],"pad":""}'
    left = size - len(head) - len(tail)
    if left < 0:
        yield _small_json(size)
        return
    yield head
    separator = b""
    for first in itertools.count(0, _ROWS):
        block = separator + _rows(seed, first, row)
        if len(block) > left:
            rows, left = _rows_that_fit(seed, first, row, separator, left)
            yield rows
            break
        yield block
        left -= len(block)
        separator = b",\n"
    yield tail[:-2] + b"." * left + tail[-2:]


def _rows(seed: int, first: int, row: Callable[[int, int], str]) -> bytes:
    return ",\n".join([row(seed, number) for number in range(first, first + _ROWS)]).encode()


def _rows_that_fit(
    seed: int, first: int, row: Callable[[int, int], str], separator: bytes, left: int
) -> tuple[bytes, int]:
    """The rows from `first` on that fit into `left` bytes, and how many bytes are left then."""
    fitting: list[bytes] = []
    for number in itertools.count(first):
        each = separator + row(seed, number).encode()
        if len(each) > left:
            break
        fitting.append(each)
        left -= len(each)
        separator = b",\n"
    return b"".join(fitting), left


def _small_json(size: int) -> bytes:
    """Valid JSON too small for an object with rows: a string, a digit, or nothing."""
    if size < 2:
        return b"0"[:size]
    return b'"' + b"." * (size - 2) + b'"'


def _mixed(seed: int, number: int) -> int:
    """64 well-mixed bits of seed and number (the finaliser of splitmix64)."""
    bits = (seed * 0x9E3779B97F4A7C15 + number + 1) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return (bits ^ bits >> 31) * 0x94D049BB133111EB >> 7 & 0xFFFFFFFFFFFFFFFF


def _row(seed: int, number: int) -> str:
    bits = _mixed(seed, number)
    return (
        f'{{"id":{number},"path":"{_PATHS[bits & 1023]}_{bits >> 10 & 1023}.py",'
        f'"line":{bits >> 20 & 4095},"level":"{_LEVELS[bits & 3]}","score":0.{bits & 1048575:07d},'
        f'"message":"{_TEXTS[bits >> 30 & 1023]} {_WORDS[bits >> 25 & 31]}\\n",'
        f'"ref":"{bits:016x}","ok":{"true" if bits & 1 else "false"},"parent":null}}'
    )


def _ambiguous_row(seed: int, number: int) -> str:
    bits = _mixed(seed, number)
    return (
        f'{{"b":"\\ud8{bits & 255:02x}","a":{number}.0,'
        f'"a":"\\uDF{bits >> 8 & 255:02X} \\udc00\\ud800",'
        f'  "b":"\\u0000 \\/ \\u00e9", "n":{bits & 1023}E+2,"n":-0,"":"{bits:x}","":[ ]}}'
    )


def _text(size: int, seed: int) -> Iterator[bytes]:
    """Lines of words; never cut inside a character: dots fill what is left."""
    left = size
    for first in itertools.count(0, _ROWS):
        block = "".join([_line(seed, number) for number in range(first, first + _ROWS)]).encode()
        if len(block) > left:
            whole = block[: block.rfind(b"\n", 0, left) + 1]
            yield whole + b"." * (left - len(whole))
            return
        yield block
        left -= len(block)


def _line(seed: int, number: int) -> str:
    bits = _mixed(seed, number)
    return (
        f"{number}: {_PHRASES[bits & 31]} {_PHRASES[bits >> 5 & 31]}, {_PHRASES[bits >> 10 & 31]} "
        f"{bits:x}\n"
    )
