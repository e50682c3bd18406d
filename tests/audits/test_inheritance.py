"""Which method wins is Python's own answer: each case is also created and asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from busctl.audit import Confidence, Project, Source
from busctl.audit.classes import ClassFacts
from busctl.audit.hierarchy import Hierarchy, InconsistentOrder
from busctl.audit.registry import rules
from tests.audits.examples import audited

RULES = [rule for rule in rules() if rule.family == "inheritance"]

REAL = """
class Real:
    def work(self):
        return "done"
"""

LOST = {
    "pass": "class Stub:\n    def work(self): pass",
    "ellipsis": "class Stub:\n    def work(self): ...",
    "docstring": "class Stub:\n    def work(self):\n        '''Work.'''",
    "return": "class Stub:\n    def work(self):\n        '''Work.'''\n        return None",
    "raise": "class Stub:\n    def work(self):\n        raise NotImplementedError",
    "asks": "class Stub:\n    def work(self):\n        raise NotImplementedError('implement me')",
    "async": "class Stub:\n    async def work(self): pass",
    "classmethod": "class Stub:\n    @classmethod\n    def work(cls): pass",
    "below": "class Top:\n    def work(self): pass\nclass Stub(Top):\n    pass",
    "generic": (
        "from typing import Generic, TypeVar\nT = TypeVar('T')\n"
        "class Stub(Generic[T]):\n    def work(self): pass"
    ),
    "thread": "import threading\nclass Stub(threading.Thread):\n    def work(self): pass",
    "error": "class Stub(Exception):\n    def work(self): pass",
    "alias": "class Hidden:\n    def work(self): pass\nStub = Hidden",
    "unenforced": (
        "from abc import abstractmethod\nclass Stub:\n    @abstractmethod\n    def work(self): ..."
    ),
    "message before": (
        "class Stub:\n    def work(self):\n        msg = _('Subclasses implement this.')\n"
        "        raise NotImplementedError(msg)"
    ),
    "log before": (
        "class Stub:\n    def work(self):\n        log.debug('not here')\n"
        "        raise NotImplementedError"
    ),
    "another error": (
        "class Stub:\n    def work(self):\n"
        "        raise RuntimeError('work() must be overridden in a subclass')"
    ),
    "assertion": "class Stub:\n    def work(self): assert False, 'subclasses must implement work'",
    "NotImplemented": "class Stub:\n    def work(self): return NotImplemented",
    "empty generator": "class Stub:\n    def work(self):\n        if False:\n            yield",
    "either stub": (
        "import sys\n"
        "if sys.version_info >= (3, 12):\n    class Stub:\n        def work(self): pass\n"
        "else:\n    class Stub:\n        def work(self): ..."
    ),
    "thread, unenforced": (
        "import threading\nfrom abc import abstractmethod\n"
        "class Stub(threading.Thread):\n    @abstractmethod\n    def work(self): ..."
    ),
    "else": (
        "from typing import TYPE_CHECKING\n"
        "class Stub:\n"
        "    if TYPE_CHECKING:\n        other: int\n    else:\n        def work(self): pass"
    ),
}

KEPT = {
    "constant": "class Stub:\n    def work(self): return False",
    "empty list": "class Stub:\n    def work(self): return []",
    "checker": (
        "from typing import TYPE_CHECKING\n"
        "class Stub:\n    if TYPE_CHECKING:\n        def work(self): ..."
    ),
    "annotated": "class Stub:\n    work: object",
    "refuses": (
        "class Stub:\n    def work(self):\n"
        "        raise NotImplementedError('this server sends through its own handler')"
    ),
    "abstract": (
        "import abc\nclass Stub(abc.ABC):\n    @abc.abstractmethod\n    def work(self): ..."
    ),
    "overload": (
        "from typing import overload\nclass Stub:\n    @overload\n    def work(self): ...\n"
        "    def work(self, *rest): return rest"
    ),
    "decorated": "class Stub:\n    @remote('work')\n    def work(self): ...",
    "mangled": "class Stub:\n    def __work(self): pass",
    "on purpose": "class Stub:\n    def work(self):\n        '''Disabled by design.'''",
    "said": "class Stub:\n    def work(self):\n        pass  # intentionally nothing",
    "no-op": "class Stub:\n    def work(self):\n        '''A no-op: the server does it.'''",
    "refuses otherwise": "class Stub:\n    def work(self): raise RuntimeError('closed')",
    "real or stub": (
        "import sys\n"
        "if sys.version_info >= (3, 12):\n    class Stub:\n        def work(self): pass\n"
        "else:\n    class Stub:\n        def work(self): return self.slowly()"
    ),
    "unknown base": "from somewhere import Base\nclass Stub(Base):\n    pass",
    "dynamic base": "class Stub(make_base()):\n    pass",
    "assigned": (
        "class Stub:\n    def __init__(self): self.work = print\n    def work(self): pass"
    ),
    "deliberate": "class Stub(Real):\n    def work(self): pass",
    "either": (
        "try:\n    from fast import Stub\nexcept ImportError:\n"
        "    class Stub:\n        def work(self): pass"
    ),
}
USE = "\nclass Both(Stub, Real):\n    pass\n"


@pytest.mark.parametrize("stub", LOST.values(), ids=LOST)
def test_a_stub_that_wins_is_found_where_the_two_meet(stub: str) -> None:
    (found,) = audited({"app/both.py": REAL + stub + USE}, RULES)
    assert (found.code, found.symbol) == ("IN001", "Both")
    assert "Real.work()" in found.message
    assert "Both → " in found.message


@pytest.mark.parametrize("stub", KEPT.values(), ids=KEPT)
def test_what_is_no_stub_or_cannot_be_told_is_left_alone(stub: str) -> None:
    assert audited({"app/both.py": REAL + stub + USE}, RULES) == []


@pytest.mark.parametrize(
    "patch", ["Both.work = Real.work", "setattr(Both, 'work', go)", "setattr(Both, name, go)"]
)
def test_a_method_that_is_given_to_the_class_later_is_not_lost(patch: str) -> None:
    assert audited({"a.py": REAL + LOST["pass"] + USE + patch}, RULES) == []


def test_it_is_said_once_and_not_again_of_the_subclasses() -> None:
    text = REAL + LOST["pass"] + USE + "class Third(Both): pass\nclass Fourth(Third, Real): pass\n"
    assert [one.symbol for one in audited({"a.py": text}, RULES)] == ["Both"]


def test_a_subclass_that_overrides_both_is_quiet() -> None:
    text = (
        REAL
        + LOST["pass"]
        + "\nclass Both(Stub, Real):\n    def work(self): return Real.work(self)\n"
    )
    assert audited({"a.py": text}, RULES) == []


@pytest.mark.parametrize(
    ("stub", "real", "lost"),
    [
        ("def work(self): pass", "work = lambda self: 1", True),
        ("def work(self): pass", "def _work(self): return 1\n    work = _work", True),
        ("def work(self): pass", "work = None", False),
        ("def work(self): pass", "work = 'a name'", False),
        ("@property\n    def work(self): ...", "work = 'a name'", True),
        ("@property\n    def work(self): ...", "work = None", False),
    ],
)
def test_an_attribute_is_lost_where_the_stub_stands_for_its_like(
    stub: str, real: str, *, lost: bool
) -> None:
    text = f"class Stub:\n    {stub}\nclass Real:\n    {real}\nclass Both(Stub, Real): pass\n"
    assert [one.code for one in audited({"a.py": text}, RULES)] == ["IN001"] * lost


@pytest.mark.parametrize(
    ("stub", "body", "lost"),
    [
        ("__repr__", "other: int", False),
        ("work", "other: int", True),
        ("work", "work: object", False),
    ],
)
def test_what_a_dataclass_writes_itself_is_not_lost(stub: str, body: str, *, lost: bool) -> None:
    text = (
        "from dataclasses import dataclass\n"
        f"class Stub:\n    def {stub}(self): pass\n"
        f"class Real:\n    def {stub}(self): return 'real'\n"
        f"@dataclass\nclass Both(Stub, Real):\n    {body}\n"
    )
    assert [one.code for one in audited({"a.py": text}, RULES)] == ["IN001"] * lost


def test_a_diamond_is_judged_by_c3() -> None:
    text = """
