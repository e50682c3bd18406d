"""The text of one PDF, in a process of its own: `python -I pdf_child.py SECONDS BYTES`.

A PDF may be made to cost its reader any time and memory. This process has bounds of the kernel for
both (CPU seconds, bytes of address space), knows no setting and no key, and imports nothing of
busctl. The file is stdin, its text goes to stdout as UTF-8; the exit status says how it went.
"""

from __future__ import annotations

import contextlib
import io
import logging
import resource
import sys

NO_PDF, ENCRYPTED, NO_MEMORY = 3, 4, 5


class Unread(Exception):
    """A file that gives no text; `code` is the exit status."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def main() -> int:
    """Pages in their order, an empty line between two of them."""
    bound(int(sys.argv[1]), int(sys.argv[2]))
    logging.disable()  # what is odd about a file is no news
    try:
        text = extracted(sys.stdin.buffer.read())
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
    except Unread as error:
        return error.code
    except MemoryError:
        return NO_MEMORY
    return 0


def extracted(content: bytes) -> str:
    """Raises Unread and MemoryError."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unread(ENCRYPTED)
        pages = [page.extract_text().strip() for page in reader.pages]
    except (DependencyError, FileNotDecryptedError) as error:  # a cipher that is not at hand
        raise Unread(ENCRYPTED) from error
    # What a damaged file makes of a parser.
    except (PyPdfError, RecursionError, ArithmeticError, AttributeError, AssertionError) as error:
        raise Unread(NO_PDF) from error
    except (LookupError, NotImplementedError, OSError, TypeError, ValueError) as error:
        raise Unread(NO_PDF) from error
    return "\n\n".join(page for page in pages if page)


def bound(seconds: int, size: int) -> None:
    """From here on the kernel ends what takes more."""
    for kind, most in (
        (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, size), (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):  # fmt: skip
        resource.setrlimit(kind, (most, most))
    with contextlib.suppress(ValueError, OSError):  # not everywhere
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


if __name__ == "__main__":
    sys.exit(main())
