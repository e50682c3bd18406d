"""How a file becomes text that a model can read: decided from what is known before anything is
sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from busctl.core.files.kind import FileKind
from busctl.core.files.manifest import Reason
from busctl.core.providers.profile import Profile

KINDS = {
    FileKind.OFFICE: "an office document", FileKind.IMAGE: "an image",
    FileKind.ARCHIVE: "an archive", FileKind.BINARY: "neither text nor a known document",
    FileKind.PDF: "a PDF", FileKind.TEXT: "text",
}  # fmt: skip
_NO_LETTERS = re.compile(r"[\W_]+")
BYTES_A_TOKEN = 8
"""More bytes than a token of any text has on average: what is over room × this cannot fit."""


class Way(StrEnum):
    INLINE = "inline"
    UPLOAD = "upload"
    LOCAL = "local"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class FileTerms:
    """What a provider does with files. `purpose` is the one under which it extracts text that can
    be read back, None where there is none; `max_bytes` of one file; `suffixes` those it extracts,
    without the dot; `lasts` after how long it forgets a file, None for never."""

    provider: str
    purpose: str | None = None
    max_bytes: int = 0
    suffixes: frozenset[str] = field(default_factory=frozenset)
    lasts: timedelta | None = None
    max_image_bytes: int | None = None

    def most(self, kind: FileKind) -> int:
        """Bytes of one file of that kind; pictures may have a limit of their own."""
        own = self.max_image_bytes if kind is FileKind.IMAGE else None
        return self.max_bytes if own is None else own

    @classmethod
    def of(cls, profile: Profile) -> FileTerms:
        """The terms that a profile states."""
        files = profile.files
        if files is None or files.extract is None:
            return cls(profile.name)
        purpose = files.purposes[files.extract]
        lasts = None if files.keep_days is None else timedelta(days=files.keep_days)
        return cls(
            profile.name, files.extract, purpose.max_bytes, frozenset(purpose.suffixes), lasts,
            purpose.max_image_bytes,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class FilePlan:
    """What to try first. `reason`, `why` and `remedy` are set for Way.REFUSE."""

    way: Way
    reason: Reason | None = None
    why: str = ""
    remedy: str = ""


TEXT_SUFFIXES = frozenset((
    "txt", "text", "md", "csv", "tsv", "log", "json", "jsonl", "xml", "html", "htm", "svg", "yaml",
    "yml", "ini", "conf", "css", "go", "h", "c", "cpp", "cxx", "cc", "cs", "java", "js", "jsp",
    "php", "py", "py3", "asp", "ts", "tsx", "xbm",
))  # fmt: skip
"""Names of what is text: other bytes under them are not what their name says."""
LEAST_LETTERS, LEAST_SHARE = 500, 0.8


def missing(given: str, here: str) -> str | None:
    """How much less one text has than another of the same file, None where that is not much. Only
    letters and digits count: everybody sets spaces and lines another way."""
    least, own = _letters(given), _letters(here)
    if own < LEAST_LETTERS or least >= LEAST_SHARE * own:
        return None
    return f"{least:,} of about {own:,} letters"


def _letters(text: str) -> int:
    return len(_NO_LETTERS.sub("", text))


def plan_file(
    kind: FileKind, size: int, suffix: str, terms: FileTerms, room_tokens: int
) -> FilePlan:
    """How to get the text of a file of `size` bytes for a model with room for so many tokens.

    Text is sent as it is; what the provider extracts is uploaded, if it gives the text back; PDF is
    extracted here where it does not; the rest is refused.
    """
    if not size:
        return _refuse(Reason.EMPTY, "it is empty", "Name a file that has content.")
    if kind is FileKind.TEXT:
        return _inline(size, room_tokens)
    if kind is FileKind.BINARY and suffix.lower() in TEXT_SUFFIXES:
        why = f"its name says {suffix}, and its bytes are no text"
        return _refuse(Reason.KIND, why, "Save it as UTF-8, or name it as what it is.")
    takes = terms.purpose is not None and suffix.lower() in terms.suffixes
    most = terms.most(kind)
    if takes and size <= most:
        return FilePlan(Way.UPLOAD)
    if kind is FileKind.PDF:
        return FilePlan(Way.LOCAL)
    if takes:
        return _refuse(
            Reason.PROVIDER,
            f"it has {size:,} bytes and {terms.provider} takes {most:,}",
            "Make it smaller, or save it as text or PDF.",
        )
    return _refuse(
        Reason.KIND,
        f"it is {KINDS[kind]}, which {terms.provider} gives no text of",
        "Save it as text or PDF.",
    )


def _inline(size: int, room_tokens: int) -> FilePlan:
    if size > room_tokens * BYTES_A_TOKEN:
        return over_context(size, room_tokens)
    return FilePlan(Way.INLINE)


def over_context(size: int, room_tokens: int) -> FilePlan:
    """A text of so many bytes does not fit beside the rest."""
    return _refuse(
        Reason.CONTEXT,
        f"its text of {size:,} bytes is over the {room_tokens:,} tokens that there is room for",
        "Name fewer or smaller files, or a model with a larger context.",
    )


def _refuse(reason: Reason, why: str, remedy: str) -> FilePlan:
    return FilePlan(Way.REFUSE, reason, why, remedy)


def tokens_of(text: str) -> int:
    """About how many tokens a text has, rather too many: 3 ASCII characters, or one other."""
    others = len(text) - len(text.encode("ascii", "ignore"))
    return (len(text) - others) // 3 + others + 1