class Hook:
    def work(self): pass
class Left(Hook): pass
class Right(Hook):
    def work(self): return 1
class Both(Left, Right): pass
"""
    assert audited({"a.py": text}, RULES) == []


def test_all_methods_that_a_class_loses_are_one_finding() -> None:
    text = """
class Stub:
    def a(self): pass
    def b(self): pass
class Real:
    def a(self): return 1
    def b(self): return 2
class Both(Stub, Real): pass
"""
    (found,) = audited({"a.py": text}, RULES)
    assert "Real.a()" in found.message
    assert "Real.b()" in found.message
    assert found.confidence is Confidence.HIGH


def test_a_base_is_found_through_packages_and_aliases() -> None:
    files = {
        "pkg/__init__.py": "from .parts import Stub as Empty\nfrom . import real as engine\n",
        "pkg/parts/__init__.py": "from pkg.parts.one import *\n",
        "pkg/parts/one.py": LOST["pass"],
        "pkg/real.py": REAL,
        "pkg/use.py": "import pkg\nclass Both(pkg.Empty, pkg.engine.Real): pass\n",
    }
    (found,) = audited(files, RULES)
    assert (found.code, found.path) == ("IN001", "pkg/use.py")


def test_packages_below_another_folder_are_found_by_their_own_name() -> None:
    files = {
        "backend/pkg/stub.py": LOST["pass"],
        "backend/pkg/real.py": REAL,
        "backend/pkg/use.py": (
            "from pkg.stub import Stub\nfrom pkg.real import Real\nclass Both(Stub, Real): pass\n"
        ),
    }
    assert [one.code for one in audited(files, RULES)] == ["IN001"]


def test_the_order_is_pythons_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
import threading
from typing import Generic, TypeVar
T = TypeVar("T")
class A: ...
class B(A): ...
class C(A, Generic[T]): ...
class D(C[int], B): ...
class E(threading.Thread, B): ...
class F(D, E, Exception if False else object): ...
class G(E, D): ...
class H(C[T], Generic[T]): ...
class I(H[int], G): ...
class Outer:
    class A(B): ...
    class Inner(A, C): ...
class J(ValueError, A, KeyError): ...
"""
    (tmp_path / "orders_of_python.py").write_text(text.replace("class F", "class _F"))
    monkeypatch.syspath_prepend(tmp_path)
    import importlib

    module = importlib.import_module("orders_of_python")
    source = Source("orders_of_python.py", text)
    hierarchy = Hierarchy(Project({"ClassFacts": {source.path: ClassFacts().collect(source)}}))
    for name in ("B", "C", "D", "E", "G", "H", "I", "Outer.Inner", "J"):
        real = module
        for part in name.split("."):
            real = getattr(real, part)
        wanted = [
            each.__qualname__ for each in real.__mro__ if each.__module__ == "orders_of_python"
        ]
        found = hierarchy.order(f"orders_of_python.{name}") or ()
        own = [each.removeprefix("orders_of_python.") for each in found if each[0] not in "!?"]
        assert own == wanted, name
    sys.modules.pop("orders_of_python")


