"""Which calls stop the whole event loop, and for what they wait."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache

from audits.clients import VERBS, sent
from busctl.audit import FUNCTIONS, Confidence, Source

NETWORK = "the network"
PROGRAM = "another program"
DISK = "the disk"
TIME = "time to pass"
DATABASE = "the database"
PERSON = "a person"

# What blocks by its dotted name, and what it waits for.
CALLS: Mapping[str, str] = {
    "time.sleep": TIME,
    "urllib.request.urlopen": NETWORK, "urllib.request.urlretrieve": NETWORK,
    "socket.create_connection": NETWORK, "socket.getaddrinfo": NETWORK,
    "socket.gethostbyname": NETWORK, "smtplib.SMTP": NETWORK, "smtplib.SMTP_SSL": NETWORK,
    "ftplib.FTP": NETWORK, "imaplib.IMAP4_SSL": NETWORK, "urllib3.request": NETWORK,
    "subprocess.run": PROGRAM, "subprocess.call": PROGRAM, "subprocess.check_call": PROGRAM,
    "subprocess.check_output": PROGRAM, "subprocess.getoutput": PROGRAM, "os.system": PROGRAM,
    "os.popen": PROGRAM,
    "psycopg2.connect": DATABASE, "psycopg.connect": DATABASE,
    "psycopg.Connection.connect": DATABASE,
    "pymysql.connect": DATABASE, "MySQLdb.connect": DATABASE, "sqlite3.connect": DATABASE,
    "pymongo.MongoClient": DATABASE, "pyodbc.connect": DATABASE, "oracledb.connect": DATABASE,
    "input": PERSON, "getpass.getpass": PERSON,
    "shutil.copytree": DISK, "shutil.make_archive": DISK, "shutil.unpack_archive": DISK,
}  # fmt: skip
_QUICK = {"sqlite3.connect", DISK, "socket.getaddrinfo", "socket.gethostbyname"}
_CURSORS = {"psycopg2.connect", "psycopg.connect", "pymysql.connect", "sqlite3.connect",
            "MySQLdb.connect", "pyodbc.connect", "oracledb.connect"}  # fmt: skip
_COMMAND_LINES = {"click", "typer", "argparse", "cyclopts", "fire", "docopt"}
_COMMAND_PLACES = {"cli", "scripts", "management", "__main__.py", "cli.py"}
_QUERIES = {"execute", "executemany", "executescript", "fetchall", "fetchone", "commit", "cursor"}
_NAMED = frozenset(name.rpartition(".")[2] for name in CALLS)
# The last names of everything that may block: others need no look.
LASTS = frozenset({*_NAMED, *VERBS, *_QUERIES})


def blocks(source: Source, call: ast.Call) -> tuple[str, str] | None:
    """(the dotted name, what it waits for) of a call that blocks its thread; None for others."""
    func = call.func
    last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if last not in LASTS:
        return None
    if last in _NAMED:
        name = source.called(call)
        if name in CALLS and not _harmless(source, name, call):
            return name, CALLS[name]
    if isinstance(func, ast.Attribute):
        return _through(source, call, func, last)
    return None


def _through(
    source: Source, call: ast.Call, func: ast.Attribute, last: str
) -> tuple[str, str] | None:
    """What blocks through a client or a connection that the file shows."""
    made = sent(source, call)
    if made is not None:
        # A client's call that is awaited is none of the blocking ones.
        waited = isinstance(source.parent(call), ast.Await)
        return None if made.is_async or waited else (source.called(call), NETWORK)
    if last in _QUERIES and source.dotted(func.value) in connections(source, source.symbol(call)):
        return source.called(call), DATABASE
    return None


def _harmless(source: Source, name: str, call: ast.Call) -> bool:
    if name == "time.sleep":
        given = call.args[0] if call.args else None
        return isinstance(given, ast.Constant) and given.value == 0
    if name == "input":
        return "input" in source.imports
    return False


def weight(name: str, waits_for: str) -> Confidence:
    """How sure it is that the wait is long enough to matter."""
    return Confidence.MEDIUM if name in _QUICK or waits_for in _QUICK else Confidence.HIGH


@lru_cache(maxsize=8)
def _opened(source: Source) -> tuple[tuple[str, str], ...]:
    """(symbol, name) of what is given a blocking database connection or its cursor."""
    found: list[tuple[str, str]] = []
    for each in source.nodes(ast.Assign):
        value = each.value
        if isinstance(value, ast.Call) and source.called(value) in _CURSORS:
            found.extend((source.symbol(each), source.dotted(one)) for one in each.targets)
    for entered in source.nodes(ast.With):
        for item in entered.items:
            value = item.context_expr
            if (
                item.optional_vars is not None and isinstance(value, ast.Call)
                and source.called(value) in _CURSORS
            ):  # fmt: skip
                found.append((source.symbol(entered), source.dotted(item.optional_vars)))
    return tuple(found)


def connections(source: Source, symbol: str) -> set[str]:
    """The names of blocking database connections that a function sees."""
    return {
        name for at, name in _opened(source)
        if name and (at == symbol or (name.startswith("self.") and _same_class(at, symbol)))
    }  # fmt: skip


def _same_class(one: str, other: str) -> bool:
    return one.rpartition(".")[0] == other.rpartition(".")[0]


def enters_loop(source: Source, node: ast.AST) -> ast.AsyncFunctionDef | None:
    """The async function whose own body runs this node, None for others. (A function inside it is
    its own: it is what goes to a thread.)"""
    around = source.function(node)
    return around if isinstance(around, ast.AsyncFunctionDef) else None


@lru_cache(maxsize=4)
def alone(source: Source) -> frozenset[str]:
    """The async functions that a command line runs by themselves: `asyncio.run(main())`."""
    found = set()
    for call in source.nodes(ast.Call):
        func = call.func
        last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        if (
            last in ("run", "run_until_complete")
            and call.args
            and isinstance(call.args[0], ast.Call)
        ):
            found.add(source.dotted(call.args[0].func))
        elif last == "run" and call.args and source.called(call) in ("anyio.run", "trio.run"):
            found.add(source.dotted(call.args[0]))
    return frozenset(found)


@lru_cache(maxsize=4)
def _is_command_line(source: Source) -> bool:
    """Whether the file reads a command line: nobody else waits for its loop."""
    return bool(_COMMAND_PLACES & set(source.path.split("/"))) or any(
        one.partition(".")[0] in _COMMAND_LINES for one in source.imports.values()
    )


def _is_command(around: ast.AsyncFunctionDef) -> bool:
    """`@app.command`: one process for one command, nobody else on the loop."""
    for decorator in around.decorator_list:
        inner = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(inner, ast.Attribute) and inner.attr in ("command", "callback", "default"):
            return True
    return False


def before_serving(source: Source, node: ast.AST, around: ast.AsyncFunctionDef) -> bool:
    """Whether it runs at start or stop, before or after anyone is served: a lifespan, `main`."""
    if (
        _is_command_line(source)
        or _COMMAND_PLACES & set(source.path.split("/"))
        or _is_command(around)
    ):
        return True
    name = around.name
    if name in alone(source) or name.strip("_") in ("main", "amain", "async_main", "lifespan"):
        return True
    if any(word in name for word in ("startup", "start_up", "shutdown", "lifespan")):
        return True
    return any(
        isinstance(one, FUNCTIONS) and "lifespan" in one.name for one in source.parents(node)
    )
