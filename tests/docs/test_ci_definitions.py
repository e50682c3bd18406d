"""action.yml and .pre-commit-hooks.yaml: what they would run is run here, in real repositories."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ACTION = (ROOT / "action.yml").read_text(encoding="utf-8")
HOOKS = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "auditing.md").read_text(encoding="utf-8")
BAD = "def save(row):\n    try:\n        database.commit(row)\n    except:\n        pass\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "a b").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("")
    (folder / "a b" / "bad.py").write_text(BAD)
    (folder / "good.py").write_text("x = 1\n")
    return folder


def environment(folder: Path, **more: str) -> dict[str, str]:
    """A runner's: busctl installed where the first step puts it, a cache of its own."""
    scripts = folder / "runner" / "busctl" / "bin"
    scripts.mkdir(parents=True, exist_ok=True)
    if not (scripts / "busctl").exists():
        (scripts / "busctl").symlink_to(Path(sys.executable).parent / "busctl")
    return {
        "PATH": f"{scripts}:{os.environ['PATH']}", "HOME": str(folder), "NO_COLOR": "1",
        "XDG_CACHE_HOME": str(folder / "cache"), "RUNNER_TEMP": str(folder / "runner"), **more,
    }  # fmt: skip


def audited(project: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The action's own script, its inputs over the defaults it declares."""
    defaults = dict(
        re.findall(r"^  (\w+):\n(?:    .*\n)*?    default: \"?([^\n\"]*)\"?$", ACTION, re.M)
    )
    assert set(inputs) <= set(defaults)
    given = {name.upper(): value for name, value in {**defaults, **inputs}.items()}
    _, script = re.findall(r"^      run: \|\n((?:        .*\n|\n)+)", ACTION, re.M)
    return subprocess.run(
        ["bash", "-c", textwrap.dedent(script)], cwd=project, capture_output=True, text=True,
        env=environment(project.parent, **given),
    )  # fmt: skip


def test_the_action_annotates_and_fails(project: Path) -> None:
    done = audited(project)
    assert done.returncode == 1, done.stderr
    assert re.match(r"::\w+ file=a b/bad\.py,line=4,", done.stdout)


def test_the_action_takes_paths_and_arguments_a_line_each(project: Path) -> None:
    done = audited(project, paths="good.py\n\na b\n", arguments="--min-confidence=low\n--no-cache")
    assert done.stdout.count("a b/bad.py") == 1
    assert "2 files looked at" in done.stdout
    assert audited(project, paths="good.py").returncode == 0


def test_the_action_writes_a_file_and_may_leave_the_verdict_to_others(project: Path) -> None:
    done = audited(project, format="sarif", output="out.sarif", fail="false")
    assert done.returncode == 0, done.stderr
    assert '"2.1.0"' in (project / "out.sarif").read_text()


def test_the_action_fails_when_it_cannot_look(project: Path) -> None:
    assert audited(project, fail="false", arguments="--diff-base=none").returncode == 2
    assert audited(project, fail="false", paths="none.py").returncode == 2


def test_an_input_is_never_part_of_the_script(project: Path) -> None:
    hostile = '$(touch ran); `touch ran`; "; touch ran'
    assert audited(project, paths=hostile).returncode == 2
    assert audited(project, arguments=hostile).returncode == 2
    assert not [*project.parent.rglob("ran")]
    scripts = re.findall(r"^      run: \|\n((?:        .*\n|\n)+)", ACTION, re.M)
    assert "${{" not in "".join(scripts)


def test_the_inputs_that_the_page_sets_exist() -> None:
    declared = re.findall(r"^  (\w+):$", ACTION.partition("runs:")[0], re.M)
    used = re.findall(
        r"^ {10}(\w+):", "".join(re.findall(r"busctl@.*?(?=\n```|- uses)", PAGE, re.S)), re.M
    )
    assert used
    assert set(used) <= set(declared)


# --- pre-commit --------------------------------------------------------------------------------

ENTRIES = dict(re.findall(r"^- id: (\S+)\n(?:  .*\n)*?  entry: (.+)$", HOOKS, re.M))


def test_the_hooks_of_the_page_exist() -> None:
    assert list(ENTRIES) == ["busctl-audit", "busctl-audit-new"]
    assert all(name in PAGE for name in ENTRIES)


def test_the_hooks_look_at_the_project_from_inside_of_a_commit(project: Path) -> None:
    environ = environment(project.parent)

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        identity = (
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
            "-c",
            "init.defaultBranch=main",
        )
        words = ["git", *identity, *command[1:]] if command[0] == "git" else [*command]
        return subprocess.run(words, cwd=project, capture_output=True, text=True, env=environ)

    run("git", "init")
    hook = project / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec {ENTRIES['busctl-audit']}\n")
    hook.chmod(0o755)
    run("git", "add", "-A")
    refused = run("git", "commit", "-m", "one")
    assert refused.returncode != 0
    assert "a b/bad.py:4" in refused.stdout + refused.stderr
    assert run("git", "commit", "--no-verify", "-m", "one").returncode == 0

    hook.write_text(f"#!/bin/sh\nexec {ENTRIES['busctl-audit-new']}\n")
    (project / "more.py").write_text("y = 1\n")
    run("git", "add", "-A")
    accepted = run("git", "commit", "-m", "two")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
