"""Payload bytes to stored bytes and back: every compression, joined frames, bounded expansion."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from busctl.core.codec import AUTO, CodecError, Decoder, Encoder, choose, chunk_count_of
from busctl.core.envelope import Compression
from busctl.core.samples import sample

COMPRESSIONS = st.sampled_from(list(Compression))
TIMES = st.integers(0, 999)
REPETITIVE = st.builds(lambda unit, times: unit * times, st.binary(max_size=64), TIMES)
ZEROS = bytes(50_000_000)
PAYLOADS = st.one_of(st.binary(max_size=5_000), REPETITIVE)


@given(PAYLOADS, COMPRESSIONS)
def test_any_bytes_come_back(payload: bytes, compression: Compression) -> None:
    body = Encoder(compression).encode(payload)
    assert Decoder(compression).decode(body, len(payload)) == payload


@given(PAYLOADS, COMPRESSIONS)
def test_a_chunk_carries_both_digests(payload: bytes, compression: Compression) -> None:
    import hashlib

    chunk = Encoder(compression).chunk(3, memoryview(payload))
    assert (chunk.seq, chunk.raw_size) == (3, len(payload))
    assert chunk.raw_checksum == hashlib.sha256(payload).digest()
    assert chunk.stored_checksum == hashlib.sha256(chunk.body).digest()


@given(PAYLOADS, COMPRESSIONS, st.integers(-3, 3).filter(bool))
def test_another_size_is_an_error_never_a_shorter_answer(
    payload: bytes, compression: Compression, off: int
) -> None:
    body = Encoder(compression).encode(payload)
    declared = len(payload) + off
    if declared < 0:
        return
    with pytest.raises(CodecError, match="not"):
        Decoder(compression).decode(body, declared)


@given(st.binary(min_size=1, max_size=3_000), COMPRESSIONS, st.data())
def test_a_truncated_body_is_an_error(
    payload: bytes, compression: Compression, data: st.DataObject
) -> None:
    body = Encoder(compression).encode(payload)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    try:
        opened = Decoder(compression).decode(cut, len(payload))
    except CodecError:
        return
    # A frame may lose its closing checksum without losing a byte of the payload.
    assert opened == payload


@pytest.mark.parametrize("pieces", [2, 10])
def test_joined_frames_are_read_whole(pieces: int) -> None:
    parts = [sample("json", 30_000, seed) for seed in range(pieces)]
    raw = b"".join(parts)
    zstd = b"".join(zstandard.ZstdCompressor(level=1).compress(part) for part in parts)
    gzipped = b"".join(gzip.compress(part) for part in parts)
    assert Decoder(Compression.ZSTD).decode(zstd, len(raw)) == raw
    assert Decoder(Compression.GZIP).decode(gzipped, len(raw)) == raw


def test_the_first_of_joined_frames_alone_is_not_taken_for_the_whole() -> None:
    """Its declared size equals what is asked for; the frame behind it must not be overlooked."""
    first = zstandard.ZstdCompressor().compress(b"a" * 1_000)
    with pytest.raises(CodecError, match="more than 1000"):
        Decoder(Compression.ZSTD).decode(first + first, 1_000)
    member = gzip.compress(b"a" * 1_000)
    with pytest.raises(CodecError, match="more than 1000"):
        Decoder(Compression.GZIP).decode(member + member, 1_000)


def test_a_frame_that_does_not_declare_its_size_is_read() -> None:
    packed = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(packed, closefd=False) as writer:
        writer.write(b"streamed " * 5_000)
    assert Decoder(Compression.ZSTD).decode(packed.getvalue(), 45_000) == b"streamed " * 5_000


@pytest.mark.parametrize(
    ("compression", "bomb"),
    [
        (Compression.ZSTD, zstandard.ZstdCompressor().compress(ZEROS)),
        (Compression.ZSTD, zstandard.ZstdCompressor(write_content_size=False).compress(ZEROS)),
        (Compression.GZIP, zlib.compress(ZEROS, wbits=31)),
    ],
    ids=["zstd-declared", "zstd-undeclared", "gzip"],
)  # fmt: skip
def test_a_bomb_is_refused_without_being_expanded(compression: Compression, bomb: bytes) -> None:
    import tracemalloc

    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(CodecError, match="more than 1000 bytes"):
            Decoder(compression).decode(bomb, 1_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("compression", [Compression.ZSTD, Compression.GZIP])
@given(junk=st.binary(max_size=200))
def test_junk_is_a_codec_error_and_nothing_else(compression: Compression, junk: bytes) -> None:
    with pytest.raises(CodecError):
        Decoder(compression).decode(junk, 100_000)


def test_auto_packs_what_shrinks_and_leaves_the_rest() -> None:
    assert choose(AUTO, sample("json", 1_999)) is Compression.NONE
    assert choose(AUTO, sample("json", 100_000)) is Compression.ZSTD
    assert choose(AUTO, sample("random", 100_000)) is Compression.NONE
    assert choose(AUTO, sample("compressed", 100_000)) is Compression.NONE
    assert choose(AUTO, b"") is Compression.NONE
    assert choose("gzip", b"") is Compression.GZIP
    assert choose("none", sample("zeros", 100_000)) is Compression.NONE


@pytest.mark.parametrize(
    ("size", "chunks"),
    [(0, 0), (1, 0), (1 << 20, 0), ((1 << 20) + 1, 2), (2 << 20, 2), (100_000_000, 96)],
)  # fmt: skip
def test_how_many_chunks_a_payload_has(size: int, chunks: int) -> None:
    assert chunk_count_of(size) == chunks
