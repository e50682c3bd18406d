"""Payload bytes to stored bytes and back. Pure; what runs in threads is the caller's business.

Every reader crosses frames and knows the size to expect: `zstandard.decompress` of joined frames
returns the first one and no error, and its `max_output_size` is ignored when a frame declares its
own size (both measured), so expansion is bounded here by the size that the envelope declares.
"""

from __future__ import annotations

import io
import zlib
from functools import cached_property
from hashlib import sha256

import zstandard

from busctl.core.envelope import CHUNK_BYTES, Chunk, Compression

AUTO = "auto"
ZSTD_LEVEL = 1
GZIP_LEVEL = 6
GZIP_WBITS = 31
AUTO_MIN_BYTES = 2_000
"""Under 2 KB compression saves less than it costs (measured)."""
AUTO_SAMPLE_BYTES = 64 * 1024
AUTO_KEEP_RATIO = 0.9
"""A payload is kept raw unless its sample shrinks by a tenth."""

Buffer = bytes | bytearray | memoryview


class CodecError(ValueError):
    """Stored bytes do not expand to what the envelope declares."""


def choose(policy: str, head: Buffer) -> Compression:
    """Which compression a payload gets, from its first bytes (at most one chunk)."""
    if policy != AUTO:
        return Compression(policy)
    if len(head) < AUTO_MIN_BYTES:
        return Compression.NONE
    start = max(0, (len(head) - AUTO_SAMPLE_BYTES) // 2)
    sample = memoryview(head)[start : start + AUTO_SAMPLE_BYTES]
    packed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(sample)
    return Compression.ZSTD if len(packed) < len(sample) * AUTO_KEEP_RATIO else Compression.NONE


class Encoder:
    """Makes chunks. Holds one compressor, so one thread at a time may use it."""

    def __init__(self, compression: Compression) -> None:
        self.compression = compression

    @cached_property
    def _zstd(self) -> zstandard.ZstdCompressor:
        # Made when needed: it costs more than all else of a small payload.
        return zstandard.ZstdCompressor(level=ZSTD_LEVEL)

    def encode(self, raw: Buffer) -> bytes:
        """One frame (or gzip member) of `raw`; the same bytes for NONE."""
        match self.compression:
            case Compression.ZSTD:
                return self._zstd.compress(raw)
            case Compression.GZIP:
                packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WBITS)
                return packer.compress(raw) + packer.flush()
            case Compression.NONE:
                return raw if isinstance(raw, bytes) else bytes(raw)

    def chunk(self, seq: int, raw: Buffer) -> Chunk:
        """Encode one chunk of at most 1 MiB, with its two digests."""
        body = self.encode(raw)
        raw_checksum = sha256(raw).digest()
        stored = raw_checksum if self.compression is Compression.NONE else sha256(body).digest()
        return Chunk(seq, len(raw), raw_checksum, stored, body)


class Decoder:
    """Expands stored bytes. Holds one decompressor, so one thread at a time may use it."""

    def __init__(self, compression: Compression) -> None:
        self.compression = compression

    @cached_property
    def _zstd(self) -> zstandard.ZstdDecompressor:
        return zstandard.ZstdDecompressor()

    def decode(self, body: bytes, raw_size: int) -> bytes:
        """The raw bytes of one body. Raises CodecError unless they are exactly `raw_size` long."""
        raw = body
        if self.compression is Compression.ZSTD:
            raw = self._expand_zstd(body, raw_size)
        elif self.compression is Compression.GZIP:
            raw = _expand_gzip(body, raw_size)
        if len(raw) != raw_size:
            more = "more than " if len(raw) > raw_size else ""
            raise CodecError(f"expands to {more}{min(len(raw), raw_size)} bytes, not {raw_size}")
        return raw

    def _expand_zstd(self, body: bytes, raw_size: int) -> bytes:
        try:
            if zstandard.get_frame_parameters(body).content_size == raw_size > 0:
                return self._zstd.decompress(body, allow_extra_data=False)
        except zstandard.ZstdError as error:
            # Either it is damaged, which the slow path finds too, or it is several frames.
            if not body.startswith(zstandard.FRAME_HEADER):
                raise CodecError(f"is no zstd frame: {error}") from error
        return self._expand_frames(body, raw_size)

    def _expand_frames(self, body: bytes, raw_size: int) -> bytes:
        try:
            with self._zstd.stream_reader(body, read_across_frames=True) as reader:
                return _read_at_most(reader, raw_size + 1)
        except zstandard.ZstdError as error:
            raise CodecError(f"does not decompress: {error}") from error


def _read_at_most(reader: zstandard.ZstdDecompressionReader, limit: int) -> bytes:
    parts = io.BytesIO()
    while (left := limit - parts.tell()) > 0 and (piece := reader.read(min(left, CHUNK_BYTES))):
        parts.write(piece)
    return parts.getvalue()


def _expand_gzip(body: bytes, raw_size: int) -> bytes:
    """All members of a gzip file in memory, bounded by `raw_size` + 1 bytes."""
    parts = io.BytesIO()
    rest = body
    try:
        while rest and parts.tell() <= raw_size:
            member = zlib.decompressobj(GZIP_WBITS)
            parts.write(member.decompress(rest, raw_size + 1 - parts.tell()))
            if not member.eof and parts.tell() <= raw_size:
                raise CodecError("ends inside a gzip member")
            rest = member.unused_data
    except zlib.error as error:
        raise CodecError(f"does not decompress: {error}") from error
    return parts.getvalue()


def chunk_count_of(payload_size_bytes: int) -> int:
    """How many chunks a payload of that size has; 0 when it stays in the row."""
    if payload_size_bytes <= CHUNK_BYTES:
        return 0
    return -(-payload_size_bytes // CHUNK_BYTES)
