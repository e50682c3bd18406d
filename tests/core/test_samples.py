"""Sample payloads: exact sizes, the same bytes every time, and as nasty as they say."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from busctl.core import samples

SIZES = [0, 1, 2, 3, 30, 60, 100, 1_000, 10_000, 1_048_575, 1_048_576, 1_048_577, 3_000_001]


@pytest.mark.parametrize("kind", samples.KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_size_is_exact_and_bytes_repeat(kind: samples.Kind, size: int) -> None:
    first = samples.sample(kind, size, 7)
    assert len(first) == size
    assert first == samples.sample(kind, size, 7)


@given(
    kind=st.sampled_from(["json", "surrogates"]),
    size=st.integers(1, 5_000),
    seed=st.integers(-5, 2**40),
)
def test_json_kinds_are_json_of_every_size(kind: samples.Kind, size: int, seed: int) -> None:
    payload = samples.sample(kind, size, seed)
    assert len(payload) == size
    json.loads(payload)


@pytest.mark.parametrize("kind", ["json", "text"])
def test_text_kinds_are_utf8_beyond_ascii(kind: samples.Kind) -> None:
    text = samples.sample(kind, 2_000_000, 3).decode("utf-8")
    assert not text.isascii()


@pytest.mark.parametrize("kind", [kind for kind in samples.KINDS if kind != "zeros"])
def test_seeds_differ_and_no_megabyte_repeats(kind: samples.Kind) -> None:
    payload = samples.sample(kind, 4_000_000, 1)
    assert payload != samples.sample(kind, 4_000_000, 2)
    parts = [payload[at : at + 100_000] for at in range(0, 4_000_000, 100_000)]
    assert len(set(parts)) == len(parts)


def test_hostile_holds_what_breaks_text() -> None:
    payload = samples.sample("hostile", 1_000)
    for fragment in (b"\x00", b"\xed\xa0\x80", b"\r\n", b"\n\r", b"\xff\xfe", b"\xef\xbb\xbf"):
        assert fragment in payload
    with pytest.raises(UnicodeDecodeError):
        payload.decode("utf-8")


def test_surrogates_survive_no_json_round_trip() -> None:
    payload = samples.sample("surrogates", 1_000)
    parsed = json.loads(payload)
    assert json.dumps(parsed, separators=(",", ":")).encode() != payload
    with pytest.raises(UnicodeEncodeError):
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    pairs = json.loads(payload, object_pairs_hook=lambda found: [name for name, _ in found])
    assert len(set(pairs)) == len(pairs)
    assert b'"a":0.0,"a":' in payload


def test_compressed_is_zstd_and_random_does_not_shrink() -> None:
    compressed = samples.sample("compressed", 1_000_000)
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(compressed))
    assert len(reader.read(1_048_576)) == 1_048_576
    for payload in (compressed, samples.sample("random", 1_000_000)):
        assert len(zstandard.ZstdCompressor(level=1).compress(payload)) > 990_000
    tool_json = samples.sample("json", 1_000_000)
    assert 2 < len(tool_json) / len(zstandard.ZstdCompressor(level=1).compress(tool_json)) < 9


def test_bytes_are_the_same_in_every_release() -> None:
    # A daemon and a client of different releases must agree on these.
    digests = {
        kind: hashlib.sha256(samples.sample(kind, 100_000, 42)).hexdigest()[:16]
        for kind in samples.KINDS
        if kind != "compressed"
    }
    assert digests == DIGESTS


DIGESTS = {
    "json": "576b14229d098625",
    "text": "133eb023cfdd806a",
    "random": "9d49bf6b1f13d474",
    "zeros": "9192c25b734fcbad",
    "hostile": "070420dbc514b7d9",
    "surrogates": "c66cc43af8b69c55",
}


def test_refusals() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        samples.pieces("nonsense", 1)  # type: ignore[arg-type]  # the fault under test
    with pytest.raises(ValueError, match="cannot have -1 bytes"):
        samples.pieces("zeros", -1)
