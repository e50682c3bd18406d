"""An environment file (.env), read with python-dotenv's parser: which line sets which name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream
from dotenv.variables import Atom, Variable, parse_variables


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name=value` on a line (from 1) of a file; `value` is None where there is no `=`.

    `unset` says that the value refers to a ${NAME} that neither the file nor the environment sets.
    """

    name: str
    value: str | None
    line: int
    unset: bool = False


@dataclass(slots=True)
class EnvFile:
    """What a file says. `unreadable` are the lines that are not an assignment, with their text."""

    path: Path
    assignments: list[Assignment] = field(default_factory=list)
    unreadable: list[tuple[int, str]] = field(default_factory=list)


def read_env_file(path: Path, environ: Mapping[str, str]) -> EnvFile:
    """The assignments of a file in their order, with ${NAME} and ${NAME:-default} put in.

    Raises OSError if the file cannot be read, UnicodeDecodeError (a ValueError) if it is not
    UTF-8. As with python-dotenv, the environment wins over the file inside ${…}.
    """
    found = EnvFile(path)
    names: dict[str, str] = {}
    with path.open(encoding="utf-8") as stream:
        for binding in parse_stream(stream):
            _take(binding, found, names, environ)
    return found


def _take(
    binding: Binding, found: EnvFile, names: dict[str, str], environ: Mapping[str, str]
) -> None:
    line = _line(binding)
    if binding.error:
        found.unreadable.append((line, binding.original.string))
    elif binding.key is not None:
        assignment = _assignment(binding.key, binding.value, line, {**names, **environ})
        found.assignments.append(assignment)
        names[assignment.name] = assignment.value or ""


def _line(binding: Binding) -> int:
    # A binding starts with the blank lines before it.
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return binding.original.line + blank.count("\n")


def _assignment(name: str, value: str | None, line: int, known: Mapping[str, str]) -> Assignment:
    if value is None:
        return Assignment(name, None, line)
    atoms = list(parse_variables(value))
    resolved = "".join(atom.resolve(dict(known)) for atom in atoms)
    return Assignment(name, resolved, line, unset=_refers_to_unset(atoms, known))


def _refers_to_unset(atoms: Iterable[Atom], known: Mapping[str, str]) -> bool:
    return any(
        isinstance(atom, Variable) and atom.default is None and atom.name not in known
        for atom in atoms
    )