def test_bases_that_python_refuses_are_named() -> None:
    text = "class A: ...\nclass B(A): ...\nclass C(A, B): ...\nclass D(C, B): ...\n"
    (found,) = audited({"a.py": text}, RULES)
    assert (found.code, found.symbol) == ("IN003", "C")
    source = Source("a.py", text)
    hierarchy = Hierarchy(Project({"ClassFacts": {"a.py": ClassFacts().collect(source)}}))
    with pytest.raises(InconsistentOrder):
        hierarchy.order("a.C")


def test_circles_of_star_imports_end() -> None:
    every = "".join(f"from net.m{number} import *\n" for number in range(12))
    files = {f"net/m{number}.py": f"{every}class C{number}(Missing, Other.Thing): ...\n"
             for number in range(12)}  # fmt: skip
    files["net/__init__.py"] = every + "from net import *\nimport net.m1 as net\n"
    assert audited(files, RULES) == []


def test_a_base_whose_every_subclass_has_the_method_is_quiet() -> None:
    text = REAL + LOST["pass"] + USE + "class A(Both):\n    def work(self): return 1\n"
    assert audited({"a.py": text}, RULES) == []
    assert audited({"a.py": text + "class B(Both): pass\n"}, RULES) != []


def test_facts_are_json() -> None:
    facts = ClassFacts().collect(Source("a.py", REAL + LOST["generic"] + USE))
    assert json.loads(json.dumps(facts)) == facts
