"""`busctl audit` where names, settings and options are not as anybody would wish."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import COMMAND, wait_for
from tests.cli.test_audit import DROPPED, audit, findings, git, home, project, write

__all__ = ["home", "project"]


@pytest.mark.parametrize(
    "form", ["text", "json", "ndjson", "sarif", "github", "gitlab", "junit", "markdown"]
)
def test_names_that_are_hard_to_write(tmp_path: Path, home: dict[str, str], form: str) -> None:
    write(tmp_path, {"pyproject.toml": "", ".gitignore": "*.tmp\n"})
    for name in (b"a\nb.py", b"\xff\xfe.py", b"::x,%.py", b"-opt.py", b'<b>&".py'):
        (tmp_path / os.fsdecode(name)).write_text(DROPPED, encoding="utf-8")
    done = audit(tmp_path, home, "--format", form, "--output", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    assert "5 files looked at" in done.stderr


@pytest.mark.parametrize("name", ["pipe.py", "/dev/null"])
def test_what_is_no_file_is_refused(project: Path, home: dict[str, str], name: str) -> None:
    os.mkfifo(project / "pipe.py")
    done = audit(project, home, name)
    assert done.returncode == 2
    assert name in done.stderr


def test_pipes_and_links_to_themselves_do_not_stop_it(project: Path, home: dict[str, str]) -> None:
    os.mkfifo(project / ".gitignore")
    os.mkfifo(project / "README.md")
    (project / "self.py").symlink_to("self.py")
    (project / "loop").symlink_to(".")
    assert "2 files looked at" in audit(project, home).stdout


def test_a_link_tells_no_fault_twice(project: Path, home: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere/far.py": DROPPED})
    (project / "app" / "again.py").symlink_to("store.py")
    (project / "far.py").symlink_to(tmp_path / "elsewhere" / "far.py")
    found = findings(audit(project, home, "--json"))
    assert [one["relative_path"] for one in found] == ["app/store.py", "far.py"]


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path, home: dict[str, str]) -> None:
    write(tmp_path, {"pyproject.toml": "", "a.py": DROPPED})
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # a path longer than the system takes
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    done = audit(tmp_path, home, "--json")
    assert done.returncode == 1
    shape = json.loads(done.stdout)
    assert [one["code"] for one in shape["findings"]] == ["SF010", "AU001"]
    assert shape["checked"] == 1
    assert "too long" in shape["not_looked_at"][0]["why"]


def test_a_file_that_is_no_code_was_not_looked_at(project: Path, home: dict[str, str]) -> None:
    write(project, {"README.md": "# Read me\n"})
    done = audit(project, home, "README.md")
    assert done.returncode == 3
    assert "neither Python's nor SQL's" in done.stdout


@pytest.mark.parametrize(
    "line", ["!", "\\", "a\\", "[", "//"]
)  # fmt: skip
def test_lines_of_gitignore_that_are_no_patterns(
    project: Path, home: dict[str, str], line: str
) -> None:
    write(project, {".gitignore": f"{line}\nfine.py\n"})
    assert "1 file looked at" in audit(project, home).stdout
    write(project, {"pyproject.toml": f"[tool.busctl.audit]\nexclude = ['{line}']\n"})
    done = audit(project, home)
    assert done.returncode in {1, 2}
    assert "busctl failed" not in done.stderr


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("tool = 3", "tool is no table"),
        ("[tool]\nbusctl = 'x'", "tool.busctl is no table"),
        ("[tool.busctl.audit]\nexclude = ['!']", "'!' is no pattern"),
        ("[tool.busctl.audit.per-path]\n'!' = {ignore = ['SF']}", "'!' is no pattern"),
        ("[tool.busctl.audit.per-path]\n'app/' = {ignore = ['XX9']}", "XX9"),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    project: Path, home: dict[str, str], table: str, said: str
) -> None:
    write(project, {"pyproject.toml": table})
    done = audit(project, home)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr


def test_a_family_can_be_ignored_for_a_path(project: Path, home: dict[str, str]) -> None:
    write(project, {
        "pyproject.toml": "[tool.busctl.audit.per-path]\n'app/' = {ignore = ['silent']}\n",
        "main.py": DROPPED,
    })  # fmt: skip
    found = findings(audit(project, home, "--json"))
    assert [one["relative_path"] for one in found] == ["main.py"]


@pytest.mark.parametrize(
    "args", [("--select", "SF", "--ignore", "silent"), ("silent",), ("--ignore", "config")]
)
def test_without_any_rule_nothing_is_clean(
    project: Path, home: dict[str, str], args: tuple[str, ...]
) -> None:
    write(project, {"pyproject.toml": "[tool.busctl.audit]\nselect = ['config']\n"})
    done = audit(project, home, *args)
    assert done.returncode == 2
    assert "no rule" in done.stderr.lower()


@pytest.mark.parametrize(
    "args",
    [
        ("--statistics", "--format", "sarif"),
        ("--diff", "--output", "patch"),
        ("--diff", "--json"),
        ("--fix", "--watch"),
        ("--fix", "--baseline", "known.json", "--update-baseline"),
        ("--output", "app"),
        ("--output", "nowhere/report"),
    ],
)
def test_what_would_be_passed_over_is_refused(
    project: Path, home: dict[str, str], args: tuple[str, ...]
) -> None:
    done = audit(project, home, *args)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""


def test_a_report_that_is_not_written_is_no_finding(project: Path, home: dict[str, str]) -> None:
    done = audit(project, home, "--output", "/dev/full")
    assert done.returncode == 3
    assert "/dev/full" in done.stderr


def test_fixing_reports_what_is_left_in_the_form_asked_for(
    project: Path, home: dict[str, str]
) -> None:
    done = audit(project, home, "--fix", "--json")
    assert done.returncode == 1
    assert [one["code"] for one in findings(done)] == ["SF010"]


def test_what_the_engine_finds_is_explained(project: Path, home: dict[str, str]) -> None:
    for code in ("AU001", "unused-allowance", "au003", "AU004"):
        done = audit(project, home, "explain", code)
        assert done.returncode == 0, done.stderr
        assert "(engine, " in done.stdout


@pytest.mark.parametrize("before", [b"# old\r\nFOO=1\r\nB=\xc3\xa9", b"FOO=\xe9\n", b""])
def test_fixing_adds_to_the_example_and_changes_nothing_in_it(
    project: Path, home: dict[str, str], before: bytes
) -> None:
    write(project, {"app/store.py": (
        "import requests\n\ndef load():\n"
        "    return requests.get('https://billing.internal.corp/v1/x', timeout=30)\n"
    )})  # fmt: skip
    example = project / ".env.example"
    example.write_bytes(before)
    done = audit(project, home, "--fix")
    assert "added to .env.example" in done.stderr
    after = example.read_bytes()
    assert after.startswith(before)
    assert b"_TIMEOUT=30" in after[len(before) :]
    ends = {line[-2:] == b"\r\n" for line in after.splitlines(keepends=True)}
    assert ends == {b"\r\n" in before}


def test_platforms_get_paths_of_the_checkout(project: Path, home: dict[str, str]) -> None:
    """A repository may hold several projects; annotations belong to its files."""
    (project.parent / ".git").mkdir()
    for form in ("github", "gitlab", "sarif"):
        assert "project/app/store.py" in audit(project, home, "--format", form).stdout
    (found,) = findings(audit(project, home, "--json"))
    assert found["relative_path"] == "app/store.py"


def test_what_a_submodule_held_is_not_new(tmp_path: Path, home: dict[str, str]) -> None:
    write(tmp_path, {"part/a.py": DROPPED, "whole/b.py": DROPPED})
    for name in ("part", "whole"):
        git(tmp_path / name, "init", "-q")
    allowed = ("-c", "protocol.file.allow=always")
    git(tmp_path / "part", "add", "-A")
    git(tmp_path / "part", "commit", "-qm", "one")
    git(tmp_path / "whole", *allowed, "submodule", "-q", "add", str(tmp_path / "part"), "in/part")
    git(tmp_path / "whole", "add", "-A")
    git(tmp_path / "whole", "commit", "-qm", "one")
    done = audit(tmp_path / "whole", home, "--diff-base", "HEAD")
    assert done.returncode == 0, done.stdout
    write(tmp_path / "whole", {"in/part/c.py": DROPPED})
    (found,) = findings(audit(tmp_path / "whole", home, "--diff-base", "HEAD", "--json"))
    assert found["relative_path"] == "in/part/c.py"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_one_that_was_killed(
    tmp_path: Path, home: dict[str, str], number: signal.Signals
) -> None:
    write(tmp_path, {f"m{one}.py": DROPPED * 200 for one in range(400)})
    running = subprocess.Popen(
        [*COMMAND, "audit", "--no-cache", "--jobs", "2"], cwd=tmp_path, env=home,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    wait_for(lambda: len(children.read_text().split()) >= 2)
    running.send_signal(number)
    running.communicate(timeout=60)  # the workers hold the other end of the pipe
    assert running.returncode == -number


def test_watching_outlives_what_is_half_written(
    project: Path, home: dict[str, str], tmp_path: Path
) -> None:
    said = tmp_path / "said"
    with said.open("wb") as file:
        watching = subprocess.Popen(
            [*COMMAND, "audit", "app", "--watch", "--statistics"], cwd=project, env=home,
            stdout=file, stderr=file,
        )  # fmt: skip

    def told(text: str, times: int) -> bool:
        assert watching.poll() is None, said.read_text()
        return said.read_text().count(text) >= times

    try:
        wait_for(lambda: told("watching", 1))
        write(project, {"pyproject.toml": "[tool.busctl.audit\n"})
        wait_for(lambda: told("watching", 2))
        assert "pyproject.toml: Expected" in said.read_text()
        write(project, {"pyproject.toml": ""})
        wait_for(lambda: told("2 files looked at", 2))
    finally:
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=60) == 130
