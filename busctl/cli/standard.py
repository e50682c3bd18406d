"""The three standard streams, whatever the caller made of them."""

from __future__ import annotations

import os
import sys

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


def drop_output() -> None:
    """Let go of what was printed and cannot be written: Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
