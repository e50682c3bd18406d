"""The three standard streams, whatever the caller made of them."""

from __future__ import annotations

import codecs
import io
import os
import sys

ESCAPE = "busctl.escape"
STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed() -> None:
    """Give each standard stream that was closed at the start (`<&-`, `>&-`) a stand-in.

    Python has None for it, and the next socket or file that is opened gets its number: what is
    printed would go there. The stand-in is /dev/null for the other direction, so that a read or a
    write is an error, as with cat, and an answer is neither read as empty nor lost; only talk goes
    nowhere.
    """
    for name, mode in STREAMS:
        if getattr(sys, name) is None:
            flags = os.O_RDONLY if name == "stdout" else os.O_WRONLY
            number = os.open(os.devnull, flags)
            os.set_inheritable(number, True)  # as the other two: children get all three
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def escape_what_has_no_code() -> None:
    """What a terminal's encoding lacks (a locale that is not UTF-8), and bytes of a file's name
    that are no text, are printed as JSON writes them: legible, and JSON stays JSON."""
    codecs.register_error(ESCAPE, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPE)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    import json

    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def drop_output() -> None:
    """Let go of what was printed and cannot be written: Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
