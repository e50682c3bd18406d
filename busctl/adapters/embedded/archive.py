"""A backup as one file: a zstd-compressed tar that names what it is first and every digest last.

    busctl-store.json   format, PostgreSQL version and major version
    data/...            the cluster, as pg_basebackup took it
    manifest.json       size and SHA-256 of every file before it

Written and read as a stream: memory stays bounded whatever the size of the store.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from busctl.core.errors import BackupDamaged, EmbeddedStoreError
from busctl.core.jsontext import parse_json

_FORMAT = 1
_HEADER = "busctl-store.json"
_MANIFEST = "manifest.json"
_DATA = "data"
_BLOCK_BYTES = 1024 * 1024
_MOST_JSON_BYTES = 64 << 20  # a manifest of half a million files; compressed zeros are cheap
_ZSTD_LEVEL = 3
_MALFORMED = (ValueError, KeyError, TypeError)  # JSON that is not the header or manifest


@dataclass(frozen=True)
class Entry:
    """One file of the manifest: size in bytes, SHA-256 in hexadecimal."""

    size_bytes: int
    sha256: str


class _Hashed(io.RawIOBase):
    """Passes reads or writes on to `inner` and takes the SHA-256 and the count of the bytes."""

    def __init__(self, inner: IO[bytes]) -> None:
        super().__init__()
        self._inner = inner
        self._digest = hashlib.sha256()
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        return bytes(self._take(self._inner.read(size)))

    def write(self, block: bytes) -> int:  # type: ignore[override]  # only bytes are written
        self._inner.write(block)
        return len(self._take(block))

    def entry(self) -> Entry:
        return Entry(self._size, self._digest.hexdigest())

    def _take(self, block: bytes) -> bytes:
        self._digest.update(block)
        self._size += len(block)
        return block


def pack(data: Path, into: BinaryIO, *, version: str, major: int) -> tuple[dict[str, Entry], Entry]:
    """Write the cluster in `data`; returns the manifest, and size and digest of the archive.

    Each file is held against the digest that the server itself took while sending it; raises
    EmbeddedStoreError when one differs.
    """
    import zstandard

    sent = _digests_of_the_server(data)
    manifest: dict[str, Entry] = {}
    whole = _Hashed(into)
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
    with (
        compressor.stream_writer(cast("IO[bytes]", whole), closefd=False) as stream,
        tarfile.open(fileobj=stream, mode="w|", bufsize=_BLOCK_BYTES) as tar,
    ):
        header = {"format": _FORMAT, "version": version, "major": major}
        _add_json(tar, _HEADER, header)
        for path in _walk(data):
            name = path.relative_to(data).as_posix()
            entry = _add(tar, path, f"{_DATA}/{name}")
            if entry is None:
                continue
            if sent.get(name, entry.sha256) != entry.sha256:
                raise _damaged(path, "it differs from what the server sent")
            manifest[name] = entry
        _add_json(tar, _MANIFEST, {name: asdict(entry) for name, entry in manifest.items()})
    return manifest, whole.entry()


def unpack(source: BinaryIO, name: Path, into: Path, *, major: int) -> None:
    """Write the cluster to the folder `into` and hold every file against the manifest.

    Raises BackupDamaged when the archive `name` is not one of ours, is damaged or cut, and
    EmbeddedStoreError when it is of another format or major version of PostgreSQL; then `into` is
    not to be used.
    """
    import zstandard

    try:
        stream = zstandard.ZstdDecompressor().stream_reader(source, closefd=False)
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_BLOCK_BYTES) as tar:
            _require_header(tar, name, major)
            _extract(tar, name, into)
    except (zstandard.ZstdError, tarfile.TarError, EOFError, *_MALFORMED) as error:
        raise _damaged(name, str(error) or type(error).__name__) from error


def _extract(tar: tarfile.TarFile, name: Path, into: Path) -> None:
    written: dict[str, Entry] = {}
    while member := tar.next():
        _forget_members(tar)
        if member.name == _MANIFEST:
            expected = {path: Entry(**entry) for path, entry in _json_of(tar, member).items()}
            _compare(name, expected, written)
            return
        path = _inside(member, name)
        if member.isdir():
            (into / path).mkdir(0o700)
        else:
            written[path] = _write(tar, member, into / path)
    raise _damaged(name, "it ends before its manifest")


def _compare(name: Path, expected: dict[str, Entry], written: dict[str, Entry]) -> None:
    for path in sorted(expected.keys() | written.keys()):
        if expected.get(path) != written.get(path):
            raise _damaged(name, f"the file {path} is not what its manifest says")


def _inside(member: tarfile.TarInfo, name: Path) -> str:
    """The member's path below data/; only plain files and folders in there are accepted."""
    path = PurePosixPath(member.name)
    plain = member.isreg() or member.isdir()
    if not plain or len(path.parts) < 2 or path.parts[0] != _DATA or ".." in path.parts:
        raise _damaged(name, f"the member {member.name!r} has no place in a backup")
    return path.relative_to(_DATA).as_posix()


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> Entry:
    content = tar.extractfile(member)
    if content is None:
        raise tarfile.ReadError(f"{member.name} has no content")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        hashed = _Hashed(content)
        while block := hashed.read(_BLOCK_BYTES):
            file.write(block)
    return hashed.entry()


