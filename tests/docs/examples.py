"""The examples of a document, run as they stand, and what it shows compared with what came.

`<!-- run: NAME -->` stands above a ```sh block that is run, in the order of the page, each in a
bash of its own (with ID kept from block to block). `<!-- run: NAME on database -->` runs it with
DATABASE_URL set. `<!-- output: NAME -->` above a block says that NAME prints this: JSON of the same
shape, text that is equal but for numbers, ids, times and what an … stands for. Every other ```sh
block says why it is not run: `<!-- not run: WHY -->`.

The page names the folders and the port of a real machine; here they are moved into a folder.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from busctl.adapters import embedded

DOCS = Path(__file__).parents[2] / "docs"
SCRIPTS = Path(sys.executable).parent
PROGRAMS = ("bash", "curl", "cmp", "psql", "pg_dump", "pg_restore")
_FENCE = re.compile(
    r"(?:<!-- ([a-z ]+): ([^>]+?) -->\n)?```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
_VOLATILE = (
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    (r"\b[0-9a-f]{64}\b", "SHA"),
    (r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|\+00:00)", "TIME"),
    (r"\d[\d,.]*(?:e\+\d+)?", "N"),
    (r"\b(?:B|KB|MB)\b", "SIZE"),
    (r"[ \t]+", " "),
)
EPILOGUE = '\ndeclare -p ID > "$KEPT" 2>/dev/null || true\n'
LIMIT_SECS = 60


@dataclass(frozen=True)
class Block:
    """One fenced block: `kind` and `name` are what the comment above it says, "" without one."""

    kind: str
    name: str
    language: str
    text: str


@dataclass(frozen=True)
class Ran:
    """How an example ended. `out` and `err` with the page's own folders in them again."""

    code: int
    out: str
    err: str


def blocks(page: str) -> list[Block]:
    """Every fenced block of docs/PAGE, in order."""
    text = (DOCS / page).read_text("utf-8")
    return [
        Block(kind or "", name or "", language, body)
        for kind, name, language, body in _FENCE.findall(text)
    ]


def runs(page: str) -> list[str]:
    """Names of the examples that are run."""
    return [_plain(each.name) for each in blocks(page) if each.kind == "run"]


def outputs(page: str) -> list[str]:
    """Names of the examples whose output is shown."""
    return [each.name for each in blocks(page) if each.kind == "output"]


def unexplained(page: str) -> list[str]:
    """Shell blocks that are neither run nor say why not."""
    return [
        each.text
        for each in blocks(page)
        if each.language == "sh" and each.kind not in ("run", "not run")
    ]


def _plain(name: str) -> str:
    return name.removesuffix(" on database")


@contextmanager
def played(page: str, dsn: str = "") -> Iterator[dict[str, Ran]]:
    """Every example of the page, run once: on an embedded store of its own, those "on database" on
    `dsn`. What they started ends with the block."""
    with tempfile.TemporaryDirectory(prefix="busctl-docs-") as name:
        Path(name).chmod(0o755)
        machine = Machine(Path(name), dsn)
        try:
            yield run_all(page, machine)
        finally:
            machine.stop()
            embedded.stop(machine.store, force=True)


def check_works(ended: Mapping[str, Ran], name: str) -> None:
    """The example was run, and ended well."""
    assert name in ended, f"not run: {list(ended)[-1]} failed before it"
    assert ended[name].code == 0, ended[name].err


def check_prints(ended: Mapping[str, Ran], page: str, name: str) -> None:
    """The example was run, and printed what the page shows."""
    assert name in ended, f"not run: {list(ended)[-1]} failed before it"
    assert not differences(shown(page, name), ended[name].out)


