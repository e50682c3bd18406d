"""CF015: the text of a variable is used as if it were a switch or a number."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from audits.config.definitions import is_tested
from audits.config.envfiles import texts_of
from audits.config.names import is_platform, is_switch, says_off, says_on
from audits.config.parts import literal
from audits.config.reads import Read, reads_of
from busctl.audit import Confidence, Example, Finding, Project, Rule, Severity, Source

_NUMBERS = (int, float)


class WrongType(Rule):
    """An environment variable is text: "false" is true, "5" is not 5. A test for presence is
    spared unless the .env example sets the name to false or 0."""

    code = "CF015"
    name = "environment-text-as-value"
    family = "config"
    severity = Severity.ERROR
    summary = "An environment variable's text is used as a truth value or a number."
    why = (
        "The operator writes NAME=false and the feature is on, or a comparison never holds: the "
        "program does the opposite of what the file says, and reports nothing."
    )
    remedy = 'Compare the text (`.lower() in ("1", "true", "yes")`) or convert it with int().'
    GOOD = (
        'import os\n\nDEBUG = os.getenv("DEBUG", "false").lower() == "true"\n'
        'KEY = bool(os.getenv("API_KEY"))\nCOUNT = bool(int(os.getenv("COUNT", "0")))\n',
        'import os\n\nif os.getenv("APP_TOKEN"):\n    print("signed in")\n',
        'import os\n\nPORT = int(os.getenv("PORT", 8000))\n'
        'if os.getenv("APP_MODE", "fast") == "fast":\n    print(PORT)\n',
        'import os\n\nif os.environ.get("os_jail", False):\n    print("in a jail")\n',
    )
    BAD = (
        'import os\n\nDEBUG = bool(os.getenv("DEBUG", "false"))\n',
        'import os\n\n\ndef main():\n    if os.environ.get("APP_CACHE", "0"):\n'
        "        print('cached')\n",
        'import os\n\nCACHE = os.getenv("APP_CACHE", "False")\n\n\ndef main():\n'
        "    if not CACHE:\n        print('cold')\n",
        'import os\n\nON = os.getenv("APP_CACHE") == True\n',
        'import os\n\n\ndef many():\n    return os.environ["APP_WORKERS"] > 4\n',
        Example(
            'import os\n\n\ndef main():\n    if os.getenv("APP_TRACE"):\n        print("traced")\n',
            "app/main.py", {".env.example": "APP_TRACE=false\n"},
        ),
        'import os\n\n\ndef pool(make):\n    return make(size=os.getenv("POOL_SIZE", 10))\n',
    )  # fmt: skip

    def check(self, source: Source) -> Iterable[Finding]:
        reads = reads_of(source)
        if source.is_test:
            return
        for read in reads.found:
            if read.kind in ("get", "item") and isinstance(read.node, ast.expr):
                found = self._judge(source, read)
                if found is not None:
                    yield found

    def _judge(self, source: Source, read: Read) -> Finding | None:
        node, name = read.node, read.text or "the variable"
        parent = source.parent(node)
        default = literal(read.default)
        if isinstance(parent, ast.Compare):
            return self._compared(source, parent, name)
        if isinstance(parent, ast.BinOp):
            return self._reckoned(source, parent, node, name)
        if isinstance(parent, ast.Attribute) and isinstance(default, _NUMBERS):
            return self.finding(
                source, node,
                f"{name} has the default {default!r}, which has no .{parent.attr}: unset, this "
                "line raises AttributeError; only those who set the variable never see it.",
                confidence=Confidence.HIGH,
            )  # fmt: skip
        if isinstance(parent, ast.Call) and source.called(parent) == "bool":
            return self._as_truth(source, parent, read, default, sure=True)
        if is_tested(source, node):
            return self._as_truth(source, node, read, default, sure=False)
        return self._assigned(source, parent, read, default) or self._mixed(
            source, parent, read, default
        )

    def _compared(self, source: Source, test: ast.Compare, name: str) -> Finding | None:
        others = [one for one in (test.left, *test.comparators) if isinstance(one, ast.Constant)]
        wrong = [one.value for one in others if isinstance(one.value, (bool, *_NUMBERS))]
        if len(test.ops) != 1 or not wrong or isinstance(test.ops[0], (ast.In, ast.NotIn)):
            return None
        equal = isinstance(test.ops[0], (ast.Eq, ast.Is))
        differs = isinstance(test.ops[0], (ast.NotEq, ast.IsNot))
        effect = "never holds" if equal else "always holds" if differs else "raises TypeError"
        return self.finding(
            source, test,
            f"{name} is text and is compared with {wrong[0]!r}: the comparison {effect}, whatever "
            "the operator writes.",
            confidence=Confidence.HIGH,
        )  # fmt: skip

    def _reckoned(
        self, source: Source, sum_: ast.BinOp, node: ast.AST, name: str
    ) -> Finding | None:
        other = literal(sum_.right if sum_.left is node else sum_.left)
        if not _is_number(other) or isinstance(sum_.op, ast.Mod):
            return None
        return self.finding(
            source, sum_,
            f"{name} is text and is reckoned with {other!r}: it is repeated or raises TypeError "
            "as soon as the variable is set.",
            confidence=Confidence.HIGH,
        )  # fmt: skip

    def _as_truth(
        self, source: Source, at: ast.AST, read: Read, default: Any, *, sure: bool,
        value_of: str = "",
    ) -> Finding | None:  # fmt: skip
        name = read.text or "the variable"
        through = f" through {value_of}" if value_of else ""
        if (says_off(default) or says_on(default)) and not _is_presence(default, read.text):
            written = (
                "the default itself counts as on"
                if isinstance(default, str) and says_off(default)
                else f"{name}=false counts as on"
            )
            return self.finding(
                source, at,
                f"{name} (default {default!r}) is asked for its truth{through}: any text but the "
                f"empty one is true, so {written} and the operator cannot switch it off.",
                confidence=Confidence.HIGH,
            )  # fmt: skip
        if default not in (None, "", False) or not read.text or is_platform(read.text):
            return None
        return self.finding(
            source, at,
            f"{name} is asked for its truth{through}: {name}=false and {name}=0 count as on.",
            confidence=Confidence.MEDIUM,
            asks={"name": read.text, "switch": sure and is_switch(read.text)},
        )  # fmt: skip

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        """Presence is a fair question, unless the example writes false or 0 for "off"."""
        name = finding.asks["name"]
        for entries in texts_of(project).examples.values():
            for one in entries:
                if one.name == name and (says_off(one.value) or one.value.lower() == "true"):
                    said = f"{one.path}:{one.line} sets it to {one.value}"
                    return replace(finding, confidence=Confidence.HIGH, evidence=(said,))
        return finding if finding.asks["switch"] else None

    def _assigned(
        self, source: Source, parent: ast.AST | None, read: Read, default: Any
    ) -> Finding | None:
        """A name that holds the text, asked for its truth further down."""
        if not isinstance(parent, (ast.Assign, ast.AnnAssign)):
            return None
        target = parent.targets[0] if isinstance(parent, ast.Assign) else parent.target
        if not isinstance(target, ast.Name) or not (says_off(default) or says_on(default)):
            return None
        scope = source.function(parent)
        uses = [one for one in source.nodes(ast.Name) if one.id == target.id and one is not target]
        if any(isinstance(one.ctx, ast.Store) or _converted(source, one) for one in uses):
            return None
        tested = [
            one for one in uses
            if is_tested(source, one) and (scope is None or source.function(one) is scope)
        ]  # fmt: skip
        if not tested:
            return None
        return self._as_truth(
            source, read.node, read, default, sure=True,
            value_of=f"{target.id} in line {tested[0].lineno}",
        )  # fmt: skip

    def _mixed(
        self, source: Source, parent: ast.AST | None, read: Read, default: Any
    ) -> Finding | None:
        """A number while unset, text once set, and handed on as it is."""
        if not _is_number(default) or not isinstance(
            parent, (ast.Assign, ast.AnnAssign, ast.keyword, ast.Return)
        ):
            return None
        target = parent.targets[0] if isinstance(parent, ast.Assign) else getattr(
            parent, "target", None)  # fmt: skip
        if isinstance(target, ast.Name) and any(
            one.id == target.id and _converted(source, one) for one in source.nodes(ast.Name)
        ):
            return None
        name = read.text or "the variable"
        return self.finding(
            source, read.node,
            f"{name} is the number {default!r} while it is unset and text once it is set: what "
            "works for its author fails, or compares wrongly, for whoever sets it.",
            severity=Severity.WARNING,
        )  # fmt: skip


def _converted(source: Source, name: ast.Name) -> bool:
    """Whether the text is looked at as a text elsewhere: the truth test asks if there is one."""
    around = source.parent(name)
    if isinstance(around, ast.Call):
        return name in around.args and source.called(around) not in ("print", "bool", "repr")
    return isinstance(around, (ast.Attribute, ast.Compare, ast.Subscript))


def _is_presence(default: Any, name: str) -> bool:
    """`environ.get("some_chroot", False)`: whether it is set, by a name that is no switch."""
    return default is False and not is_switch(name)


def _is_number(value: object) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)
