"""CF010: a variable that is read, and that no .env example names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audits.config.accesses import Access, Variables, at
from audits.config.envfiles import Texts, texts_of
from audits.config.environment import EnvironmentFacts
from audits.config.names import is_platform
from audits.config.variables import variables_of
from busctl.audit import Confidence, Example, Finding, Project, Rule, Severity

_FEW = 3
_TOOLS = {"scripts", "tools", "bin", "ci", ".github", "dev", "evals"}
_WEAK = {"in", "setdefault", "option"}


class UndocumentedVariable(Rule):
    """One finding a name, at the place that reads it first; where nothing documents any variable,
    one finding for the project."""

    code = "CF010"
    name = "undocumented-variable"
    family = "config"
    severity = Severity.WARNING
    summary = "An environment variable is read that no .env example or document names."
    why = (
        "Whoever installs the application cannot know that the switch exists, nor which value the "
        "code takes when it is missing: it is found by reading the source, or never."
    )
    remedy = "Add the name with its default and one line of why to the .env example."
    needs = (EnvironmentFacts,)
    GOOD = (
        Example(
            'import os\n\nTIMEOUT = os.getenv("APP_TIMEOUT", "30")\nHOME = os.getenv("HOME")\n',
            "app/settings.py",
            {".env.example": "# Seconds a request may take.\nAPP_TIMEOUT=30\n"},
        ),
        Example(
            "from pydantic_settings import BaseSettings, SettingsConfigDict\n\n\n"
            "class Settings(BaseSettings):\n"
            '    model_config = SettingsConfigDict(env_prefix="APP_")\n'
            "    timeout: float = 30.0\n",
            "app/settings.py",
            {".env.example": "# APP_TIMEOUT=30\n"},
        ),
        Example(
            "from pydantic import Field\nfrom pydantic_settings import BaseSettings\n\n\n"
            "def setting(default, name):\n"
            "    return Field(default, validation_alias=name)\n\n\n"
            'class Settings(BaseSettings):\n    timeout: float = setting(30.0, "APP_TIMEOUT")\n',
            "app/settings.py",
            {".env.example": "# APP_TIMEOUT=30\n"},
        ),
        Example(
            "from pydantic_settings import BaseSettings, SettingsConfigDict\n\n"
            "from app.models import Answer, ServerConfig\n\n\n"
            "class Settings(BaseSettings):\n"
            '    model_config = SettingsConfigDict(env_nested_delimiter="__")\n'
            "    timeout: float = 30.0\n    server: ServerConfig = ServerConfig()\n"
            "    answer_model: object = Answer\n",
            "app/settings.py",
            {".env.example": "TIMEOUT=30\n"},
        ),
        Example(
            'import os\n\n\ndef report():\n    return os.getenv("REPORT_CASES")\n',
            "test-int/harness.py",
            {".env.example": "APP_TIMEOUT=30\n"},
        ),
        Example(
            "import os\n\n\ndef env(name, default=None):\n"
            '    for key in ("DESK_" + name, "OLD_DESK_" + name, name):\n'
            "        value = os.environ.get(key)\n        if value is not None:\n"
            "            return value\n    return default\n\n\n"
            'URL, KEY = env("URL"), env("KEY", "")\n',
            "app/settings.py",
            {".env.example": "DESK_URL=\nOLD_DESK_KEY=\n"},
        ),
        Example(
            'import os\n\n\ndef test_url():\n    assert os.getenv("TEST_URL")\n',
            "tests/test_url.py",
            {".env.example": "APP_TIMEOUT=30\n"},
        ),
    )
    BAD = (
        Example(
            "import os\n\n\ndef env(name, default=None):\n"
            '    for key in ("DESK_" + name, name):\n'
            "        value = os.environ.get(key)\n        if value is not None:\n"
            "            return value\n    return default\n\n\n"
            'URL, KEY = env("URL"), env("KEY", "")\n',
            "app/settings.py",
            {".env.example": "DESK_URL=\n"},
        ),
        Example(
            "import os\n\n\ndef env_int(name, default):\n"
            "    return int(os.environ.get(name, default))\n\n\n"
            'TIMEOUT = env_int("APP_TIMEOUT", 30)\nRETRIES = env_int("APP_RETRIES", 3)\n',
            "app/settings.py",
            {".env.example": "APP_TIMEOUT=30\n"},
        ),
        Example(
            'import os\n\nURL = os.environ["APP_URL"]\nKEY = os.environ["APP_KEY"]\n'
            'MODE = os.environ.get("APP_MODE")\n',
            "app/settings.py",
            {"README.md": "# App\n\nInstall it.\n"},
        ),
    )

    def check_project(self, project: Project) -> Iterable[Finding]:
        variables, texts = variables_of(project), texts_of(project)
        read = {
            name: places for name, places in variables.read().items() if not is_platform(name)
        }  # fmt: skip
        if not texts.examples and not any(name in texts.documents for name in read):
            return self._nowhere(read)
        return list(self._each(read, variables, texts))

    def _nowhere(self, read: dict[str, list[Access]]) -> Sequence[Finding]:
        if len(read) < _FEW:
            return ()
        first = _most_read(read)
        return (at(
            self, first, first.at,
            f"{len(read)} environment variables are read ({_some(read)}), and neither an .env "
            "example nor a document names any: whoever installs this learns of them from the "
            "source alone.",
            severity=Severity.NOTE, confidence=Confidence.MEDIUM,
            remedy="Write an .env.example with every name, its default and one line of why.",
        ),)  # fmt: skip

    def _each(
        self, read: dict[str, list[Access]], variables: Variables, texts: Texts
    ) -> Iterable[Finding]:
        written = variables.written()
        named_in_real = {one.name for each in texts.real.values() for one in each}
        alternatives = variables.alternatives()
        for name, places in sorted(read.items()):
            if ({name} | alternatives.get(name, set())) & texts.in_examples:
                continue
            first = places[0]
            confidence, severity, evidence = Confidence.HIGH, self.severity, []
            if name in texts.documents:
                evidence.append(f"named in {texts.documents[name][0]}")
                confidence, severity = Confidence.LOW, Severity.NOTE
            elif not texts.examples:  # what a README tells may be meant as a selection
                evidence.append("there is no .env example; documents name other variables")
                confidence = Confidence.MEDIUM
            if name in written or all(_is_state(one, variables) for one in places):
                evidence.append("the application sets it itself")
                confidence, severity = Confidence.LOW, Severity.NOTE
            elif all(one.kind in _WEAK for one in places):
                evidence.append("shown by --help, or only asked whether it is set")
                confidence = min(confidence, Confidence.MEDIUM, key=lambda one: one.rank)
            if all(_is_tool(one.path) for one in places):
                evidence.append("read by a script for developers")
                confidence = min(confidence, Confidence.MEDIUM, key=lambda one: one.rank)
            if name in named_in_real:
                evidence.append("set in an .env file that is no example")
            where = " or ".join(sorted(texts.examples)[:2])
            unnamed = f"{where} does not name it" if where else "no document names it"
            yield at(
                self, first, first.at,
                f"{name} is read here{_also(places)}, and {unnamed}: "
                f"{_without(places)}, and whoever installs this cannot know of the variable.",
                severity=severity, confidence=confidence, evidence=evidence,
            )  # fmt: skip


def _is_state(access: Access, variables: Variables) -> bool:
    """Whether it is a field of settings that the code itself fills in while it runs."""
    return access.kind == "field" and access.anchor.partition(":")[0] in variables.assigned


def _is_tool(path: str) -> bool:
    folders = path.lower().split("/")[:-1]
    return any(one in _TOOLS for one in folders)


def _without(places: list[Access]) -> str:
    asked = {one.path for one in places if one.kind != "item"}
    for one in places:
        if one.kind == "item" and one.default is None and one.path not in asked:
            return "without it the read raises KeyError"
        if one.default is not None and one.default[0] == "v" and one.default[1] not in (None, ""):
            return "without it a default of the code holds"
    return "without it the code goes on as if it were empty"


def _also(places: list[Access]) -> str:
    more = len({(one.path, one.at.line) for one in places}) - 1
    return f" (and in {more} other place{'s' if more > 1 else ''})" if more else ""


def _most_read(read: dict[str, list[Access]]) -> Access:
    """The first access of the file that reads most."""
    by_path: dict[str, list[Access]] = {}
    for places in read.values():
        for one in places:
            by_path.setdefault(one.path, []).append(one)
    most = max(sorted(by_path), key=lambda path: len(by_path[path]))
    return min(by_path[most], key=lambda one: (one.at.line, one.at.column))


def _some(read: dict[str, list[Access]]) -> str:
    names = sorted(read)
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
