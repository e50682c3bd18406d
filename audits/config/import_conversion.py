"""CF014: a variable is converted while the module is imported, and nothing catches the error."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from audits.config.accesses import at
from audits.config.conversions import conversion, handled, import_time
from audits.config.environment import EnvironmentFacts
from audits.config.reads import Read, Reads, reads_of
from audits.config.variables import variables_of
from busctl.audit import Confidence, Finding, Project, Rule, Severity, Source

_HARMLESS = {"str", "bool", ""}
_ASKED = ("isdigit", "isdecimal", "isnumeric", "match", "fullmatch")
_RAISING = {"int", "float", "json.loads", "complex", "decimal.Decimal"}


class ImportConversion(Rule):
    """Spared: a `try` around it, a `__main__` block, a test for digits before it."""

    code = "CF014"
    name = "conversion-at-import"
    family = "config"
    severity = Severity.WARNING
    summary = "An environment variable is converted at import, where an error is a crash."
    why = (
        "One malformed value stops everything that imports the module, `--help` and the tests "
        "included, with a traceback that names neither the variable nor its right form; the "
        "operator cannot tell which line of .env to mend."
    )
    remedy = (
        "Read it in a function or a settings class that reports the variable's name and the "
        "value's fault, all faults at once."
    )
    needs = (EnvironmentFacts,)
    GOOD = (
        'import os\n\ntry:\n    LIMIT = int(os.getenv("APP_LIMIT", "5"))\n'
        "except ValueError as error:\n    raise SystemExit(f'APP_LIMIT: {error}')\n",
        'import os\n\n\ndef limit() -> int:\n    return int(os.environ["APP_LIMIT"])\n',
        'import os\n\nif __name__ == "__main__":\n    print(int(os.environ["APP_LIMIT"]))\n',
        "import os\n\n\ndef env_int(name, default):\n    try:\n"
        "        return int(os.getenv(name, default))\n    except ValueError as error:\n"
        "        raise SystemExit(f'{name}: {error}')\n\n\n"
        'LIMIT = env_int("APP_LIMIT", 5)\n',
        'import os\n\nRAW = os.getenv("APP_LIMIT", "")\nLIMIT = int(RAW) if RAW.isdigit() else 5\n',
    )
    BAD = (
        'import os\n\nLIMIT = int(os.environ["APP_LIMIT"])\n',
        'import os\n\n\nclass Pool:\n    size = int(os.getenv("APP_POOL_SIZE", "5"))\n',
        "import json\nimport os\n\n\n"
        'def connect(options=json.loads(os.getenv("APP_OPTIONS", "{}"))):\n    return options\n',
        "import os\n\n\ndef env_int(name, default):\n"
        "    return int(os.getenv(name) or default)\n\n\n"
        'LIMIT = env_int("APP_LIMIT", 5)\n',
    )

    def check(self, source: Source) -> Iterable[Finding]:
        reads = reads_of(source)
        if not reads.found or source.is_test or source.is_shown:
            return
        for read in reads.found:
            if read.kind not in ("get", "item") or not import_time(source, read.node):
                continue
            found = conversion(source, read.node) or _later(reads, read)
            if found is None or found[0] in _HARMLESS:
                continue
            called, call = found
            if handled(source, call) or _asked(source, call):
                continue
            name = read.text or "the variable"
            yield self.finding(
                source, call,
                f"{name} goes through {called}() when this module is imported: a malformed value "
                "stops every command that imports it with a traceback that does not name "
                f"{name}.",
                evidence=(f"{called}() at import, no try around it",),
            )  # fmt: skip

    def check_project(self, project: Project) -> Iterable[Finding]:
        for one in variables_of(project).accesses:
            if (
                one.kind == "call" and one.import_time and one.cast in _RAISING
                and not one.test and not one.shown
            ):  # fmt: skip
                yield at(
                    self, one, one.call,
                    f"{one.name} goes through {one.cast}() when this module is imported: a "
                    "malformed value stops every command that imports it with a traceback that "
                    f"does not name {one.name}.",
                    confidence=Confidence.MEDIUM,
                    evidence=["the function that reads it does not catch the error"],
                )  # fmt: skip


def _later(reads: Reads, read: Read) -> tuple[str, ast.Call] | None:
    """The conversion of the module's name that holds the text, at import too."""
    statement = reads.source.parent(read.node)
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return None
    name = statement.targets[0].id
    for call in reads.source.nodes(ast.Call):
        if (
            len(call.args) == 1 and isinstance(call.args[0], ast.Name) and call.args[0].id == name
            and call.lineno > statement.lineno and import_time(reads.source, call)
        ):  # fmt: skip
            called = reads.source.called(call)
            if called in _RAISING:
                return called, call
    return None


def _asked(source: Source, call: ast.Call) -> bool:
    """Whether a condition around it looks at the text first."""
    inner: ast.AST = call
    for around in source.parents(call):
        if isinstance(around, (ast.If, ast.IfExp)) and inner is not around.test:
            asked = [one.attr for one in ast.walk(around.test) if isinstance(one, ast.Attribute)]
            if any(one in _ASKED for one in asked):
                return True
        inner = around
    return False
