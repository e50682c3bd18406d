"""Patterns as in .gitignore."""

from __future__ import annotations

from collections.abc import Iterable

from pathspec import GitIgnoreSpec


def spec_of(lines: Iterable[str]) -> GitIgnoreSpec:
    """What the lines leave out. As for git, one that is no pattern (a lone `!`) matches nothing."""
    return GitIgnoreSpec.from_lines(line for line in map(matchable, lines) if is_pattern(line))


def is_pattern(line: str) -> bool:
    """Whether it means something, a comment or an empty line included."""
    try:
        GitIgnoreSpec.from_lines([matchable(line)])
    except ValueError:
        return False
    return True


def matchable(text: str) -> str:
    """A path or a pattern as the matcher takes it: bytes that are no UTF-8 are `?` each."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
