"""IN001: a stub wins over the real method, because its base comes first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audits.inheritance.combining import (
    Meeting,
    called,
    combining,
    hidden_reals,
    hierarchy,
    shown,
)
from busctl.audit import Confidence, Example, Finding, Project, Rule, Severity, Span
from busctl.audit.classes import ClassFacts
from busctl.audit.hierarchy import Hierarchy


class StubBeatsReal(Rule):
    """Reported at the class that combines the two, once, with every method it loses."""

    code = "IN001"
    name = "stub-beats-real"
    family = "inheritance"
    severity = Severity.ERROR
    summary = "A stub of an earlier base hides the real method of a later one."
    why = (
        "Python looks methods up in the C3 order of the bases. The stub is found first, so the "
        "real method never runs: nothing is raised, callers get None, and each class looks "
        "right when it is read alone."
    )
    remedy = (
        "Put the base with the real method first, or take the stub out (annotate it under "
        "`if TYPE_CHECKING:`, or make it abstract)."
    )
    needs = (ClassFacts,)
    GOOD = (
        # A hook that the subclass overrides.
        """
class Handler:
    def on_message(self, message):
        raise NotImplementedError

class Printer(Handler):
    def on_message(self, message):
        print(message)
""",
        # The real method comes first.
        """
class Sends:
    def send(self, text):
        self.socket.sendall(text)

class Chats:
    def send(self, text):
        raise NotImplementedError

class Client(Sends, Chats):
    pass
""",
        # A diamond: C3 puts the real override before the hook of the common base.
        """
class Base:
    def close(self):
        pass

class Named(Base):
    pass

class Connected(Base):
    def close(self):
        self.socket.close()

class Client(Named, Connected):
    pass
""",
        # There for type checkers alone.
        """
from typing import TYPE_CHECKING

class Chats:
    if TYPE_CHECKING:
        def send(self, text): ...

class Sends:
    def send(self, text):
        self.socket.sendall(text)

class Client(Chats, Sends):
    pass
""",
        # A constant is an answer; a class that says so does nothing on purpose.
        """
class Small:
    def is_large(self):
        return False

class NoAuditMixin:
    def audit(self, entry):
        pass

class Expires:
    def clean_up(self):
        '''No-op: what is kept here ends by itself.'''

class Server:
    def is_large(self):
        return self.size > 10

    def audit(self, entry):
        self.log.write(entry)

    def clean_up(self):
        self.log.truncate()

class Quiet(Small, NoAuditMixin, Expires, Server):
    pass
""",
    )
    BAD = (
        # A property that asks for a value, in front of the class that has it.
        """
class Named:
    @property
    def name(self):
        msg = "Subclasses must give a name"
        raise NotImplementedError(msg)

class Tool:
    name = "search"

class Search(Named, Tool):
    pass
""",
        """
class ToolsMixin:
    def run_tool(self, name):
        pass

class Engine:
    def run_tool(self, name):
        return self.tools[name]()

class Server(ToolsMixin, Engine):
    pass
""",
        Example(
            """
from project.parts import Saves as Persistence, Tracks

class Job(Tracks["Job"], Persistence):
    def run(self):
        self.save()
""",
            path="project/job.py",
            others={
                "project/__init__.py": "",
                "project/parts/__init__.py": "from .tracks import *\nfrom .saves import Saves\n",
                "project/parts/tracks.py": (
                    "from typing import Generic, TypeVar\nT = TypeVar('T')\n"
                    "class Tracks(Generic[T]):\n"
                    "    def save(self) -> None:\n        '''Save it.'''\n"
                ),
                "project/parts/saves.py": (
                    "class Saves:\n    def save(self) -> None:\n        self.store.put(self)\n"
                ),
            },
        ),
        """
from typing import Protocol

class Store(Protocol):
    def put(self, key: str, value: bytes) -> None: ...

class Files:
    def put(self, key: str, value: bytes) -> None:
        open(key, "wb").write(value)

class FileStore(Store, Files):
    pass
""",
    )

    def check_project(self, project: Project) -> Iterable[Finding]:
        classes = project.once(hierarchy)
        for identity, order in combining(classes):
            found = [
                each
                for each in hidden_reals(classes, identity, order)
                if each.doubtful not in {"purpose", "overrides"}
            ]
            if found:
                yield self._said(classes, identity, order, found)

    def _said(
        self, classes: Hierarchy, identity: str, order: Sequence[str], found: Sequence[Meeting]
    ) -> Finding:
        facts = classes.classes[identity]
        first = found[0]
        lost = "; ".join(
            f"{called(each.real)}.{each.method}() never runs, {called(each.stub)}.{each.method}() "
            f"({each.kind}) does"
            for each in found
        )
        sure = not any(each.doubtful for each in found)
        return Finding(
            code=self.code, name=self.name, path=classes.path(identity),
            span=Span(facts["line"], facts["column"], facts["line"],
                      facts["column"] + len(facts["anchor"])),
            message=f"In {called(identity)}, {lost}: {_for_callers(first.kind)} "
                    f"Order: {shown(order)}.",
            severity=self.severity,
            confidence=Confidence.HIGH if sure else Confidence.MEDIUM,
            remedy=self.remedy,
            evidence=tuple(_evidence(classes, each) for each in found),
            symbol=facts["name"], anchor=facts["anchor"],
        )  # fmt: skip


def _for_callers(kind: str) -> str:
    if kind == "NotImplementedError":
        return "callers get NotImplementedError from a class that has the method."
    if kind == "return NotImplemented":
        return "callers get NotImplemented, which counts as true."
    if kind == "asks for an override":
        return "callers get an error from a class that has the method."
    return "callers get None and cannot learn that nothing was done."


def _evidence(classes: Hierarchy, each: Meeting) -> str:
    stub = classes.classes[each.stub]["members"][each.method]
    real = classes.classes[each.real]["members"][each.method]
    return (
        f"{each.method}: stub at {classes.path(each.stub)}:{stub['line']}, "
        f"real at {classes.path(each.real)}:{real['line']}"
    )
