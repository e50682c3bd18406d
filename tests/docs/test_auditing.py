"""docs/auditing.md: its rule pack installs and runs; its settings and formats are real."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from busctl.audit.choosing import options_in
from busctl.audit.formats import FORMATS
from busctl.audit.formats.json import render

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "auditing.md").read_text(encoding="utf-8")
FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROJECT = 'import os\n\n\ndef leave():\n    print("bye")\n    os._exit(3)\n'

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's rule pack, installed by pip into a folder of its own."""
    pack = tmp_path_factory.mktemp("pack")
    for name, text in FILE.findall(PAGE):
        (pack / name).parent.mkdir(parents=True, exist_ok=True)
        (pack / name).write_text(text, encoding="utf-8")
    folder = tmp_path_factory.mktemp("site")
    install = ("-m", "pip", "install", "-qq", "--no-index", "--no-deps", "--no-build-isolation")
    done = python(*install, "--disable-pip-version-check", "--target", str(folder), str(pack))
    assert done.returncode == 0, done.stderr
    return folder


def python(
    *arguments: str, path: Path | None = None, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(path or ""), "NO_COLOR": "1"},
    )  # fmt: skip


def test_the_rule_pack_finds_its_mistake(site: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "app.py").write_text(PROJECT)
    command = ("-m", "busctl", "audit", "run", "--no-cache", "--select", "acme", "--format", "json")
    done = python(*command, path=site, folder=tmp_path)
    assert done.returncode == 1, done.stderr
    (found,) = json.loads(done.stdout)["findings"]
    assert (found["code"], found["family"], found["relative_path"]) == ("AC001", "acme", "app.py")
    assert (found["line"], found["symbol"], found["confidence"]) == (6, "leave", "high")


def test_the_rule_pack_is_listed_and_explained(site: Path) -> None:
    assert "AC001" in python("-m", "busctl", "audit", "rules", path=site).stdout
    assert "AC001" not in python("-m", "busctl", "audit", "rules").stdout
    told = python("-m", "busctl", "audit", "explain", "AC001", path=site).stdout
    assert "os._exit ends the process" in told


def test_the_rule_packs_own_tests_pass(site: Path) -> None:
    (text,) = [text for name, text in FILE.findall(PAGE) if name.startswith("tests/")]
    (site / "test_examples.py").write_text(text, encoding="utf-8")
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_examples.py",
                  path=site, folder=site)  # fmt: skip
    assert "4 passed" in done.stdout, done.stdout


def test_the_settings_are_those_there_are(tmp_path: Path) -> None:
    (table,) = [
        block for block in re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
        if "[tool.busctl.audit]" in block
    ]  # fmt: skip
    (tmp_path / "pyproject.toml").write_text(table, encoding="utf-8")
    options = options_in(tmp_path)
    assert options.baseline == "audit-baseline.json"
    assert [one.pattern for one in options.per_path] == ["tests/**", "scripts/"]
    shown = tomllib.loads(table)["tool"]["busctl"]["audit"]
    assert set(shown) == {"select", "ignore", "exclude", "min-confidence", "baseline", "per-path"}


def test_every_format_is_described() -> None:
    _, _, rows = PAGE.partition("| `--format` | for |")
    assert re.findall(r"^\| (\w+) \|", rows.partition("## In CI")[0], re.MULTILINE) == [*FORMATS]


def test_the_json_shape_is_the_one_described() -> None:
    from tests.audits.outcomes import finding, outcome

    shape = json.loads(render(outcome(finding())))
    (row,) = re.findall(r"^\| json \| (.*) \|$", PAGE, re.MULTILINE)
    assert re.findall(r'"(\w+)"', row.partition("}`")[0])[0] == "version"
    assert set(shape) <= set(re.findall(r'"(\w+)"', row))
    named = re.search(r"a finding has ([\w, ]+)\.", row)
    assert named is not None
    assert named[1].split(", ") == [*shape["findings"][0]]


def test_the_finding_shown_is_one_of_a_rule() -> None:
    from busctl.audit.registry import rules

    names = {rule.code: rule.name for rule in rules()}
    shown = re.findall(r"(?:error|warning|note) ([A-Z]{2}\d{3}) ([a-z-]+) \(", PAGE)
    assert shown
    assert all(names[code] == name for code, name in shown)
