"""The forms an outcome can be written in, by the name of `--format`.

Each is a module of this package with `render(outcome) -> str`, imported when it is asked for. What
they return ends with a line break, and is the same for the same outcome: no times, no durations.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from busctl.audit.outcome import Outcome

Format = Callable[[Outcome], str]


def _of(name: str) -> Format:
    def render(outcome: Outcome) -> str:
        made: str = import_module(f"{__name__}.{name}").render(outcome)
        return made

    return render


FORMATS: dict[str, Format] = {
    name: _of(name)
    for name in ("text", "json", "ndjson", "sarif", "github", "gitlab", "junit", "markdown")
}
