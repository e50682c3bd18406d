"""Which paths a call may name: written in full, of this system, below an allowed root.

Only the text is judged here; whether a link leads out of a root is seen when the file is opened.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from busctl.core.errors import FileRefused
from busctl.core.files.manifest import Reason

LONGEST = 4096
"""Bytes of a path, as Linux has it (PATH_MAX)."""

_DRIVE = re.compile(r"(?:\\\\[?.]\\)?[A-Za-z]:(?:[\\/]|$)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ROOTS = "Set BUSCTL_FILE_ROOTS to the folders whose files may be read."


def checked_path(text: object) -> str:
    """The path, if its text is one that can be taken. Raises FileRefused with reason and remedy."""
    if not isinstance(text, str) or not text:
        raise refusal("A file is named by a text that is no path.", Reason.BAD_PATH, "Name a path.")
    shown = printable(text)
    if "\0" in text or shown != text or len(text.encode()) > LONGEST:
        raise refusal(
            f"The path {shown[:200]!r} holds a NUL, characters that have no UTF-8, or over "
            f"{LONGEST:,} bytes.",
            Reason.BAD_PATH, "Name the file by a path as the file system has it.",
        )  # fmt: skip
    _refuse_foreign(text)
    if not text.startswith("/"):
        raise refusal(
            f"The path {text!r} does not begin with '/': the daemon has no folder of yours.",
            Reason.NOT_ABSOLUTE, "Write the path in full, from '/' on.",
        )  # fmt: skip
    if ".." in PurePosixPath(text).parts:
        raise refusal(
            f"The path {text!r} holds '..'.", Reason.PARENT, "Write the path without '..'."
        )
    return text


def _refuse_foreign(text: str) -> None:
    if _DRIVE.match(text) or text.startswith("\\\\"):
        raise refusal(
            f"{text!r} is a path of Windows (a drive, or a share), and the daemon runs elsewhere.",
            Reason.WINDOWS_PATH,
            "Name the file as the daemon's machine sees it, below a folder of BUSCTL_FILE_ROOTS.",
        )  # fmt: skip
    if scheme := _SCHEME.match(text):
        raise refusal(
            f"{text[:200]!r} is an address ({scheme[0]}), no path.",
            Reason.BAD_PATH, "Give the path alone.",
        )  # fmt: skip


def below(canonical: str, roots: Sequence[str]) -> str | None:
    """The root that holds the path, which has no links and no '..' any more; the innermost one."""
    path = PurePosixPath(canonical)
    holding = [root for root in roots if path.is_relative_to(root) and str(path) != root]
    return max(holding, key=len, default=None)


def no_roots(path: str) -> FileRefused:
    """No folder is allowed: the default."""
    return refusal(
        f"The file {path!r} is not read: no folder is allowed on this daemon.",
        Reason.NO_ROOTS, _ROOTS,
    )  # fmt: skip


def outside(path: str) -> FileRefused:
    """The path, or the one that its links lead to, is below none of the roots. Where links lead is
    not told: that is no business of whoever may not read there."""
    return refusal(
        f"The file {path!r} is below none of the allowed folders, or a link leads out of them.",
        Reason.OUTSIDE, f"Move it below one of them. {_ROOTS}",
    )  # fmt: skip


def refusal(message: str, reason: Reason, remedy: str) -> FileRefused:
    return FileRefused(message, reason=reason.value, remedy=remedy)


def printable(text: str) -> str:
    """The text without lone surrogates and NULs, which nothing can print or store."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
