"""`busctl audit` as a person, an agent and CI use it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import COMMAND, wait_for
from tests.forks.client import Forked, run

DROPPED = '''
def save(row):
    """Store a row."""
    try:
        database.commit(row)
    except Exception:
        pass
'''
FINE = "def save(row):\n    database.commit(row)\n"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    return kept | {"HOME": str(tmp_path / "home"), "NO_COLOR": "1"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write(folder, {"pyproject.toml": "", "app/store.py": DROPPED, "app/fine.py": FINE})
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def audit(
    folder: Path, home: dict[str, str], *args: object
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    return run(["audit", *args], cwd=folder, env=home, text=True)


def findings(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found


def test_a_finding_is_shown_with_its_place(project: Path, home: dict[str, str]) -> None:
    done = audit(project, home)
    assert done.returncode == 1, done.stderr
    assert "app/store.py:6:5" in done.stdout
    assert "except Exception:" in done.stdout
    assert "2 files looked at" in done.stdout
    shown = audit(project, home, "app", "--json")
    (found,) = findings(shown)
    assert found["line"] == 6
    assert Path(found["path"]) == project / "app" / "store.py"
    assert found["relative_path"] == "app/store.py"
    assert {"code", "name", "message", "severity", "confidence", "evidence", "remedy"} <= {*found}


def test_without_findings_all_is_well(project: Path, home: dict[str, str]) -> None:
    assert audit(project, home, "app/fine.py").returncode == 0
    assert audit(project, home, "config", "app").returncode == 0
    assert audit(project, home, "silent", "app").returncode == 1
    assert audit(project, home, "--ignore", "silent").returncode == 0


def test_nothing_looked_at_is_not_well(tmp_path: Path, home: dict[str, str]) -> None:
    (tmp_path / "empty").mkdir()
    assert audit(tmp_path, home, "empty").returncode == 3
    write(tmp_path, {"broken/a.py": "def"})
    done = audit(tmp_path, home, "broken")
    assert done.returncode == 3
    assert "AU001" in done.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("missing",), "missing"),
        (("--select", "XX9"), "XX9"),
        (("--update-baseline",), "--baseline"),
        (("--baseline", "none.json"), "none.json"),
        (("--diff-base", "HEAD"), "git"),
        (("explain", "XX9"), "XX9"),
        (("--format", "pdf"), "pdf"),
    ],
)
def test_wrong_use_is_named(
    project: Path, home: dict[str, str], args: tuple[str, ...], said: str
) -> None:
    done = audit(project, home, *args)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "form", ["text", "json", "ndjson", "sarif", "github", "gitlab", "junit", "markdown"]
)
def test_every_form_names_the_finding(project: Path, home: dict[str, str], form: str) -> None:
    done = audit(project, home, "--format", form, "--output", "out")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "2 files looked at" in done.stderr
    text = (project / "out").read_text(encoding="utf-8")
    assert "app/store.py" in text
    assert audit(project, home, "--format", form).stdout == text


def test_statistics(project: Path, home: dict[str, str]) -> None:
    counted = json.loads(audit(project, home, "--statistics", "--json").stdout)
    assert [one["count"] for one in counted["statistics"]] == [1]
    assert counted["statistics"][0]["code"] in audit(project, home, "--statistics").stdout


def test_a_baseline_keeps_what_is_known_quiet(project: Path, home: dict[str, str]) -> None:
    made = audit(project, home, "--baseline", "known.json", "--update-baseline")
    assert made.returncode == 0, made.stderr
    assert audit(project, home, "--baseline", "known.json").returncode == 0
    write(project, {"app/store.py": "import json\n\n" + DROPPED, "app/new.py": DROPPED})
    (found,) = findings(audit(project, home, "--baseline", "known.json", "--json"))
    assert found["relative_path"] == "app/new.py"
    write(project, {"app/store.py": FINE, "app/new.py": FINE})
    assert "gone" in audit(project, home, "--baseline", "known.json").stderr


def git(folder: Path, *args: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *args], cwd=folder, check=True,
        capture_output=True,
    )  # fmt: skip


def test_only_what_is_new_since_a_revision(project: Path, home: dict[str, str]) -> None:
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "one")
    assert audit(project, home, "--diff-base", "HEAD").returncode == 0
    write(project, {"app/store.py": "\n\n" + DROPPED, "app/new.py": DROPPED})
    (found,) = findings(audit(project, home, "--diff-base", "HEAD", "--json"))
    assert found["relative_path"] == "app/new.py"
    assert audit(project, home, "--diff-base", "nowhere").returncode == 2


def test_rules_are_listed_and_explained(project: Path, home: dict[str, str]) -> None:
    shapes = json.loads(audit(project, home, "rules", "--json").stdout)["rules"]
    assert {"silent", "config", "truncation", "async", "inheritance", "sql"} == {
        one["family"] for one in shapes
    }
    listed = audit(project, home, "rules").stdout
    for one in shapes[:5]:
        assert one["code"] in listed
        shown = audit(project, home, "explain", one["code"])
        assert one["summary"] in shown.stdout
        assert one["remedy"] in shown.stdout


def test_the_cache_is_used_and_can_be_left_out(project: Path, home: dict[str, str]) -> None:
    first = audit(project, home, "--json").stdout
    kept = list(Path(home["HOME"]).rglob("audit.sqlite"))
    assert len(kept) == 1
    assert audit(project, home, "--json").stdout == first
    assert audit(project, home, "--json", "--no-cache").stdout == first


def test_the_audited_code_is_never_run(tmp_path: Path, home: dict[str, str]) -> None:
    mark = tmp_path / "mark"
    code = f"open({str(mark)!r}, 'w').close()\n"
    names = ("audits/__init__.py", "typer.py", "json.py", "conftest.py", "a.py")
    write(tmp_path / "p", dict.fromkeys(names, code))
    done = subprocess.run(
        [sys.executable, "-m", "busctl", "audit", "."], cwd=tmp_path / "p", env=home,
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert not mark.exists()


def test_a_terminal_gets_colours(project: Path, home: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    colourful = {name: value for name, value in home.items() if name != "NO_COLOR"}
    process: Forked[bytes] = Forked(
        ["audit"], cwd=project, env=colourful | {"TERM": "xterm"}, stdout=theirs, stderr=theirs
    )
    process.wait(timeout=100)
    assert re.search(rb"\x1b\[\d+m", os.read(ours, 100_000))
    os.close(ours)
    os.close(theirs)


def test_watching_looks_again(project: Path, home: dict[str, str]) -> None:
    process = subprocess.Popen(
        [*COMMAND, "audit", "--watch"], cwd=project, env=home | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        seen = iter(process.stdout.readline, "")
        assert any("1 file" in line and "in" in line for line in seen)
        write(project, {"app/store.py": FINE})
        assert any("No findings" in line for line in seen)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_interrupting_ends_it(tmp_path: Path, home: dict[str, str]) -> None:
    write(tmp_path, {f"p/m{number}.py": DROPPED * 300 for number in range(100)})
    process = Forked(
        ["audit", "p", "--no-cache"], cwd=tmp_path, env=home,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_for(lambda: bool(children.read_text()))  # its workers have files to look at
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=60)
    assert process.returncode in (1, 130)
    assert "Traceback" not in said


def test_a_map_shows_the_hops(tmp_path: Path, home: dict[str, str]) -> None:
    write(tmp_path, {
        "app/tools.py": "import json\nfrom app.wire import send\n\n\ndef answer(rows):\n"
        "    send(json.dumps(rows)[:1000])\n",
        "app/__init__.py": "",
        "app/wire.py": "def send(text):\n    socket.send(text.encode())\n",
    })  # fmt: skip
    shown = audit(tmp_path, home, "map", "app", "--entry", "answer")
    assert shown.returncode == 0, shown.stderr
    assert "app.wire.send" in shown.stdout
    assert "slice" in shown.stdout
    shape = json.loads(audit(tmp_path, home, "map", "app", "--entry", "answer", "--json").stdout)
    assert [hop["name"] for hop in shape["hops"]] == ["app.tools.answer", "app.wire.send"]
    assert "flowchart" in audit(
        tmp_path, home, "map", "app", "--entry", "answer", "--format", "mermaid"
    ).stdout  # fmt: skip
    assert audit(tmp_path, home, "map", "app", "--entry", "nobody").returncode == 2
    assert audit(tmp_path, home, "map", "app").returncode == 1


CALL = '''"""A client."""
import requests


def ask(question):
    # The peer is slow.
    return requests.post("https://tools.example.org/ask", json=question, timeout=17)
'''


def test_fixing_moves_a_literal_to_the_environment(tmp_path: Path, home: dict[str, str]) -> None:
    write(tmp_path, {"p/pyproject.toml": "", "p/client.py": CALL, "p/.env.example": "# mine\nA=1"})
    folder = tmp_path / "p"
    shown = audit(folder, home, "--diff", "--select", "CF003")
    assert shown.returncode == 1
    assert "+import os" in shown.stdout
    assert (folder / "client.py").read_text(encoding="utf-8") == CALL
    done = audit(folder, home, "--fix", "--select", "CF003")
    assert done.returncode == 0, done.stderr
    mended = (folder / "client.py").read_text(encoding="utf-8")
    assert "# The peer is slow." in mended
    assert re.search(r"timeout=(int|float)\(os\.environ\.get\(\"\w+\", (\")?17(\")?\)\)", mended)
    example = (folder / ".env.example").read_text(encoding="utf-8")
    assert example.startswith("# mine\nA=1\n")
    assert re.search(r"^CLIENT_\w+=17$|^\w+TIMEOUT\w*=17$", example, re.MULTILINE)
    assert audit(folder, home, "--select", "CF003").returncode == 0
