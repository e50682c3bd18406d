"""A program is run and its exit status not looked at."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.names import calls_of, is_test
from audits.silent.clean_up import is_clean_up
from busctl.audit import Confidence, Finding, Function, Rule, Severity, Source, walk

_RUN = {"subprocess.run", "subprocess.call", "os.system"}
_POPEN = {"subprocess.Popen", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"}
_LASTS = frozenset(name.rpartition(".")[2] for name in _RUN | _POPEN)
# A program that the code itself ends has no status of its own.
_LOOKS = {"returncode", "check_returncode", "poll", "stderr", "kill", "terminate"}
_OUTPUT = {"stdout", "communicate"}
# Programs whose failure loses nothing: they show, open, ring or end something.
_HARMLESS = {
    "open", "xdg-open", "start", "explorer", "kill", "pkill", "killall", "taskkill", "clear", "cls",
    "stty", "tput", "reset", "notify-send", "say", "osascript", "less", "more", "title", "color",
    "sleep", "gio", "sensible-browser", "code", "pbcopy", "xclip", "clip", "echo", "chcp", "tset",
}  # fmt: skip
_SHOWS = {"ls", "dir", "ps", "df", "free", "uptime", "cat", "head", "tail", "man"}


class ExitStatusUnseen(Rule):
    code = "SF026"
    name = "exit-status-unseen"
    family = "silent"
    summary = "A program is run and nobody looks at its exit status."
    why = (
        "A program that fails says so only by its status: what it was to do is not done, or its"
        " empty output is taken for the answer, and the code goes on as after a success."
    )
    remedy = "Pass check=True, or look at returncode; say check=False where failure is accepted."
    GOOD = (
        "import subprocess\n\ndef build(path):\n    subprocess.run(['make', path], check=True)\n",
        "import subprocess\n\ndef built(path):\n    done = subprocess.run(['make', path])\n"
        "    return done.returncode == 0\n",
        "import os\n\ndef listed(folder):\n    os.system('ls -l ' + folder)\n",
        "import subprocess\n\ndef show(url):\n    subprocess.run(['xdg-open', url])\n",
        "import subprocess\n\ndef stop(name):\n    subprocess.call(['service', name, 'stop'])\n",
        "import subprocess\n\ndef tidy(name):\n"
        "    subprocess.run(['docker', 'rm', name], check=False)\n",
        "import subprocess\n\ndef listed(path):\n"
        "    child = subprocess.Popen(['tail', '-f', path], stdout=subprocess.PIPE)\n"
        "    line = child.stdout.readline()\n    child.kill()\n    return line\n",
    )
    BAD = (
        "import subprocess\n\ndef build(path):\n    subprocess.run(['make', path])\n",
        "import subprocess\n\ndef version():\n"
        "    done = subprocess.run(['git', 'describe'], capture_output=True, text=True)\n"
        "    return done.stdout.strip()\n",
        "import os\n\ndef install(package):\n    os.system('pip install ' + package)\n",
        "import subprocess\n\ndef dump(path):\n"
        "    child = subprocess.Popen(['pg_dump', path], stdout=subprocess.PIPE)\n"
        "    out, _ = child.communicate()\n    return out\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source) or source.is_shown:
            return
        for call in calls_of(source, _LASTS):
            if isinstance(call.func, (ast.Attribute, ast.Name)):
                name = source.called(call)
                if (name in _RUN or name in _POPEN) and (found := self._judged(source, call, name)):
                    yield found

    def _judged(self, source: Source, call: ast.Call, name: str) -> Finding | None:
        around = source.function(call)
        if (
            around is None or _checked(source, call) or _harmless(call)
            or is_clean_up(source, call, around)
        ):  # fmt: skip
            return None
        use = _use(source, call, around)
        if not use or (use == "dropped" and name in _POPEN):
            return None
        program, where = _program(call), source.symbol(call)
        if use == "dropped":
            return self.finding(
                source, call,
                f"If {program} exits with an error, {where} goes on as if it had done its work:"
                " nobody sees the status.",
                confidence=Confidence.HIGH if _first(call) else Confidence.LOW,
                severity=Severity.WARNING if _first(call) else Severity.NOTE,
                evidence=("the status is dropped, no check=True",),
            )  # fmt: skip
        return self.finding(
            source, call,
            f"If {program} exits with an error, {where} takes its output, empty or cut, for the"
            " answer: nobody sees the status.",
            confidence=Confidence.HIGH if name == "subprocess.run" else Confidence.LOW,
            evidence=(f".{use} is used, the status is not",),
        )  # fmt: skip


def _checked(source: Source, call: ast.Call) -> bool:
    """check=True raises; check=False says that failure is accepted; **options may say either;
    errors that are part of the output are shown with it."""
    return any(
        word.arg in ("check", None)
        or (word.arg == "stderr" and source.dotted(word.value).endswith("STDOUT"))
        for word in call.keywords
    )


def _first(call: ast.Call) -> str:
    """The program, as far as it is written there."""
    given: ast.AST | None = call.args[0] if call.args else None
    if isinstance(given, (ast.List, ast.Tuple)) and given.elts:
        given = given.elts[0]
    if isinstance(given, ast.BinOp):
        given = given.left
    if isinstance(given, ast.JoinedStr) and given.values:
        given = given.values[0]
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else ""


def _program(call: ast.Call) -> str:
    words = _first(call).split()
    return f"`{words[0]}`" if words else "the program"


def _harmless(call: ast.Call) -> bool:
    words = _first(call).split()
    if not words and call.args and getattr(call.args[0], "value", None) == "":
        return True  # os.system("") switches a Windows console to colours
    if not words:
        return False
    program = words[0].rpartition("/")[2].removesuffix(".exe").lower()
    # os.system leaves what they show, their errors too, to who looks at the terminal.
    shows = program in _SHOWS and getattr(call.func, "attr", "") == "system"
    return shows or program in _HARMLESS


def _use(source: Source, call: ast.Call, around: Function) -> str:
    """ "dropped", the output that is read, or "" when the status may be looked at."""
    holder = source.parent(call)
    if isinstance(holder, ast.Await):
        holder = source.parent(holder)
    if isinstance(holder, ast.Expr):
        return "dropped"
    if isinstance(holder, ast.Attribute):
        seen = holder.attr not in _OUTPUT or _is_weighed(source, holder, around)
        return "" if seen else holder.attr
    kept: ast.expr | None = None
    if isinstance(holder, ast.Assign) and len(holder.targets) == 1:
        kept = holder.targets[0]
    elif isinstance(holder, ast.withitem):
        kept = holder.optional_vars
    return _read(source, around, kept.id) if isinstance(kept, ast.Name) else ""


def _read(source: Source, around: Function, name: str) -> str:
    output, used = "", False
    for one in walk(around):
        if not (isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load)):
            continue
        used = True
        user = source.parent(one)
        if not isinstance(user, ast.Attribute) or user.attr in _LOOKS or _waits_for(source, user):
            return ""
        if user.attr in _OUTPUT:
            output = user.attr
            if _is_weighed(source, user, around):
                return ""
    return output if used else "dropped"


def _is_weighed(source: Source, output: ast.Attribute, around: Function) -> bool:
    """Whether the function asks if there is any output, or reads what came on stderr."""
    node: ast.AST = output
    for holder in source.parents(output):
        if isinstance(holder, (ast.If, ast.IfExp, ast.While)):
            return node is holder.test
        if isinstance(holder, ast.Assign):
            kept = holder.targets[0]
            if isinstance(kept, ast.Tuple):
                return any(_tested(around, one) for one in kept.elts[:1]) or any(
                    _loaded(around, one) for one in kept.elts[1:]
                )
            return _tested(around, kept) or _second(around, kept)
        if isinstance(holder, ast.stmt):
            return False
        node = holder
    return False


def _tested(around: Function, kept: ast.expr) -> bool:
    """Whether the name stands in a condition."""
    if not isinstance(kept, ast.Name):
        return False
    for one in walk(around):
        if isinstance(one, (ast.If, ast.IfExp, ast.While)) and any(
            isinstance(inner, ast.Name) and inner.id == kept.id for inner in walk(one.test)
        ):  # fmt: skip
            return True
    return False


def _loaded(around: Function, kept: ast.expr) -> bool:
    return isinstance(kept, ast.Name) and any(
        isinstance(one, ast.Name) and one.id == kept.id and isinstance(one.ctx, ast.Load)
        for one in walk(around)
    )


def _second(around: Function, kept: ast.expr) -> bool:
    """`both[1]`, where `both` is what communicate gave."""
    return isinstance(kept, ast.Name) and any(
        isinstance(one, ast.Subscript) and getattr(one.value, "id", "") == kept.id
        and getattr(one.slice, "value", None) == 1
        for one in walk(around)
    )  # fmt: skip


def _waits_for(source: Source, user: ast.Attribute) -> bool:
    """`status = child.wait()`: the status is taken."""
    call = source.parent(user)
    if user.attr != "wait" or call is None:
        return False
    holder = source.parent(call)
    if isinstance(holder, ast.Await):
        holder = source.parent(holder)
    return not isinstance(holder, ast.Expr)
