"""Evidence from what it is about, by its nouns: what others depend on, or what only helps.

A reader asks what the lost call was for. `registry.load_tools()` and `screen.load_icons()` look
alike but for the noun, and most of the answer lies there.
"""

from __future__ import annotations

from audits.silent.case import Case
from audits.silent.sinks import message_words
from audits.silent.words import HELPING, RELIED, all_words, group, words

_ASIDE = group(
    "cli tui telemetry util utils debug display ui console tracing instrumentation terminal "
    "scripts dev contrib commands command platform observability metrics"
)
_USAGE = group("telemetry analytics otel opentelemetry observability monitoring")
_TELLS = group("send write emit notify")


def relied_call(case: Case) -> str:
    found = _first(RELIED, _called(case))
    return f"others rely on the {found} it works on" if found else ""


def relied_set(case: Case) -> str:
    found = _first(RELIED, _set(case))
    return f"the {found} stays as it was" if found else ""


def helping_named(case: Case) -> str:
    found = _first(HELPING, case.setting.said)
    return f"{case.setting.name} by its name only helps ({found})" if found else ""


def helping_told(case: Case) -> str:
    found = _first(HELPING, message_words(case.reaction.said))
    return f"its log line is about what only helps ({found})" if found else ""


def aside(case: Case) -> str:
    """The file serves people at a terminal, or is a drawer of helpers."""
    folder, _, name = case.source.path.removesuffix(".py").rpartition("/")
    found = _first(_ASIDE, all_words(f"{folder.rpartition('/')[2]}.{name}"))
    return f"the file is beside the main work ({found})" if found else ""


def phones_home(case: Case) -> str:
    """What tells the makers, or a collector, how a program is used."""
    found = _first(_USAGE, case.setting.holder | case.setting.said)
    return f"it is about {found}" if found else ""


def tells_others(case: Case) -> str:
    """Unlike a database, who is written to may be gone, and asks again if it is not."""
    sent = any(words(name) & _TELLS for name in case.work.writes)
    return "somebody else was to be told" if sent else ""


def may_be_none(case: Case) -> str:
    declared = case.setting.optional and case.setting.returns != "None"
    return "its type says that it may give None" if declared else ""


def parses(case: Case) -> str:
    parse = "parse" in case.setting.said
    return f"{case.setting.name} is there to make sense of a text" if parse else ""


def _parted(names: list[str]) -> list[tuple[str, str, str]]:
    return [name.rpartition(".") for name in names]


def _first(wanted: frozenset[str], said: frozenset[str]) -> str:
    return min(wanted & said, default="")


def _called(case: Case) -> frozenset[str]:
    """The words of what is called and of what it is called on."""
    done = case.work
    parted = _parted([*done.writes, *done.reads, *done.others])
    return frozenset().union(*(words(last) | words(holder) for holder, _, last in parted))


def _set(case: Case) -> frozenset[str]:
    names = (*case.reaction.targets, *case.work.sets)
    return frozenset().union(*(words(name) for name in names))
