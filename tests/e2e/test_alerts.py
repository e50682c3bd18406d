"""Alerts to real receivers: an HTTP server, a command, Apprise; raised once, cleared once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationError
from tests.adapters.bus_sql import eventually, sql
from tests.cli.commands import Ran, busctl
from tests.e2e.daemons import daemon

SECRET = "webhook-secret-canary"
AWAY = "postgresql://nobody@127.0.0.1:1/none"


class Receiver:
    """Answers with `statuses` one after the other, then 204; keeps what came."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.url = ""

    def take(self, headers: dict[str, str], body: bytes) -> int:
        status = self.statuses.pop(0) if self.statuses else 204
        (self.got if status < 300 else self.refused).append(json.loads(body))
        self.headers.append(headers)
        self.bodies.append(body)
        return status

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(one["change"], one["kind"]) for one in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real HTTP server."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(kept.take(dict(self.headers.items()), body))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not on the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}/hook?key=url-secret-canary"
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


class Machine:
    """A machine's `busctl` with a state folder of its own and that receiver."""

    def __init__(self, folder: Path, receiver: Receiver, dsn: str, **settings: str) -> None:
        chosen = {
            "BUSCTL_STATE_DIR": str(folder), "BUSCTL_ALERT_WEBHOOK_URL": receiver.url,
            "BUSCTL_ALERT_WEBHOOK_SECRET": SECRET, "BUSCTL_PORT": "1", **settings,
        }  # fmt: skip
        self.sets = [part for name, value in chosen.items() for part in ("-s", f"{name}={value}")]
        self.dsn = dsn

    def check(self, *names: str, dsn: str | None = None) -> Ran:
        done = busctl(dsn or self.dsn, "check", *names, "--alert", "--json", *self.sets)
        for secret in (SECRET, "url-secret-canary"):
            assert secret not in done.text + done.err
        return done

    def run(self, *arguments: str) -> Ran:
        return busctl(self.dsn, *arguments, *self.sets)


@pytest.fixture
def machine(tmp_path: Path, receiver: Receiver, database: str) -> Machine:
    return Machine(tmp_path / "state", receiver, database)


async def spoil(dsn: str) -> None:
    await sql(dsn, "alter table bus.request add column extra text")


async def mend(dsn: str) -> None:
    await sql(dsn, "alter table bus.request drop column extra")


async def test_an_alert_is_raised_once_signed_and_cleared_once(
    machine: Machine, receiver: Receiver
) -> None:
    assert machine.check("schema").code == 0
    await spoil(machine.dsn)
    for count in (0, 1, 1, 1):
        assert machine.check("schema").code == 1
        assert receiver.told == [("raised", "schema.drift")] * count
    listed = machine.run("alert", "list", "--json").json["alerts"]
    assert [(one["kind"], one["subject"]) for one in listed] == [
        ("schema.drift", "column request.extra")
    ]
    await mend(machine.dsn)
    for _ in range(4):
        assert machine.check("schema").code == 0
    assert receiver.told == [("raised", "schema.drift"), ("cleared", "schema.drift")]
    assert machine.run("alert", "list").text == ""

    for headers, body in zip(receiver.headers, receiver.bodies, strict=True):
        signed = headers["X-Busctl-Timestamp"].encode() + b"." + body
        wanted = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["X-Busctl-Signature"] == f"sha256={wanted}"
    raised = receiver.got[0]
    assert raised["grade"] == "WARNING" and raised["remedy"] and raised["version"] == 1
    history = machine.run("alert", "history", "--json").json["notices"]
    assert [(one["change"], one["done"], one["outcomes"]) for one in history] == [
        ("cleared", True, {"webhook": None}), ("raised", True, {"webhook": None}),
    ]  # fmt: skip
    events = await sql(machine.dsn, "select kind from bus.system_event order by seq")
    assert [kind for (kind,) in events] == ["alert_raised", "alert_cleared"]


async def test_many_looks_at_once_raise_it_once(machine: Machine, receiver: Receiver) -> None:
    await spoil(machine.dsn)
    await asyncio.gather(*(asyncio.to_thread(machine.check, "schema") for _ in range(4)))
    assert receiver.told == [("raised", "schema.drift")]
    ids = await sql(machine.dsn, "select count(*) from bus.alert_notice where done")
    assert ids == [(1,)]


async def test_what_was_not_delivered_is_a_finding_until_it_is(
    machine: Machine, receiver: Receiver
) -> None:
    await spoil(machine.dsn)
    machine.check("schema")
    receiver.statuses = [503] * 3
    refused = machine.check("schema")
    kinds = {one["kind"] for one in refused.json["findings"]}
    assert kinds == {"schema.drift", "alerts.undelivered"} and receiver.got == []
    (finding,) = (one for one in refused.json["findings"] if one["check"] == "alerts")
    assert "webhook: 127.0.0.1 did not take it: status 503" in finding["message"]
    assert "alerts.undelivered" in machine.run("check", "alerts", "--json").text
    assert "not delivered: webhook:" in machine.run("alert", "history").text
    assert "alerts.undelivered" not in machine.check("schema").text
    assert receiver.told == [("raised", "schema.drift")]
    assert len({one["id"] for one in [*receiver.got, *receiver.refused]}) == 1


