"""The commands of `busctl`, each loaded when it is wanted: most starts want one, `--help` none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import typer
from typer._click.core import Command  # what typer builds; not exported
from typer.core import TyperCommand


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: its name, `module:attribute` below busctl.cli of its function or Typer, and the
    sentence that the list of commands shows, which is the first one of its own help."""

    name: str
    place: str
    about: str
    context_settings: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Command:
        """The command itself."""
        module, _, attribute = self.place.partition(":")
        found = getattr(import_module(f"busctl.cli.{module}"), attribute)
        around = typer.Typer(rich_markup_mode=None, callback=_nothing)
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=self.name)
        else:
            settings = dict(self.context_settings) or None
            around.command(self.name, context_settings=settings)(found)
        group: Any = typer.main.get_command(around)
        command: Command = group.commands[self.name]
        return command


def _nothing() -> None:
    """Makes a Typer of one command a group."""


class Commands(Mapping[str, Command]):
    """The commands by name, in the order of the table, each loaded once."""

    def __init__(self, table: tuple[Entry, ...]) -> None:
        self._entries = {each.name: each for each in table}
        self._loaded: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        if name not in self._loaded:
            self._loaded[name] = self._entries[name].load()
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def rows(self, width: int) -> list[tuple[str, str]]:
        """Names and sentences, cut to `width` characters as typer does it. Loads nothing."""
        return [
            (each.name, TyperCommand(each.name, help=each.about).get_short_help_str(width))
            for each in self._entries.values()
        ]


TABLE = (
    Entry("put", "put:put", "Store a file or standard input and print its transaction id."),
    Entry(
        "get",
        "get:get",
        "Redeem a transaction id: the payload, verified, to standard output or into a file.",
    ),
    Entry(
        "search",
        "search:search",
        "Search a stored answer, verified, without loading it: "
        "regular expressions of RE2, a text, or a JSONPath.",
    ),
    Entry(
        "ls",
        "ls:ls",
        "List messages, newest first; those past their time too, while they are still there.",
    ),
    Entry(
        "tail",
        "tail:tail",
        "Show the newest messages, oldest of them first; "
        "with -f, then each one as it is committed.",
    ),
    Entry(
        "watch",
        "watch:watch",
        "Look at every message once and whole, and store an observation of it.",
    ),
    Entry(
        "show",
        "show:show",
        "Show the envelope, the events and what the payload of one message looks like.",
    ),
    Entry(
        "trace",
        "trace:trace",
        "Show the size and SHA-256 of a payload at each hop, and the first that differs.",
    ),
    Entry(
        "verify",
        "verify:verify",
        "Read messages whole and check the SHA-256 of every chunk and of the payload.",
    ),
    Entry(
        "fsck",
        "fsck:fsck",
        "Check stored messages: digests, sizes, chunks, and chunks without an envelope.",
    ),
    Entry("pin", "pin:pin", "Keep messages until they are unpinned, whatever their time to live."),
    Entry(
        "unpin",
        "pin:unpin",
        "Let pinned messages expire again; one whose time is "
        "over gets a whole time to live from now.",
    ),
    Entry("extend", "pin:extend", "Give messages a new time to live, counted from now."),
    Entry("rm", "rm:rm", "Delete messages at once, pinned ones too; their events stay."),
    Entry(
        "export",
        "archive:export",
        "Write messages with their bytes, labels and times to one archive.",
    ),
    Entry(
        "import",
        "archive:import_",
        "Store the messages of an archive under their own ids, with their labels and times.",
    ),
    Entry(
        "serve",
        "serve:serve",
        "Serve tools over a WebSocket, and their answers over WebSocket and HTTP.",
    ),
    # What follows the program is the program's, also where a client has eaten the `--`.
    Entry(
        "mcp",
        "mcp:mcp",
        "Serve tools to the MCP client that has started this, and keep their answers.",
        {"allow_interspersed_args": False},
    ),
    Entry(
        "call",
        "call:call",
        "Call a tool of a running daemon; its "
        "whole answer, verified, to standard output or a file.",
    ),
    Entry(
        "top",
        "top:top",
        "Show what flows over the bus, live: rates, sizes, times, breakers, spools, alerts.",
    ),
    Entry(
        "dashboard",
        "dashboard:dashboard",
        "Print the address of the daemon's dashboard, and where its token is.",
    ),
    Entry("cleanup", "cleanup:cleanup", "Remove expired messages and give their space back."),
    Entry("reconcile", "reconcile:reconcile", "Store what waits in the spool of this host."),
    Entry(
        "check",
        "check:check",
        "Look at this deployment and grade it: OK, WARNING, CRITICAL or UNKNOWN, with what to do.",
    ),
    Entry(
        "doctor",
        "doctor:doctor",
        "Tell what is here: versions, configuration, the "
        "connection, the schema, and what is wrong.",
    ),
    Entry(
        "limits",
        "limits:limits",
        "Measure what this deployment carries and write "
        "it down as Markdown, ready for documentation.",
    ),
    Entry(
        "test-integrity",
        "test_integrity:integrity",
        "Send payloads along every path and compare what comes back, byte for byte.",
    ),
    Entry(
        "bench",
        "bench:bench",
        "Measure storing and fetching, integrity always on, beside plain SQL in the same run.",
    ),
    Entry(
        "demo",
        "demo:demo",
        "Start a daemon with its own PostgreSQL, and redeem a large tool answer by its id.",
    ),
    Entry(
        "drill",
        "drill:drill",
        "Rehearse faults on a deployment that is made for it and thrown away.",
    ),
    Entry("store", "store:app", "Start, stop, look at, back up and restore the embedded store."),
    Entry(
        "migrate",
        "migrate:app",
        "Make and check the database schema: up, down, status, verify, sql, export.",
    ),
    Entry(
        "config",
        "config:app",
        "Show and check the configuration: flag > environment > --env-file or .env > default.",
    ),
    Entry("token", "token:app", "Make, list and revoke tokens for clients of the daemon."),
    Entry(
        "files",
        "files:app",
        "List, upload and remove copies of files at Kimi, GLM and other providers.",
    ),
    Entry(
        "providers",
        "providers:app",
        "List the providers of language models, and check their keys.",
    ),
    Entry(
        "aside",
        "aside:app",
        "Look at, read and remove what the spool has set aside: it was never stored.",
    ),
    Entry("alert", "alert:app", "Try the sinks of alerts, and see alerts: test, list, history."),
    Entry(
        "audit",
        "audit:app",
        "Find what code loses without a word: errors that "
        "vanish, settings that cannot be set, answers that are cut.",
    ),
    Entry("generate", "generate:app", "Print what lets cron, systemd or pg_cron run busctl."),
)
