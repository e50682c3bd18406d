"""The command pages: `python -m tests.docs.reference` writes them from the commands' help.

One page a top-level command, its sub-commands on the same page. `make docs` runs it, and
test_reference.py holds the pages to what the commands say.
"""

from __future__ import annotations

import os
from pathlib import Path

COMMANDS = Path(__file__).parent.parent.parent / "docs" / "commands"
COLUMNS = "100"


def pages() -> dict[str, str]:
    """File name to Markdown text, for every command there is."""
    os.environ["COLUMNS"] = COLUMNS
    os.environ["NO_COLOR"] = "1"
    import typer

    from busctl.cli.app import app

    root = typer.main.get_command(app)
    context = root.make_context("busctl", [], resilient_parsing=True)
    commands = root.commands  # type: ignore[attr-defined]  # the root is a group
    index = ["# Commands", "", "Written by `make docs` from the commands' own help.", ""]
    found = {}
    for name in sorted(commands):
        command = commands[name]
        index.append(f"- [`busctl {name}`]({name}.md) — {_summary(command)}")
        found[f"{name}.md"] = _page(command, context, f"busctl {name}")
    found["README.md"] = "\n".join(index) + "\n"
    return found


def _summary(command: object) -> str:
    text = (getattr(command, "help", None) or "").strip().splitlines()
    return text[0] if text else ""


def _page(command: object, parent: object, title: str) -> str:
    parts = [f"# {title}", "", _summary(command), ""]
    parts += _help(command, parent, title)
    for name, sub in sorted(getattr(command, "commands", {}).items()):
        context = _context(command, parent, title)
        parts += [f"## {title} {name}", "", _summary(sub), ""]
        parts += _help(sub, context, f"{title} {name}")
    return "\n".join(parts).rstrip() + "\n"


def _help(command: object, parent: object, title: str) -> list[str]:
    context = _context(command, parent, title)
    text = command.get_help(context)  # type: ignore[attr-defined]  # a click command
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return ["```text", *lines, "```", ""]


def _context(command: object, parent: object, title: str) -> object:
    name = title.rsplit(" ", 1)[1]
    return command.make_context(  # type: ignore[attr-defined]  # a click command
        name, [], parent=parent, resilient_parsing=True, terminal_width=int(COLUMNS),
        max_content_width=int(COLUMNS),
    )  # fmt: skip


def write() -> None:
    COMMANDS.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for path in COMMANDS.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (COMMANDS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
