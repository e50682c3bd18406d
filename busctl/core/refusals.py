"""Several files that are refused, told as one error: nobody mends them one by one."""

from __future__ import annotations

from collections.abc import Sequence

from busctl.core.errors import FileRefused


def together(refusals: Sequence[FileRefused], remedy: str = "") -> FileRefused:
    """One error that says all of them, by the reason of the first; `remedy` is said last."""
    message = " ".join(error.message for error in refusals)
    remedies = dict.fromkeys([*(error.remedy for error in refusals), remedy])
    told = " ".join(one for one in remedies if one)
    return FileRefused(message, reason=refusals[0].reason, remedy=told)
