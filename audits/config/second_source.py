"""CF013: a variable that the settings own is read elsewhere too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from audits.config.accesses import Access, Variables, at
from audits.config.across import top
from audits.config.environment import EnvironmentFacts
from audits.config.names import is_platform
from audits.config.variables import variables_of
from busctl.audit import Confidence, Example, Finding, Project, Rule, Severity

_NAMES = {
    "settings", "setting", "config", "configs", "configuration", "conf", "env", "environment",
    "constants", "options", "app_settings", "app_config",
}  # fmt: skip
_ENOUGH = 5
_SHARE = 0.6
_OUTSIDE = {"get", "item", "call", "library"}  # a test for presence takes no value


class SecondSource(Rule):
    """Speaks only where one module clearly is the settings: it holds the settings class or reads
    most of what all such modules read. Names that it does not own are notes."""

    code = "CF013"
    name = "read-outside-settings"
    family = "config"
    severity = Severity.WARNING
    summary = "A variable of the settings module is read a second time elsewhere."
    why = (
        "The second reader skips the settings' default, conversion, check and .env file: the two "
        "can hold different values at once, and whoever prints the settings sees one of them."
    )
    remedy = "Take the value from the settings."
    needs = (EnvironmentFacts,)
    _SETTINGS = (
        "import os\n\nHOST = os.getenv('APP_HOST', 'localhost')\n"
        "PORT = os.getenv('APP_PORT', '80')\nUSER = os.getenv('APP_USER')\n"
        "LEVEL = os.getenv('APP_LEVEL', 'INFO')\nMODE = os.getenv('APP_MODE')\n"
    )
    GOOD = (
        Example(
            "import os\n\nLEVEL = os.getenv('APP_LEVEL', 'INFO')\n", "worker/main.py",
            {"app/settings.py": _SETTINGS},
        ),
        Example(
            "from app.settings import LEVEL\n\n\ndef level():\n    return LEVEL\n", "app/main.py",
            {"app/settings.py": _SETTINGS},
        ),
        Example(
            "import os\n\n\ndef test_level():\n    assert os.getenv('APP_LEVEL') == 'INFO'\n",
            "tests/test_main.py", {"app/settings.py": _SETTINGS},
        ),
    )  # fmt: skip
    BAD = (
        Example(
            "import os\n\nfrom app.settings import HOST\n\n"
            "LEVEL = os.getenv('APP_LEVEL', 'INFO')\n", "worker/main.py",
            {"app/settings.py": _SETTINGS},
        ),
        Example(
            "import os\n\n\ndef level():\n    return os.environ.get('APP_LEVEL', 'INFO')\n",
            "app/main.py", {"app/settings.py": _SETTINGS},
        ),
        Example(
            "import os\n\n\ndef is_debug():\n    return os.environ.get('APP_DEBUG') == '1'\n",
            "app/main.py",
            {
                "app/settings.py": "from pydantic_settings import BaseSettings\n\n\n"
                "class Settings(BaseSettings, env_prefix='APP_'):\n    debug: bool = False\n",
            },
        ),
    )  # fmt: skip

    def check_project(self, project: Project) -> Iterable[Finding]:
        variables = variables_of(project)
        paths, owned = _owned(variables)
        if not paths:
            return
        read = variables.read()
        rule = len(owned) >= len(read) / 2
        for name, places in sorted(read.items()):
            outside = [
                one for one in places
                if one.path not in paths and one.kind in _OUTSIDE
                and _is_one_program(one.path, min(paths), variables)
                and (name in owned or (rule and not _group(one.path, variables)))
            ]  # fmt: skip
            if outside and not is_platform(name):
                yield self._of(name, outside, owned.get(name), sorted(paths)[0])

    def _of(self, name: str, outside: list[Access], own: Access | None, settings: str) -> Finding:
        first = outside[0]
        more = len({(one.path, one.at.line) for one in outside}) - 1
        also = f" (and in {more} other place{'s' if more > 1 else ''})" if more else ""
        if own is None:
            return at(
                self, first, first.call,
                f"{name} is read here{also}, past the settings in {settings}: their checks, their "
                "list and whoever prints them do not know of it.",
                confidence=Confidence.LOW, severity=Severity.NOTE,
                remedy="Make it a setting.",
            )  # fmt: skip
        return at(
            self, first, first.call,
            f"{name} belongs to the settings ({own.path}:{own.at.line}) and is read again here"
            f"{also}, without their default and checks: the two may differ, and printing the "
            "settings shows only one.",
            confidence=Confidence.MEDIUM, evidence=[f"{one.path}:{one.at.line}" for one in outside],
        )  # fmt: skip


def _is_one_program(path: str, settings: str, variables: Variables) -> bool:
    """Whether a file belongs to what the settings are of: it lies below the same folder at the
    top, or what lies beside it imports from there."""
    mine, theirs = top(path), top(settings)
    return mine in (theirs, "") or theirs in variables.importing.get(mine, ())


def _owned(variables: Variables) -> tuple[set[str], dict[str, Access]]:
    """The files that are the settings, and the first read of each name there."""
    names: defaultdict[str, dict[str, Access]] = defaultdict(dict)
    files: defaultdict[str, set[str]] = defaultdict(set)
    for name, places in variables.read().items():
        for one in places:
            group = _group(one.path, variables)
            if group and (one.kind == "field" or one.path not in variables.settings_paths
                          or one.kind in _OUTSIDE):  # fmt: skip
                names[group].setdefault(name, one)
                files[group].add(one.path)
    if not names:
        return set(), {}
    best = max(sorted(names), key=lambda group: len(names[group]))
    every = {name for group in names.values() for name in group}
    declared = bool(files[best] & variables.settings_paths)
    enough = declared or len(names[best]) >= _ENOUGH
    if not enough or len(names[best]) < _SHARE * len(every):
        return set(), {}
    return files[best], names[best]


def _group(path: str, variables: Variables) -> str:
    """The settings module or package that a file is or belongs to, "" when it is none."""
    *folders, last = path.removesuffix(".py").split("/")
    if folders and folders[-1] in ("settings", "config", "conf", "configuration"):
        return "/".join(folders) + "/"
    return path if last in _NAMES or path in variables.settings_paths else ""
