"""`busctl check` as cron, people and monitoring run it: formats and exit codes."""

from __future__ import annotations

import re

from tests.adapters.bus_sql import sql
from tests.cli.commands import busctl

AWAY = "postgresql://nobody:hunter2@127.0.0.1:1/none"
PORT = ("-s", "BUSCTL_PORT=1", "-s", "BUSCTL_STATE_DIR=/nonexistent/state")
NAMES = (
    "connection schema partitions breaker spool expiry backlog quota integrity latency clock cron "
    "alerts upstreams"
)


async def test_a_healthy_deployment_in_every_format(database: str) -> None:
    done = busctl(database, "check", *PORT, "--json")
    assert (done.code, done.err) == (0, "")
    shape = done.json
    assert (shape["ok"], shape["grade"], shape["findings"]) == (True, "OK", [])
    assert [one["check"] for one in shape["checks"]] == NAMES.split()
    assert shape["checked"] == 14 and shape["connect_ms"] > 0 and shape["seconds"] > 0
    measures = [each for one in shape["checks"] for each in one["measures"]]
    assert all(each.keys() == {"kind", "subject", "value", "unit", "warn", "critical"}
               for each in measures)  # fmt: skip

    text = busctl(database, "check", *PORT)
    assert text.code == 0 and text.text.count("\n") == 15 and "14 OK" in text.text
    quiet = busctl(database, "check", *PORT, "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, b"", "")

    nagios = busctl(database, "check", *PORT, "--format", "nagios")
    assert nagios.code == 0
    assert re.match(r"BUSCTL OK - 14 checks in [\d.]+ s \| '", nagios.text)
    assert "'partitions.ahead_hours'=" in nagios.text and ";6:;1:" in nagios.text

    lines = busctl(database, "check", *PORT, "--format", "prometheus").text.splitlines()
    assert 'busctl_check_grade{check="schema"} 0' in lines
    shown = re.compile(r'(# (HELP|TYPE) |busctl_check_[a-z_]+(\{[a-z]+=".*"\})? [-\d.e+]+$)')
    assert all(shown.match(line) for line in lines)


async def test_a_deployment_that_is_not_well(database: str) -> None:
    await sql(database, "alter table bus.request add column extra text")
    text = busctl(database, "check", "schema", "expiry", "-q")
    assert text.code == 1 and "expiry" not in text.text
    assert "WARNING column request.extra: It is not shipped" in text.text
    assert "  fix: Drop or revoke it" in text.text
    shape = busctl(database, "check", "schema", "--json")
    assert shape.code == 1 and shape.json["grade"] == "WARNING"
    (finding,) = shape.json["findings"]
    assert finding["kind"] == "schema.drift" and finding["check"] == "schema"
    nagios = busctl(database, "check", "schema", "--format", "nagios")
    assert nagios.code == 1 and nagios.text.startswith("BUSCTL WARNING - schema WARNING: ")
    strict = busctl(
        database, "check", "latency", "--critical", "latency.ping_ms=0", "--warn",
        "latency.ping_ms=0", "--format", "nagios",
    )  # fmt: skip
    assert strict.code == 2 and strict.text.startswith("BUSCTL CRITICAL")


def test_a_store_that_is_away() -> None:
    for form, code, begin in (
        ("text", 3, "CRITICAL  connection"), ("nagios", 2, "BUSCTL CRITICAL - connection "),
    ):  # fmt: skip
        done = busctl(AWAY, "check", *PORT, "--format", form)
        assert done.code == code and done.text.startswith(begin)
        assert "hunter2" not in done.text + done.err
    assert busctl(AWAY, "check", "connection").code == 3


def test_wrong_command_lines() -> None:
    for arguments in (
        ["nothing"], ["--format", "xml"], ["--warn", "latency.ping_ms"],
        ["--warn", "latency.ping_ms=soon"], ["expiry", "--warn", "latency.ping_ms=1"],
    ):  # fmt: skip
        done = busctl(AWAY, "check", *arguments)
        assert done.code == 2 and not done.out and done.err, arguments
    nagios = busctl(AWAY, "check", "nothing", "--format", "nagios")
    assert nagios.code == 3 and nagios.text.startswith("BUSCTL UNKNOWN - There is no check")


def test_the_list_needs_no_store() -> None:
    done = busctl(AWAY, "check", "--list")
    assert done.code == 0
    assert [line.partition(":")[0] for line in done.text.splitlines() if line[0] != " "] == (
        NAMES.split()
    )
    (one,) = busctl(AWAY, "check", "expiry", "--list", "--json").json["checks"]
    assert one["check"] == "expiry"
    assert one["findings"][0].keys() == {
        "kind", "remedy", "measured", "unit", "warn", "critical",
    }  # fmt: skip
