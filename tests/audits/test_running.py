"""A run over files: which ones, all cores, the cache, allowances, and what is told at the end."""

from __future__ import annotations

import ast
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest

from busctl.audit import Confidence, Facts, Finding, Project, Rule, Source
from busctl.audit.cache import Cache
from busctl.audit.choosing import OptionsError, choose, kept, options_in
from busctl.audit.discovery import discover, root_of
from busctl.audit.running import run
from tests.audits.examples import audited


class Names(Facts):
    def collect(self, source: Source) -> list[str] | None:
        return [one.name for one in source.nodes(ast.FunctionDef)] or None


class Printed(Rule):
    """For these tests: a call of print, unless some file defines one."""

    code = "ZZ001"
    name = "printed"
    family = "test"
    summary = why = remedy = "say it elsewhere"
    needs = (Names,)

    def check(self, source: Source) -> Iterable[Finding]:
        for call in source.nodes(ast.Call):
            if source.called(call) == "print":
                yield self.finding(source, call, "printed", asks={"name": "print"})

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        names = [name for each in project.facts(Names).values() for name in each]
        return None if finding.asks["name"] in names else finding


RULES = [Printed()]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def found_in(root: Path, *paths: str) -> list[str]:
    given = [root / path for path in paths] or [root]
    return list(discover(given, root).code)


def test_gitignore_is_respected(tmp_path: Path) -> None:
    write(tmp_path, {
        ".gitignore": "*.gen.py\n/out/\n!kept.gen.py\n", "a.py": "", "b.gen.py": "",
        "kept.gen.py": "", "out/c.py": "", "in/out/d.py": "", "in/.gitignore": "e.py\n",
        "in/e.py": "", "e.py": "", "venv/lib/x.py": "", "other/pyvenv.cfg": "", "other/y.py": "",
        "README.md": "", ".env.example": "", "query.sql": "",
    })  # fmt: skip
    assert found_in(tmp_path) == ["a.py", "e.py", "in/out/d.py", "kept.gen.py", "query.sql"]
    assert found_in(tmp_path, "in") == ["in/out/d.py"]
    assert found_in(tmp_path, "b.gen.py", "out") == ["b.gen.py", "out/c.py"]
    assert discover([tmp_path / "in"], tmp_path).texts == (".env.example", "README.md")
    assert list(discover([tmp_path], tmp_path, ["in/", "q*"]).code) == [
        "a.py", "e.py", "kept.gen.py",
    ]  # fmt: skip
    with pytest.raises(FileNotFoundError):
        found_in(tmp_path, "missing")


def test_files_of_the_environment_are_taken_though_git_ignores_them(tmp_path: Path) -> None:
    write(tmp_path, {
        ".gitignore": ".env*\n", ".env": "", ".env.example": "", "env.sample": "", "a/b.py": "",
    })  # fmt: skip
    found = discover([tmp_path], tmp_path)
    assert found.texts == (".env", ".env.example", "env.sample")
    assert found.whole
    assert not discover([tmp_path / "a"], tmp_path).whole


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"a/b.py": ""})
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert found_in(tmp_path) == ["a/b.py"]


def test_the_root_is_the_project(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": "", "src/p/a.py": ""})
    assert root_of([tmp_path / "src" / "p"]) == tmp_path
    assert root_of([tmp_path / "src" / "p" / "a.py"]) == tmp_path
    (tmp_path / "pyproject.toml").unlink()
    assert root_of([tmp_path / "src" / "p"]) == tmp_path / "src" / "p"
    write(tmp_path, {"src/p/__init__.py": ""})
    assert root_of([tmp_path / "src" / "p"]) == tmp_path / "src"


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_process_or_more_find_the_same(tmp_path: Path, jobs: int) -> None:
    files = {f"m{number:03}.py": f"print({number})\n" for number in range(100)}
    write(tmp_path, files | {"broken.py": "def :\n", "latin.py": ""})
    (tmp_path / "latin.py").write_bytes(b"# \xe9\nprint(1)\n")
    steps: list[int] = []
    done = run(discover([tmp_path], tmp_path), RULES, cache=None, jobs=jobs, step=steps.append)
    assert [one.path for one in done.findings if one.code == "ZZ001"] == sorted(files)
    assert [path for path, _ in done.not_looked_at] == ["broken.py", "latin.py"]
    assert [one.path for one in done.findings if one.code == "AU001"] == ["broken.py", "latin.py"]
    assert done.checked == 100
    assert sum(steps) == 102


def test_the_cache_says_the_same_and_is_never_stale(tmp_path: Path) -> None:
    root, cache = tmp_path / "code", tmp_path / "cache" / "audit.sqlite"
    write(root, {"a.py": "print(1)\n", "b.py": "x = 1\n"})

    def lines(used: Path | None = cache) -> list[tuple[str, int]]:
        done = run(discover([root], root), RULES, cache=used, jobs=1, step=lambda _: None)
        assert done.checked == 2
        return [(one.path, one.span.line) for one in done.findings]

    assert lines() == lines() == lines(None) == [("a.py", 1)]
    write(root, {"b.py": "\nprint(2)\n"})
    assert lines() == [("a.py", 1), ("b.py", 2)]
    write(root, {"b.py": "def print(x): pass\n"})
    assert lines() == []
    with sqlite3.connect(cache) as inside:
        inside.execute("update examined set value = 'x'")
    assert lines() == []
    cache.write_bytes(b"no database")
    assert lines() == []
    assert lines(Path("/dev/null/no/folder")) == []


def test_a_fingerprint_survives_what_moves(tmp_path: Path) -> None:
    (before,) = audited({"a.py": "def f():\n    print(1)\n"}, RULES)
    (after,) = audited({"a.py": "import os\n\n\ndef f():\n    x = 1\n    print(1)\n"}, RULES)
    assert before.fingerprint == after.fingerprint
    twice = audited({"a.py": "def f():\n    print(1)\n    print(1)\n"}, RULES)
    assert len({one.fingerprint for one in twice}) == 2
    (elsewhere,) = audited({"b.py": "def f():\n    print(1)\n"}, RULES)
    assert elsewhere.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("print(1)  # busctl: allow[ZZ001] shown to people\n", []),
        ("print(1)  # busctl: allow[printed] shown to people\n", []),
        ("# busctl: allow[ZZ001] shown to people\n# and more\nprint(1)\n", []),
        ("print(1)  # busctl: allow[ZZ001]\n", ["ZZ001", "AU003"]),
        ("print(1)  # busctl: allow[ZZ002] another\n", ["ZZ001"]),
        ("x = 1  # busctl: allow[ZZ001] nothing here\n", ["AU002"]),
        ('x = "# busctl: allow[ZZ001] in a text"\n', []),
    ],
)
def test_allowances(text: str, codes: list[str]) -> None:
    assert [one.code for one in audited({"a.py": text}, RULES)] == codes