class Machine:
    """A folder that stands for a machine: its /etc, /var/lib, /run and /backups, and a port."""

    def __init__(
        self, folder: Path, dsn: str, moved: Mapping[str, str] | None = None, path: str = ""
    ) -> None:
        """`moved`: other texts of the page and what stands for them here; `path`: programs."""
        self.folder = folder
        self._path = path
        self._dsn = dsn
        self._port = _free_port()
        self._groups: list[int] = []
        self._moved = {"8765": str(self._port), "/opt/busctl/bin": str(SCRIPTS)}
        self._moved |= moved or {}
        for path in ("/var/lib/busctl", "/etc/busctl", "/run/busctl", "/backups"):
            self._moved[path] = str(folder / path.replace("/", "_").strip("_"))
            Path(self._moved[path]).mkdir(mode=0o755)
        (folder / "work").mkdir()

    @property
    def store(self) -> Path:
        return Path(self._moved["/var/lib/busctl"]) / "store"

    def run(self, block: Block) -> Ran:
        """Run a block to its end; what it starts in the background lives until `stop`."""
        environment = self._environment(block.name.endswith(" on database"))
        kept = self.folder / "kept"
        text = f"{kept.read_text()}\n" if kept.exists() else ""
        text += self._there(block.text) + EPILOGUE
        out, err = self.folder / "out", self.folder / "err"
        with out.open("wb") as to_out, err.open("wb") as to_err:
            shell = subprocess.Popen(
                ["bash", "-eu", "-c", text], cwd=self.folder / "work",
                env=environment | {"KEPT": str(kept)}, stdin=subprocess.DEVNULL,
                stdout=to_out, stderr=to_err, start_new_session=True,
            )  # fmt: skip
            self._groups.append(shell.pid)
            code = shell.wait(LIMIT_SECS)
        return Ran(code, self._back(out.read_text("utf-8")), self._back(err.read_text("utf-8")))

    def stop(self) -> None:
        """End what the examples left running."""
        for group in self._groups:
            with suppress(ProcessLookupError):  # it has ended, as it should
                os.killpg(group, signal.SIGKILL)

    def _environment(self, on_database: bool) -> dict[str, str]:
        own = {
            "PATH": f"{SCRIPTS}:{self._path}:{os.environ['PATH']}", "HOME": str(self.folder),
            "LANG": "C.UTF-8", "BUSCTL_PORT": str(self._port),
            "BUSCTL_STORE_DIR": str(self.store),
            "BUSCTL_STATE_DIR": str(self.store.parent / "state"),
        }  # fmt: skip
        return own | ({"DATABASE_URL": self._dsn} if on_database else {})

    def _there(self, text: str) -> str:
        for shown, real in self._moved.items():
            text = text.replace(shown, real)
        return text

    def _back(self, text: str) -> str:
        for shown, real in self._moved.items():
            text = text.replace(real, shown)
        return text


def run_all(page: str, machine: Machine) -> dict[str, Ran]:
    """Run the examples of a page in order, up to the first that fails."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not missing, f"{missing} must be installed to run the examples (as .ci/run does)"
    ended: dict[str, Ran] = {}
    for block in blocks(page):
        if block.kind == "run":
            ran = ended[_plain(block.name)] = machine.run(block)
            if ran.code:
                break
    return ended


def _free_port() -> int:
    """Below those that the system hands out, so that no other test is given it meanwhile."""
    while True:
        port = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):  # in use: another one
            return port


# --- comparing ---------------------------------------------------------------------------------


def shown(page: str, name: str) -> Block:
    """The output that a page shows for an example."""
    return next(each for each in blocks(page) if (each.kind, each.name) == ("output", name))


def differences(block: Block, out: str) -> list[str]:
    """How the output that came differs in shape from the one that is shown."""
    if block.language == "json":
        return _json_differences(json.loads(block.text), json.loads(out), "$")
    pattern = r"\s*".join(_pattern(line) for line in block.text.splitlines())
    if re.fullmatch(pattern + r"\s*", _volatile(out), re.DOTALL):
        return []
    return [f"shown:\n{block.text}\ncame:\n{out}"]


def _volatile(text: str) -> str:
    for pattern, name in _VOLATILE:
        text = re.sub(pattern, name, text)
    return text


def _pattern(line: str) -> str:
    return ".*?".join(re.escape(part) for part in _volatile(line).split("…"))


def _json_differences(wanted: Any, found: Any, at: str) -> list[str]:
    """Keys and types must be alike; null stands beside any type; a list's first entry for all."""
    if wanted is None or found is None:
        return []
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        if at.endswith(".metadata"):  # what the writer puts there is no shape of ours
            return []
        keys = [f"{at}.{key}" for key in sorted(wanted.keys() ^ found.keys())]
        both = [_json_differences(wanted[key], found[key], f"{at}.{key}")
                for key in wanted.keys() & found.keys()]  # fmt: skip
        return keys + [one for each in both for one in each]
    if isinstance(wanted, list) and isinstance(found, list):
        if not wanted or not found:
            return []
        return _json_differences(wanted[0], found[0], f"{at}[0]")
    number = (int, float)
    if isinstance(wanted, number) and isinstance(found, number):
        return [] if isinstance(wanted, bool) == isinstance(found, bool) else [at]
    return [] if type(wanted) is type(found) else [at]
