"""CF012: one variable, several defaults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from audits.config.accesses import Access, at
from audits.config.environment import EnvironmentFacts
from audits.config.names import is_platform, is_secret
from audits.config.variables import variables_of
from busctl.audit import Confidence, Example, Finding, Project, Rule, Severity

_TRUE = {"true", "yes", "on", "t", "y", "enabled"}
_FALSE = {"false", "no", "off", "f", "n", "disabled"}


class ConflictingDefault(Rule):
    """One finding a name, at the default that differs from what most places say."""

    code = "CF012"
    name = "conflicting-default"
    family = "config"
    severity = Severity.WARNING
    summary = "Two places read one environment variable with different defaults."
    why = (
        "While the variable is not set, parts of one program run with different values for it; "
        "the documented default is wrong for some of them, and nothing shows which."
    )
    remedy = "Read it once, in the settings, and take the value from there."
    needs = (EnvironmentFacts,)
    GOOD = (
        'import os\n\nA = int(os.getenv("APP_RETRIES", "5"))\nB = os.getenv("APP_RETRIES") or 5.0\n'
        'C = os.getenv("APP_RETRIES", "")\n',
        'import os\n\nA = os.getenv("APP_DEBUG", "False").lower() == "true"\n'
        'B = os.getenv("APP_DEBUG", "0") == "1"\n',
        'import os\nimport subprocess\n\nLEVEL = os.getenv("APP_LEVEL", "INFO")\n\n\n'
        'def measured():\n    level = {"APP_LEVEL": os.environ.get("APP_LEVEL", "ERROR")}\n'
        '    subprocess.run(["app", "measure"], env={**os.environ, **level}, check=True)\n',
    )
    BAD = (
        Example(
            'import os\n\nTIMEOUT = int(os.getenv("APP_TIMEOUT", "30"))\n', "app/client.py",
            {"app/server.py": 'import os\n\nLIMIT = int(os.getenv("APP_TIMEOUT", 60))\n'},
        ),
        Example(
            "import os\n\n\ndef flag(name, default=False):\n"
            '    return os.getenv(name, str(default)).lower() == "true"\n', "app/flags.py",
            {
                "app/a.py": 'from app.flags import flag\n\nON = flag("APP_CACHE", True)\n',
                "app/b.py": 'from app.flags import flag\n\nON = flag("APP_CACHE")\n',
            },
        ),
    )  # fmt: skip

    def check_project(self, project: Project) -> Iterable[Finding]:
        for name, places in sorted(variables_of(project).read().items()):
            if not is_platform(name):
                yield from self._of_name(name, places)

    def _of_name(self, name: str, places: list[Access]) -> Iterable[Finding]:
        # That is how a script says otherwise on purpose, before the read or to another program.
        given = [
            (one, _normal(one.default)) for one in places
            if one.kind not in ("setdefault", "handed")
        ]  # fmt: skip
        known = [(one, value) for one, value in given if value is not None]
        values = {value for _, value in known}
        if len(values) < 2 or _same_switch(values):
            return
        usual = Counter(value for _, value in known).most_common(1)[0][0]
        first = next(one for one, value in known if value == usual)
        other = next(one for one, value in known if value != usual)
        secret = is_secret(name)
        shown = "two values" if secret else f"{_shown(first)} and {_shown(other)}"
        more = f" ({len(values)} values in all)" if len(values) > 2 else ""
        yield at(
            self, other, other.value or other.at,
            f"{name} has the defaults {shown}{more}: here and in {first.path}:{first.at.line}. "
            "Unset, the program runs with both, and nobody is told which part has which.",
            confidence=_confidence(first, other),
            evidence=[f"{one.path}:{one.at.line}" + ("" if secret else f" {_shown(one)}")
                      for one, _ in known[:6]],
        )  # fmt: skip


def _confidence(first: Access, other: Access) -> Confidence:
    """Programs in different folders at the top may be different ones."""
    if first.path == other.path and first.symbol and first.symbol == other.symbol:
        return Confidence.LOW  # alternatives of one function: the default follows another choice
    one, two = (access.path.split("/") for access in (first, other))
    apart = len(one) > 1 and len(two) > 1 and one[0] != two[0]
    return Confidence.MEDIUM if apart else Confidence.HIGH


def _normal(default: list[Any] | None) -> str | None:
    """A default so that "5", 5 and 5.0 are one; None for none, unknown ones and empty ones."""
    if default is None or default[0] != "v":
        return None
    value = default[1]
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value).strip()
    if value is None or text == "" or text.lower() in ("none", "null"):
        return None
    try:
        return repr(float(text.replace("_", "")))
    except ValueError:
        lower = text.lower()
        if lower in _TRUE:
            return "true"
        return "false" if lower in _FALSE else lower.rstrip("/")


def _same_switch(values: set[str]) -> bool:
    """1 and true are one value of a switch, 0 and false the other."""
    return values <= {"1.0", "true"} or values <= {"0.0", "false"}


def _shown(one: Access) -> str:
    value = one.default[1] if one.default else None
    text = repr(str(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:37] + "…'"
