"""The texts beside the code: .env files and their examples, documents, and what reads variables
without being Python (containers, shell scripts, workflows)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from busctl.audit import Project

_ASSIGNMENT = re.compile(r"\s*(#[#\s]*)?(?:export\s+|set\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s?(.*)")
_WORD = re.compile(r"(?<![A-Za-z0-9])_?[A-Z][A-Z0-9]*(?:_+[A-Z0-9]+)*_?(?![A-Za-z0-9])")
_USE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_EXAMPLE = re.compile(r"(?:^|[._-])(?:example|sample|template|tpl|dist|defaults?)(?:[._-]|$)")
_DOCUMENTS = (".md", ".rst", ".txt", ".mdx", ".adoc")
_MANIFESTS = (".yaml", ".yml", ".json")
"""What says which variables a program takes, and sets them as well: a chart, a compose file."""
_TESTS = {"test", "tests", "testing", "fixtures"}
_CODE = (".py", ".pyi", ".ipynb", ".lock")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an .env file. `commented` ones are documented and not set. The value is kept
    only for comparing; nobody prints it."""

    name: str
    value: str
    path: str
    line: int
    commented: bool


@dataclass(slots=True)
class Texts:
    """What the texts of a project say about variables."""

    examples: dict[str, list[Entry]] = field(default_factory=dict)
    """The entries of .env.example files and their kind, by path."""
    real: dict[str, list[Entry]] = field(default_factory=dict)
    """Those of .env files that hold values in use, by path."""
    documents: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Documents by the words in them that may be names."""
    used: set[str] = field(default_factory=set)
    """Words in containers' files, scripts, workflows: they may read them."""
    images: str = ""
    """The files that start containers or name dependencies, lower case."""
    in_examples: set[str] = field(default_factory=set)
    """All words in examples, comments included."""


def texts_of(project: Project) -> Texts:
    """The texts of a project, read once a run."""
    made: Texts = project.once(_read)
    return made


def _note_used(found: Texts, path: str, text: str) -> None:
    """What a script, container or manifest reads and sets; a manifest documents it as well."""
    found.used.update(_words(text))
    found.used.update(_USE.findall(text))
    if path.lower().endswith(_MANIFESTS) and not path.startswith("."):
        for word in _words(text):
            found.documents[word].append(path)
    if len(text) < 200_000:
        found.images += text.lower() + "\n"


def _read(project: Project) -> Texts:
    found = Texts()
    for path, text in sorted(project.texts.items()):
        name = path.rpartition("/")[2].lower()
        if name.endswith(_CODE):
            continue
        if is_environment(path) and _TESTS & set(path.lower().split("/")[:-1]):
            continue  # what tests are run with documents nothing for who runs the application
        if is_example(path):
            found.examples[path] = list(entries(path, text))
            found.in_examples.update(_words(text))
            found.used.update(_USE.findall(text))
        elif is_environment(path):
            found.real[path] = list(entries(path, text))
            found.used.update(_USE.findall(text))
        elif name.endswith(_DOCUMENTS) and not _is_requirements(name):
            for word in _words(text):
                found.documents[word].append(path)
        else:
            _note_used(found, path, text)
        if _is_requirements(name):
            found.images += text.lower() + "\n"
    return found


def is_environment(path: str) -> bool:
    """Whether a file holds `NAME=value` lines for the environment."""
    name = path.rpartition("/")[2].lower()
    parts = re.split(r"[._-]", name)
    return ("env" in parts or "dotenv" in parts) and not name.endswith(
        (".py", ".md", ".rst", ".yml", ".yaml", ".toml", ".json", ".ini", ".cfg", ".sh", ".mako",
         ".ts", ".js", ".html", ".mdx", ".ps1", ".bat")
    )  # fmt: skip


def is_example(path: str) -> bool:
    """Whether it is the documented one: .env.example, .env.sample, env.template …"""
    return is_environment(path) and _EXAMPLE.search(path.rpartition("/")[2].lower()) is not None


def _is_requirements(name: str) -> bool:
    return "requirements" in name or "constraints" in name


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text) if len(word) > 1}


def entries(path: str, text: str) -> Iterator[Entry]:
    """The variables of an .env text; lines of a quoted value that goes on are passed over."""
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            if closing in line:
                closing = ""
            continue
        match = _ASSIGNMENT.match(line)
        if match is None:
            continue
        comment, name, value = match[1], match[2], match[3].strip()
        if comment and (not name.isupper() or _is_prose(value)):
            continue
        quote = value[:1]
        if not comment and quote in ('"', "'") and quote not in value[1:]:
            closing = quote
        yield Entry(name, _bare(value), path, number, bool(comment))


def _is_prose(value: str) -> bool:
    """Whether what follows NAME= in a comment is a sentence."""
    bare = _bare(value)
    return value[:1] not in ("'", '"', "[", "{", "<") and len(bare.split()) > 3


def _bare(value: str) -> str:
    """The value without quotes and without the comment behind it."""
    quote = value[:1]
    if quote in ('"', "'") and quote in value[1:]:
        return value[1 : value.index(quote, 1)]
    return re.split(r"\s+#", value, maxsplit=1)[0].strip() if not value.startswith("#") else ""
