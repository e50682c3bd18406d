"""Names what is locked with an extra once more without it: `python -m tests.packaging.lock_extras`
ends `make lock`.

The pips that come with Python 3.11 (23.0 to 23.2) take `pydantic[email]` and `pydantic` for two
things, and with hashes refuse the one that is not pinned by that very name.
"""

from __future__ import annotations

import re
from pathlib import Path

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
WITH_EXTRA = re.compile(r"^([a-z0-9.-]+)\[[a-z0-9,-]+\]==(?:.*\\\n)+.*\n", re.M)


def named_twice(text: str) -> str:
    """The lock, each entry that has an extra with one before it that has none."""
    known = set(re.findall(r"^([a-z0-9.-]+)==", text, re.M))

    def both(entry: re.Match[str]) -> str:
        if entry[1] in known:
            return entry[0]
        return re.sub(r"\[[^]]*\]", "", entry[0], count=1) + entry[0]

    return WITH_EXTRA.sub(both, text)


if __name__ == "__main__":
    LOCK.write_text(named_twice(LOCK.read_text("utf-8")), "utf-8")
