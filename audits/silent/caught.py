"""Evidence from what is caught and what was tried: how grave a failure there is."""

from __future__ import annotations

import ast

from audits.silent.case import Case
from audits.silent.done import is_real
from audits.silent.exceptions import Kind
from audits.silent.guarded import inside
from audits.silent.sinks import Loudness, message_of
from audits.silent.words import FAILURE, KEEP, all_words, group, verb
from audits.silent.work import joined

_MUCH = 6
# Questions on the program itself or on the form of a name, for which an error is an answer.
_ASKED = group(
    "signature get_type_hints get_running_loop get_event_loop current_task getmodule getsource "
    "getsourcefile getsourcelines getfile get_annotations isclass find_spec import_module "
    "iscoroutinefunction getmro mro fields get_args get_origin unwrap version ip_address "
    "ip_network inet_pton fileno isatty get_terminal_size getpwuid getuser gethostname deepcopy "
    "copy Version urlparse urlsplit fromhex issubclass getattr setattr setlocale tcgetattr "
    "getrlimit sysconf relative_to"
)
_DATABASE = group(
    "sqlite sql psycopg asyncpg sqlalchemy pymongo redis database operational integrity postgres"
)
_COMMITS = group("commit insert upsert persist")
_JSON = group("loads load safe_load json")


def outside(case: Case) -> str:
    wanted = case.kind is Kind.OUTSIDE
    return f"{case.caught} is a named failure of something outside" if wanted else ""


def of_database(case: Case) -> str:
    """`sqlite3.Error`, `OperationalError`: a store's own failure, which is no absence."""
    named = any(all_words(each) & _DATABASE for each in case.one.types)
    return f"{case.caught} is a failure of a database" if named else ""


def shape(case: Case) -> str:
    return f"{case.caught}: a value of another form" if case.kind is Kind.SHAPE else ""


def absent(case: Case) -> str:
    return f"{case.caught}: what was looked for is not there" if case.kind is Kind.ABSENCE else ""


def one_case(case: Case) -> str:
    return f"{case.caught} is one named case" if case.kind is Kind.SIGNAL else ""


def keeps(case: Case) -> str:
    """Saves, sends, deletes or registers something, by the verbs that are called."""
    done = case.work
    kept = [name for name in (*done.writes, *done.others, *done.reads) if verb(name) in KEEP]
    broad = case.kind is Kind.EVERYTHING
    return f"{joined(kept)}() keeps or sends something" if kept and broad else ""


def commits(case: Case) -> str:
    """What a database was to keep, whatever is caught."""
    kept = [name for name in case.work.writes if verb(name) in _COMMITS]
    return f"{joined(kept)}() is to last" if kept else ""


def keeps_state(case: Case) -> str:
    """`self.state = …` under the guard: what others read stays as it was."""
    stored = any(
        isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        for node in inside(case.one.body)
    )
    return "it sets what others read" if stored and case.kind >= Kind.OUTSIDE else ""


def about_error(case: Case) -> str:
    """What it sends is itself about an error, or a last word."""
    for call in case.work.sent:
        if FAILURE.search(message_of(call).replace("_", " ")):
            return "what it sends is about an error"
    return ""


def awaits(case: Case) -> str:
    broad = case.kind is Kind.EVERYTHING and case.work.awaits and case.reaction.effect != "pass"
    return "whatever goes wrong with others it waits for" if broad else ""


def busy(case: Case) -> str:
    much = len(case.work.calls) >= _MUCH
    return f"{len(case.work.calls)} calls stand under one guard" if much else ""


def introspects(case: Case) -> str:
    asked = _last_names(case.work.worked)
    only = bool(asked) and all(name in _ASKED for name in asked)
    return f"{asked[-1]}() only asks whether it can be told" if only else ""


def of_program(case: Case) -> str:
    """Another program of the machine, which may not be there or may say no."""
    runs = any("subprocess" in name for name in case.work.calls)
    return "it asks a program of the machine" if runs else ""


def malformed(case: Case) -> str:
    """JSON or YAML that cannot be read becomes nothing."""
    reads = any(name in _JSON for name in _last_names(case.work.calls))
    if not reads or not case.work.only_parses:
        return ""
    effect, value = case.reaction.effect, case.reaction.value
    nothing = value is None or (isinstance(value, ast.Constant) and value.value is None)
    # `text = loads(text)` and `pass` leaves the text as it came.
    lost = is_real(value) or effect == "continue" or (effect == "assign" and nothing)
    return "malformed data become nothing" if lost else ""


def hardly_fails(case: Case) -> str:
    """No call that could fail: at most a key or an attribute that is not there."""
    return "next to nothing in it can fail" if case.work.cannot_fail else ""


def at_hand(case: Case) -> str:
    """`except OSError as error:` and no more than a debug line, or a question on its type."""
    quiet = case.reaction.level is not Loudness.INFO
    bound = case.kind is Kind.OUTSIDE and quiet and case.one.bound
    return f"{case.one.bound} is at hand, and nobody is told" if bound else ""


def suppressed(case: Case) -> str:
    """`suppress()` is written by who has thought of it."""
    return "it is suppressed by name" if case.one.suppressed else ""


def removes(case: Case) -> str:
    """What is to go may be gone already."""
    done = case.work
    gone = any(verb(name) == "remove" for name in (*done.writes, *done.others, *done.reads))
    return "what is to be removed may be gone" if gone else ""


def _last_names(calls: list[str]) -> list[str]:
    return [name.rpartition(".")[2] for name in calls]