def test_rules_are_chosen() -> None:
    assert choose(RULES, [], []) == choose(RULES, ["ZZ"], []) == choose(RULES, ["printed"], [])
    assert choose(RULES, ["AU001"], []) == []
    with pytest.raises(OptionsError, match="did you mean 'printed'"):
        choose(RULES, ["prined"], [])


def test_the_table_is_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pyproject.toml": """
[tool.busctl.audit]
ignore = ["AU002"]
min-confidence = "medium"
per-path = {"tests/" = {ignore = ["ZZ"]}, "new/*.py" = {min-confidence = "high"}}
"""
        },
    )
    options = options_in(tmp_path)
    files = dict.fromkeys(("a.py", "tests/b.py", "new/c.py"), "print(1)\n")
    assert [one.path for one in kept(audited(files, RULES), options, RULES)] == ["a.py"]
    assert options.min_confidence is Confidence.MEDIUM


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("selct = []", "did you mean 'select'"),
        ("select = 'SF'", "list of texts"),
        ("min-confidence = 'sure'", "low, medium or high"),
        ("per-path = {a = {b = 1}}", "per-path 'a'"),
        ("select = [", "pyproject.toml"),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, table: str, said: str) -> None:
    write(tmp_path, {"pyproject.toml": f"[tool.busctl.audit]\n{table}\n"})
    with pytest.raises(OptionsError, match=said):
        options_in(tmp_path)


def test_an_unreadable_file_is_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x = 1\n"})
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    done = run(discover([tmp_path], tmp_path), RULES, cache=None, jobs=1, step=lambda _: None)
    assert done.checked == 1


def test_the_cache_knows_what_rules_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = tmp_path / "pack"
    write(pack, {
        "shared_pack/__init__.py": "", "shared_pack/common/__init__.py": "",
        "shared_pack/common/words.py": "WORD = 'one'\n", "shared_pack/rules/__init__.py": "",
        "shared_pack/rules/word.py": (
            "from busctl.audit import Rule\nfrom shared_pack.common.words import WORD\n"
            "class Word(Rule):\n    code, name, family = 'ZZ002', 'word', 'test'\n"
            "    summary = why = remedy = ''\n"
        ),
    })  # fmt: skip
    monkeypatch.syspath_prepend(pack)
    from shared_pack.rules.word import Word  # type: ignore[import-not-found]  # written above

    before = Cache(None, [Word()]).key("a.py", b"")
    assert Cache(None, [Word()]).key("a.py", b"") == before
    write(pack, {"shared_pack/common/words.py": "WORD = 'two'\n"})
    assert Cache(None, [Word()]).key("a.py", b"") != before


class Deadly(Printed):
    """Takes the process that looks at one file with it."""

    def check(self, source: Source) -> Iterable[Finding]:
        if source.path == "m030.py" and multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().check(source)


def test_a_killed_process_loses_one_file(tmp_path: Path) -> None:
    files = {f"m{number:03}.py": f"print({number})\n" for number in range(100)}
    write(tmp_path, files)
    steps: list[int] = []
    done = run(discover([tmp_path], tmp_path), [Deadly()], cache=None, jobs=2, step=steps.append)
    assert [path for path, _ in done.not_looked_at] == ["m030.py"]
    assert "killed" in done.not_looked_at[0][1]
    assert done.checked == 99
    assert len([one for one in done.findings if one.code == "ZZ001"]) == 99
    assert sum(steps) == 100


@pytest.mark.parametrize("name", ["undefined", "punycode", "rot13", "hex", "utf-16"])
def test_an_encoding_that_cannot_be_read_is_a_finding(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"a.py": f"# coding: {name}\nx = 1\nprint('a' * {'9' * 70})\n", "b.py": ""})
    done = run(discover([tmp_path], tmp_path), RULES, cache=None, jobs=1, step=lambda _: None)
    assert done.checked == 1
    assert [one.code for one in done.findings] == ["AU001"]


def test_imports_of_python_3_15_are_read() -> None:
    text = "lazy import os\nlazy from a import b\n\n\ndef f():\n    print(b)\n    lazy = 1\n"
    (found,) = audited({"a.py": text}, RULES)
    assert found.span.line == 6