def _require_header(tar: tarfile.TarFile, name: Path, major: int) -> None:
    first = tar.next()
    if first is None or first.name != _HEADER:
        raise _damaged(name, "it is not a backup of a store")
    header = _json_of(tar, first)
    if header["format"] != _FORMAT:
        raise EmbeddedStoreError(
            f"The backup {name} has format {header['format']}; this busctl reads {_FORMAT}.",
            remedy="Restore it with the busctl that made it.",
        )
    if header["major"] != major:
        raise EmbeddedStoreError(
            f"The backup {name} is of PostgreSQL {header['version']}, the programs are of {major}.",
            remedy=f"Set BUSCTL_PG_BIN to the bin folder of PostgreSQL {header['major']}.",
        )


def _add(tar: tarfile.TarFile, path: Path, name: str) -> Entry | None:
    """Add a file, or a folder (then None). Owner and time do not travel."""
    member = tarfile.TarInfo(name)
    member.mode = 0o600
    if path.is_symlink():
        raise EmbeddedStoreError(
            f"The store has a tablespace or link outside its folder: {path.name}.",
            remedy="Back it up with pg_basebackup or pg_dump.",
        )
    if path.is_dir():
        member.type, member.mode = tarfile.DIRTYPE, 0o700
        tar.addfile(member)
        return None
    with path.open("rb") as file:
        member.size = os.fstat(file.fileno()).st_size
        hashed = _Hashed(file)
        tar.addfile(member, hashed)
    _forget_members(tar)
    return hashed.entry()


def _forget_members(tar: tarfile.TarFile) -> None:
    vars(tar)["members"].clear()  # tarfile remembers each of them, and a store has many


def _add_json(tar: tarfile.TarFile, name: str, value: object) -> None:
    text = json.dumps(value).encode("utf-8")
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(text), 0o600
    tar.addfile(member, io.BytesIO(text))


def _json_of(tar: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    if member.size > _MOST_JSON_BYTES:
        raise tarfile.ReadError(f"{member.name} claims {member.size:,} bytes")
    content = tar.extractfile(member)
    value = parse_json(content.read()) if content else None
    if not isinstance(value, dict):
        raise tarfile.ReadError(f"{member.name} is not an object")
    return value


def _walk(folder: Path) -> Iterator[Path]:
    """Everything below `folder`, parents first, in one order on every machine."""
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _digests_of_the_server(data: Path) -> dict[str, str]:
    """Path to SHA-256, from pg_basebackup's own manifest (which leaves out the WAL)."""
    manifest = json.loads((data / "backup_manifest").read_bytes())
    return {
        file["Path"]: file["Checksum"]
        for file in manifest["Files"]
        if file.get("Checksum-Algorithm") == "SHA256" and "Path" in file
    }


def _damaged(name: Path, why: str) -> BackupDamaged:
    return BackupDamaged(f"The backup {name} is damaged: {why}.")
