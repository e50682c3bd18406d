"""Taking secrets out of text that leaves the machine. Pure: told what is secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from busctl.core.configuration.dsn import MASK

SHORTEST = 3
"""Shorter words stand everywhere by chance; a password of two letters hides nothing either."""
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@")
_NAMED = re.compile(
    r"(?i)\b(?P<name>[a-z_]*(?:password|passwd|secret|token|api_?key)[a-z_]*)(?P<sign>\s*=\s*)"
    r"(?:'[^']*'|\"[^\"]*\"|[^\s&;,'\"]+)"
)


class Redactor:
    """Knows some secrets in every spelling, and the places where others use to stand."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {
            spelled
            for secret in secrets
            for spelled in (secret, unquote(secret), quote(secret, safe=""), quote_plus(secret))
            if len(spelled) >= SHORTEST
        }
        # The longest first: one may be part of another.
        self._known = sorted(known, key=lambda one: (-len(one), one))

    def clean_all(self, value: Any) -> Any:
        """A JSON value with every text in it cleaned, names too."""
        match value:
            case str():
                return self.clean(value)
            case dict():
                return {self.clean(name): self.clean_all(each) for name, each in value.items()}
            case list():
                return [self.clean_all(each) for each in value]
            case _:
                return value

    def clean(self, text: str) -> str:
        """`text` with every secret as ***."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        text = _USERINFO.sub(rf"\g<scheme>:{MASK}@", text)
        return _NAMED.sub(rf"\g<name>\g<sign>{MASK}", text)
