"""IN002: a stub of a later base that can never run, until somebody re-orders the bases."""

from __future__ import annotations

from collections.abc import Iterable

from audits.inheritance.combining import called, combining, hidden_stubs, hierarchy, shown
from busctl.audit import Confidence, Finding, Project, Rule, Severity, Span
from busctl.audit.classes import ClassFacts


class ShadowedStub(Rule):
    """Harmless as it stands: a note, of low confidence that anyone would act on it."""

    code = "IN002"
    name = "shadowed-stub"
    family = "inheritance"
    severity = Severity.NOTE
    summary = "A stub of a later base is hidden by the real method of an earlier one."
    why = (
        "Nothing is lost today: the real method wins. But the order of the bases alone decides, "
        "and who re-orders them cannot learn that the method then does nothing."
    )
    remedy = "Make the stub abstract, or put it under `if TYPE_CHECKING:`."
    needs = (ClassFacts,)
    GOOD = (
        # An abstract stub would be refused by Python, not run.
        """
from abc import ABC, abstractmethod

class Sends:
    def send(self, text):
        self.socket.sendall(text)

class Chats(ABC):
    @abstractmethod
    def send(self, text): ...

class Client(Sends, Chats):
    pass
""",
        # The end of a chain of super() calls.
        """
class Closes:
    def close(self):
        super().close()
        self.socket.close()

class End:
    def close(self):
        pass

class Client(Closes, End):
    pass
""",
    )
    BAD = (
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
        """
class Stores:
    def load(self, key):
        return self.items[key]

class Caches:
    def load(self, key):
        '''Load it.'''

    def cached(self, key):
        return self.load(key)

class Both(Stores, Caches):
    pass
""",
    )

    def check_project(self, project: Project) -> Iterable[Finding]:
        classes = project.once(hierarchy)
        for identity, order in combining(classes):
            found = list(hidden_stubs(classes, identity, order))
            if not found:
                continue
            facts = classes.classes[identity]
            hidden = "; ".join(
                f"{called(each.stub)}.{each.method}() behind {called(each.real)}.{each.method}()"
                for each in found
            )
            yield Finding(
                code=self.code, name=self.name, path=classes.path(identity),
                span=Span(facts["line"], facts["column"], facts["line"],
                          facts["column"] + len(facts["anchor"])),
                message=f"In {called(identity)}, stubs are hidden by their order alone: {hidden}. "
                        f"Nothing is lost as long as it stays {shown(order)}.",
                severity=self.severity, confidence=Confidence.LOW, remedy=self.remedy,
                symbol=facts["name"], anchor=facts["anchor"],
            )  # fmt: skip
