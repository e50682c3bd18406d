"""Names that say what a text is for: a payload, a label for people, an error, a log."""

from __future__ import annotations

import re
from functools import lru_cache


def listed(text: str) -> frozenset[str]:
    """The words of a text: a set that reads like prose."""
    return frozenset(text.split())


PAYLOAD = listed(
    """text content contents body html markdown stdout output outputs transcript prompt payload
    answer response completion document raw data message article context observation
    source_text xml json summary conversation diff patch reply chunk email note story
    readme code blob buffer input"""
)
"""Words of names that hold what is to be passed on whole."""

_LABEL = listed(
    """preview previews snippet snippets excerpt title label name id ids key hash digest prefix
    suffix slug tag tags short shortened abbreviated display repr str head header teaser caption
    subject filename file path stem version date day time timestamp uuid token sha md5 checksum
    fingerprint debug trace sample samples hint truncated trimmed clipped tooltip thumbnail
    placeholder column width line first top peek magic signature masked redacted brief headline
    icon badge toast log logs ending"""
)
_ERROR = listed(
    """err error errors exc exception traceback tb stderr reason failure fail detail details
    warning warnings cause msg"""
)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LIMIT = listed(
    """max maximum limit lim cap budget chars characters len length size bytes trunc truncate cut
    cutoff threshold"""
)


@lru_cache(maxsize=20_000)
def words(name: str) -> tuple[str, ...]:
    """The words of an identifier, in lower case: `maxLen_x` is max, len, x."""
    return tuple(part.lower() for part in _PARTS.findall(name))


def is_payload(name: str) -> bool:
    """Whether a name says that it holds what is passed on."""
    parts = words(name)
    return bool(parts) and not is_label(name) and parts[-1] in PAYLOAD


def is_label(name: str) -> bool:
    """Whether a name says that it is an extract, an id or something to show."""
    return bool(_LABEL & {*words(name)})


def is_error(name: str) -> bool:
    """Whether a name says that it holds what went wrong."""
    return bool(_ERROR & {*words(name)})


def is_limit(name: str) -> bool:
    """Whether a name says that it is the most that may be kept."""
    return bool(_LIMIT & {*words(name)})


_SHORTENS = re.compile(
    r"trunc|shorten|clip|cut|trim|limit|abbrev|ellip|preview|snippet|excerpt|title|label|slug|"
    r"(?:^|_)(?:repr|str|head|first|take|top|peek|sample|cap|crop|safe|sanitiz\w*|sanitis\w*)(?:_|$)"
    r"|intro(?:_|$)|diagnos|pattern|status|hash|digest|finger|_id$|^id_|name|key|redact|mask|debug|(?:^|_)log|print|display|pretty"
    r"|format_for_display|sniff|detect|guess|magic|is_|has_|looks_|brief|tail|chunk|split|parse|"
    r"compact|compress|fit|window|budget|error|exception|fail|icon|color|colour|width|pad|bound",
    re.IGNORECASE,
)


def shortens(function: str) -> bool:
    """Whether a function's name tells its callers that it gives a part, or a label, or is not
    about payloads."""
    return bool(_SHORTENS.search(function)) or is_error(function)


_OBSERVES = re.compile(
    r"(?:^|_)(?:analy[sz]\w*|watch\w*|observ\w*|inspect\w*|validat\w*|verif\w*|judge\w*|evaluat\w*"
    r"|classif\w*|summari[sz]\w*|moderat\w*|review\w*|audit\w*|scan\w*|grad(?:e|er|ing)"
    r"|scor(?:e|er|ing)|assess\w*|critic\w*|critique\w*|screen\w*|check\w*|monitor\w*)(?:_|$)",
    re.IGNORECASE,
)


def observes(name: str) -> bool:
    """Whether a function or class is there to judge what it is given."""
    return bool(_OBSERVES.search("_".join(words(name))))


_TELLS = re.compile(
    r"truncat|ellips|too[ _]long|too[ _]large|omitted|clipped|shortened|\bmore (?:char|byte|line)"
    r"|has[ _]more|is[ _]partial|first \w+ (?:char|byte)|characters shown|exceed",
    re.IGNORECASE,
)


def tells(text: str) -> bool:
    """Whether a text or name tells its reader that something is missing."""
    return bool(_TELLS.search(text))


def marks(text: str) -> bool:
    """Whether a text beside a cut shows that there was more."""
    return "..." in text or "…" in text or tells(text)