async def test_a_store_that_is_away_is_raised_and_cleared_once(
    machine: Machine, receiver: Receiver, tmp_path: Path
) -> None:
    kept = tmp_path / "state" / "alerts"
    lock_out = "alter database {} with allow_connections {}"
    name = conninfo_to_dict(machine.dsn)["dbname"]
    server = make_conninfo(machine.dsn, dbname="postgres")
    await sql(server, lock_out.format(name, "false"))
    for _ in range(4):
        assert machine.check().code == 3
    assert receiver.told == [("raised", "connection.unreachable")]
    assert len(list(kept.glob("*.json"))) == 1
    await sql(server, lock_out.format(name, "true"))
    for _ in range(3):
        machine.check("connection")
    assert receiver.told == [
        ("raised", "connection.unreachable"), ("cleared", "connection.unreachable"),
    ]  # fmt: skip
    assert not list(kept.glob("*.json"))
    history = machine.run("alert", "history", "--json").json["notices"]
    assert [one["change"] for one in history] == ["cleared", "raised"]


async def test_the_daemon_looks_by_itself(
    database: str, receiver: Receiver, tmp_path: Path
) -> None:
    settings = {
        "BUSCTL_ALERT_WEBHOOK_URL": receiver.url, "BUSCTL_ALERT_INTERVAL_SECS": "0.3",
        "BUSCTL_STATE_DIR": str(tmp_path / "state"),
    }  # fmt: skip
    with daemon(database, **settings) as running:
        await spoil(database)
        await eventually(lambda: _is(receiver.told == [("raised", "schema.drift")]), "it is raised")
        await mend(database)
        await eventually(lambda: _is(len(receiver.got) > 1), "it is cleared")
        assert receiver.told[1:] == [("cleared", "schema.drift")]
        # The receiver has it before the daemon has noted that it has.
        await eventually(lambda: _is("alert cleared" in running.log), "the log says so")
        assert "alert raised" in running.log
        assert "url-secret-canary" not in running.log


async def _is(true: bool) -> bool:
    return true


def test_every_sink_is_tried(receiver: Receiver, tmp_path: Path) -> None:
    place = receiver.url.removeprefix("http://").partition("/")[0]
    script = tmp_path / "page.py"
    script.write_text("import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes("
                      "sys.stdin.buffer.read())\n")  # fmt: skip
    paged = tmp_path / "paged file.json"
    machine = Machine(
        tmp_path, receiver, AWAY,
        BUSCTL_ALERT_COMMAND=f"{sys.executable} {script} '{paged}'",
        BUSCTL_ALERT_APPRISE_URLS=f"json://{place}/apprise",
    )  # fmt: skip
    done = machine.run("alert", "test", "--json")
    assert done.code == 0, done.err
    assert {one["sink"]: one["ok"] for one in done.json["sinks"]} == {
        "webhook": True, "command": True, "apprise": True,
    }  # fmt: skip
    assert json.loads(paged.read_bytes())["change"] == "test"
    assert receiver.got[0]["kind"] == "alerts.test"
    assert receiver.got[1]["title"] == "busctl test WARNING: alerts.test"


def test_sinks_that_fail_are_told(receiver: Receiver, tmp_path: Path) -> None:
    machine = Machine(
        tmp_path, receiver, AWAY,
        BUSCTL_ALERT_COMMAND="sh -c 'echo no pager >&2; exit 7'",
        BUSCTL_ALERT_APPRISE_URLS="json://127.0.0.1:1/apprise",
    )  # fmt: skip
    receiver.statuses = [403]
    done = machine.run("alert", "test")
    assert done.code == 1
    assert done.text.splitlines() == [
        "webhook: 127.0.0.1 refused it with status 403.",
        "command: sh ended with 7: no pager.",
        "apprise: One of 1 Apprise URLs did not take it.",
    ]
    assert len(receiver.bodies) == 1


@pytest.mark.parametrize(
    "settings",
    [{"BUSCTL_ALERT_WEBHOOK_URL": "ftp://x"}, {"BUSCTL_ALERT_COMMAND": "page 'it"},
     {"BUSCTL_ALERT_APPRISE_URLS": "nonsense"}, {}],
)  # fmt: skip
def test_what_is_wrong_with_the_settings_is_exit_2(settings: dict[str, str]) -> None:
    sets = [part for pair in settings.items() for part in ("-s", "=".join(pair))]
    done = busctl(AWAY, "alert", "test", *sets)
    assert done.code == 2 and done.err


def test_apprise_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from busctl.cli.alert_run import sinks_of

    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigurationError, match=r"not installed\. Install busctl\[alerts\]"):
        sinks_of(Settings(alert_apprise_urls="json://x"))


async def test_a_damaged_file_is_named(tmp_path: Path, receiver: Receiver) -> None:
    machine = Machine(tmp_path, receiver, AWAY)
    machine.check("connection")
    (kept,) = (tmp_path / "alerts").glob("*.json")
    kept.write_text("{")
    done = machine.run("check", "connection", "--alert")
    assert done.code == 1 and f"{kept} cannot be read" in done.err and "Remove it" in done.err
