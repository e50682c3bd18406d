"""What a file is, by its bytes: a name proves nothing."""

from __future__ import annotations

import codecs
import re
from enum import StrEnum

HEAD_BYTES = 4096
"""What `kind_of` looks at."""


class FileKind(StrEnum):
    TEXT = "text"
    PDF = "pdf"
    OFFICE = "office"
    IMAGE = "image"
    ARCHIVE = "archive"
    BINARY = "binary"


BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks and the codec that takes each away; UTF-32's begins as UTF-16's does."""

_IMAGES = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|BM.{4}\0\0\0\0|II\*\0|MM\0\*|RIFF.{4}WEBP|"
    rb".{4}ftyp(?:avif|heic|heix|mif1)",
    re.DOTALL,
)
_OFFICE_ZIP = re.compile(
    rb"\[Content_Types\]\.xml|_rels/\.rels|mimetypeapplication/(?:vnd\.oasis|epub)|"
    rb"(?:word|xl|ppt)/|docProps/"
)
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ARCHIVES = (
    b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd",
)  # fmt: skip
_PDF_WITHIN = 1024
"""Readers take a header that begins within the first KiB."""
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\b\x1b\x1a")


def kind_of(head: bytes) -> FileKind:
    """What begins so; `head` is up to HEAD_BYTES. Text is what holds no control characters but
    those of text; whether all of it is in one encoding shows when it is decoded."""
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return FileKind.PDF
    if any(head.startswith(mark) for mark, _ in BOMS):
        return FileKind.TEXT
    if _IMAGES.match(head):
        return FileKind.IMAGE
    if head.startswith(_OLE2) or (head.startswith(b"PK\x03\x04") and _OFFICE_ZIP.search(head)):
        return FileKind.OFFICE
    if head.startswith(_ARCHIVES):
        return FileKind.ARCHIVE
    controls = [byte for byte in head if byte < 0x20 and byte not in _TEXT_CONTROLS]
    return FileKind.BINARY if controls or b"\x7f" in head else FileKind.TEXT


def decoded(content: bytes) -> tuple[str, str]:
    """The text and its encoding where that is certain: by its byte order mark, or UTF-8. Raises
    UnicodeDecodeError."""
    encoding = next((name for mark, name in BOMS if content.startswith(mark)), "utf-8")
    return content.decode(encoding), encoding
