"""PDF files for tests, written by hand: whole ones, and ones that are made to harm their reader."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def pdf(pages: Sequence[Sequence[str]], filler: int = 0) -> bytes:
    """A page of lines each; `filler` bytes of a stream that no page uses make it larger."""
    streams = [_content(lines) for lines in pages]
    return document(streams, filler)


def _content(lines: Sequence[str]) -> bytes:
    shown = " ".join(f"({line}) Tj T*" for line in lines)
    return f"BT /F1 10 Tf 50 750 Td 12 TL {shown} ET".encode()


def document(contents: Sequence[bytes], filler: int = 0) -> bytes:
    """A page for each content stream."""
    count = len(contents)
    font = 3 + 2 * count
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {count} /Kids [{kids}] >>".encode(),
    ]
    for number, content in enumerate(contents):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {4 + 2 * number} 0 R"
            f" /Resources << /Font << /F1 {font} 0 R >> >> >>".encode()
        )
        objects.append(stream(content))
    objects.append(FONT)
    if filler:
        objects.append(b"<< /Length %d >>\nstream\n" % filler + b"z" * filler + b"\nendstream")
    return written(objects)


def stream(content: bytes) -> bytes:
    packed = zlib.compress(content, 9)
    head = f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n".encode()
    return head + packed + b"\nendstream"


def written(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, each in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + each + b"\nendobj\n"
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    size = len(objects) + 1
    out += b"trailer << /Size %d /Root 1 0 R %s >>\n" % (size, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % table)


def encrypted() -> bytes:
    """Says that it is encrypted with a key that no empty password gives."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 0 /Kids [] >>",
        b"<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <%s> /U <%s> >>"
        % (b"11" * 32, b"22" * 32),
    ]  # fmt: skip
    return written(objects, b"/Encrypt 3 0 R /ID [<00> <00>]")


def circular() -> bytes:
    """A page tree that holds itself."""
    return written([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 2 /Kids [2 0 R 2 0 R] >>",
    ])  # fmt: skip


def bomb(size: int) -> bytes:
    """One page whose content unpacks to so many bytes."""
    return document([b" " * size])


def busy(operators: int) -> bytes:
    """One page with so many operators of text."""
    return document([b"BT /F1 10 Tf " + b"(a) Tj 1 0 0 1 0 0 Tm " * operators + b"ET"])
