"""A file as rules see it: whole, in order, with names resolved, whatever syntax it is in."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busctl.audit import Source, walk
from busctl.audit.examining import UNREADABLE, conclude, examine
from busctl.audit.registry import rules


def test_every_node_is_there_with_its_parent() -> None:
    text = ast.unparse(ast.parse(NEWEST_FOR_ALL))
    source = Source("a.py", text)
    shared = (ast.expr_context, ast.operator, ast.boolop, ast.unaryop, ast.cmpop)
    nodes = [node for node in ast.walk(source.tree) if not isinstance(node, shared)]
    assert {node for kind in {type(one) for one in nodes} for node in source.nodes(kind)} == {
        *nodes
    }
    for node in nodes:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, shared):
                assert source.parent(child) is node


NEWEST_FOR_ALL = """
import os.path as p, sys
from . import near
from ..far import thing as other

@decorated(1)
class A(Base, metaclass=M):
    field: int = 3
    async def run(self, x, /, y=1, *args, z: int = 2, **more) -> int:
        async with open(x) as f, g():
            async for line in f:
                yield [a async for a in b if a]
        try:
            await other(x)
        except (ValueError, OSError) as error:
            raise RuntimeError(f"{x!r:>{y}}") from error
        else:
            pass
        finally:
            del x
        match x:
            case {"a": 1, **rest} | [1, *_] | A(b=2) if y:
                global G
                return (lambda q: q)(x) if y else {**x, 1: [*y]}
        while not x: x = y = -1; x += 1; assert x, "no"
"""


def test_names_are_resolved() -> None:
    source = Source("src/pack/inner/mod.py", NEWEST_FOR_ALL + "\nother(p.join(self.x().y))\n")
    calls = {source.called(call) for call in source.nodes(ast.Call)}
    assert {"pack.far.thing", "os.path.join", "self.x"} <= calls
    assert source.module == "pack.inner.mod"
    assert source.imports["near"] == "pack.inner.near"
    (handler,) = source.nodes(ast.ExceptHandler)
    assert source.symbol(handler) == "A.run"
    around = source.function(handler)
    assert around is not None
    assert around.name == "run"


@pytest.mark.parametrize(
    "text",
    [
        "type A[T] = list[\n  T]\nX = 1\ntry:\n    pass\nexcept E:\n    pass\n",
        "def f[\n  T,\n  U](x: T):\n    y = 1\n    try:\n        pass\n    except E:\n        pass",
        'y = f"{x["a"]!r} {\n  f"{z["b"]}"}"\n\n\ntry:\n    pass\nexcept E:\n    pass\n',
        'def f[T](x: T):\n    g("a"\n      f"b {x}" "c")\ntry:\n    pass\nexcept E:\n    pass\n',
        "class C[T: int](B):\n    pass\n\n\ntry:\n    pass\nexcept E:\n    pass\n",
    ],
)
def test_newer_syntax_keeps_its_lines(text: str) -> None:
    source = Source("a.py", text)
    (handler,) = source.nodes(ast.ExceptHandler)
    assert source.line(handler.lineno).strip() == "except E:"


def test_exceptions_without_brackets_are_read() -> None:
    source = Source("a.py", "try:\n    pass\nexcept a.E, F:\n    g(f'{x!r}')\n")
    (handler,) = source.nodes(ast.ExceptHandler)
    assert (ast.unparse(handler.type or handler), handler.lineno) == ("(a.E, F)", 3)


def test_columns_are_characters() -> None:
    source = Source("a.py", 'größe = "ü"; call(1)\n')
    (call,) = source.nodes(ast.Call)
    span = source.span(call)
    assert (span.line, span.column, span.end_column) == (1, 14, 21)


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_is_a_finding_or_nothing(text: str) -> None:
    examined = examine("a.py", text, rules())
    assert examined.looked_at or [one.code for one in examined.findings] == [UNREADABLE]
    conclude([examined], rules())


WORDS = st.sampled_from([
    "\n", "\n    ", "\n        ", "try:", "except:", "except Exception:", "finally:", "pass",
    "return", "None", "raise", "with", "open(", ")", "as", "f", "for", "x", "in", ":", "def",
    "async", "await", "(", "=", "1", "'a'", "[", "[:1000]", "os.environ.get(", ",", "timeout=",
    "class", "C", "if", "else", "while", "True", "lambda", "@", "*", "**", "f'{", "}'", "import",
    "from", ".", "yield", "# busctl: allow[SF001]", "except*", "match", "case", "_", ":=",
    "'select count(*) from t'",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=40))
def test_near_python_is_a_finding_or_nothing(words: list[str]) -> None:
    conclude([examine("a.py", " ".join(words), rules())], rules())


def test_deep_nesting_is_a_finding() -> None:
    for deep in ("(" * 5000 + ")" * 5000, "-" * 3000 + "1", "not " * 5000 + "1 1", "f(" * 900):
        examined = examine("a.py", f"x = {deep}", rules())
        assert examined.looked_at or [one.code for one in examined.findings] == [UNREADABLE]
    for fine in ("a + " * 100 + "1", "x." * 100 + "y", "f(" * 80 + ")" * 80):
        assert examine("a.py", f"x = {fine}", rules()).looked_at


def test_nul_bytes_are_a_finding() -> None:
    assert [one.code for one in examine("a.py", "x = 1\0", rules()).findings] == [UNREADABLE]


COMMENTED = '''
x = "# no"  # yes
y = """ # no
# no
""" + \'a\'  # yes
z = f"{x} # no"  # yes "quoted" # all of it
# yes
ü = "ä#ö"  # ja
'''


def test_comments_are_those_outside_of_texts() -> None:
    source = Source("a.py", COMMENTED)
    assert source.comments == {
        2: "# yes", 5: "# yes", 6: '# yes "quoted" # all of it', 7: "# yes", 8: "# ja",
    }  # fmt: skip
    parts = Source("a.py", 'x = ("a"  # one\n    "b#")  # two\n')
    assert parts.comments == {1: "# one", 2: "# two"}


def test_within_is_a_walk() -> None:
    source = Source("a.py", NEWEST_FOR_ALL)
    for node in walk(source.tree):
        below = [one for one in walk(node) if type(one) is ast.Name]
        assert list(source.within(node, ast.Name)) == below


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pack/tests.py", True), ("pack/tests/shapes.py", True), ("pack/shapes_test.py", True),
        ("test_shapes.py", True), ("pack/latests.py", False), ("pack/contests.py", False),
    ],
)  # fmt: skip
def test_a_test_is_known_by_its_path(path: str, expected: bool) -> None:
    assert Source(path, "").is_test is expected
