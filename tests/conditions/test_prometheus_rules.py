"""docs/prometheus/rules.yml: promtool takes it, its unit tests hold, its metrics exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from busctl.adapters.metrics import Metrics
from busctl.cli.check_formats import prometheus
from busctl.core.operating.health import Grade, Health, Judgement, Measure, Reading, Threshold
from tests.docs.examples import DOCS

RULES = DOCS / "prometheus" / "rules.yml"
TESTS = Path(__file__).parent / "prometheus" / "rules_test.yml"
ALERT = re.compile(r"alert(?:name)?: (Busctl\w+)")


def promtool(*arguments: str, cwd: Path) -> None:
    program = shutil.which("promtool")
    assert program, "promtool is missing: install Debian's prometheus (as .ci/run does)"
    done = subprocess.run(
        [program, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_rules_and_their_tests_hold(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path)
    shutil.copy(TESTS, tmp_path)
    promtool("check", "rules", "rules.yml", cwd=tmp_path)
    promtool("test", "rules", "rules_test.yml", cwd=tmp_path)


def test_every_rule_is_tested_both_ways() -> None:
    rules = set(ALERT.findall(RULES.read_text("utf-8")))
    healthy, _, rest = TESTS.read_text("utf-8").partition("- name: no daemon")
    assert set(ALERT.findall(healthy)) == rules
    raised = {block.partition("exp_alerts")[0].split()[-1] for block in
              rest.split("alertname: ")[1:] if "exp_alerts" in block}  # fmt: skip
    assert raised == rules


def test_every_metric_is_one_that_is_exposed() -> None:
    metrics = Metrics("1").render().decode()
    reading = Reading(Measure("quota.database_share", 1, ""), Threshold())
    checks = Health((Judgement("quota", Grade.OK, "", (), (reading,)),))
    exposed = metrics + "\n".join(prometheus(checks, 0.0))
    known = set(re.findall(r"^# TYPE (\w+)", exposed, re.MULTILINE))
    used = {
        name.removesuffix("_bucket")
        for name in re.findall(r"\b(busctl_[a-z_]+)\b", RULES.read_text("utf-8"))
    }
    assert used <= known, used - known
