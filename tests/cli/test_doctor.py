"""`busctl doctor`: what is here, what is wrong, and a bundle without a secret."""

from __future__ import annotations

import os
import stat
import sys
import zipfile
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from tests.adapters.bus_sql import sql
from tests.cli.commands import busctl

MARK = "k4n4ry"
PORT = ("-s", "BUSCTL_PORT=1", "-s", "BUSCTL_STATE_DIR=/nonexistent/state")
SECTIONS = {
    "installation", "configuration", "providers", "connection", "server", "login", "extensions",
    "migrations",
}  # fmt: skip


@pytest.fixture(autouse=True)
def ours_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """PATH finds this busctl."""
    path = f"{Path(sys.executable).absolute().parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)


def test_a_healthy_deployment(database: str) -> None:
    done = busctl(database, "doctor", *PORT, "--json")
    assert done.code == 0, done.text
    shape = done.json
    assert shape["ok"] and shape["sections"].keys() == SECTIONS and shape["findings"] == []
    sections = shape["sections"]
    assert sections["connection"]["mode"] == "direct"
    assert sections["installation"]["is this one"] is True
    assert sections["login"]["is_bus_writer"] is True
    assert set(sections["migrations"].values()) == {"applied"}
    assert sections["configuration"]["BUSCTL_PORT"] == "1 (flag)"
    assert shape["checks"]["grade"] == "OK"
    text = busctl(database, "doctor", *PORT)
    assert text.code == 0 and "uptime_seconds" in text.text and "mode" in text.text


def test_another_busctl_in_path_is_told(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "busctl"
    other.write_bytes(b"\x7fELF systemd's")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    done = busctl(database, "doctor", *PORT, "--json")
    assert done.code == 1
    (found,) = done.json["findings"]
    assert found["kind"] == "doctor.foreign_command" and str(other) in found["message"]


def test_a_store_that_is_away_and_a_wrong_configuration() -> None:
    away = busctl(f"postgresql://nobody:{MARK}@127.0.0.1:1/none", "doctor", *PORT, "--json")
    assert away.code == 3 and MARK not in away.text + away.err
    assert away.json["checks"]["findings"][0]["kind"] == "connection.unreachable"
    wrong = busctl(None, "doctor", "-s", "BUSCTL_PORT=many", "-s", f"BUSCTL_TOKEN={MARK} x")
    assert wrong.code == 2 and MARK not in wrong.text + wrong.err
    assert wrong.text.count("CRITICAL  configuration:") == 2 and "installation" in wrong.text


async def test_a_bundle_holds_no_secret_and_no_payload(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Bus.connect(Settings(database_url=database)) as bus:
        await bus.put(f"{MARK}-payload".encode())
    planted = {
        "BUSCTL_TOKEN": f"{MARK}-token-0123456789",
        "BUSCTL_ALERT_WEBHOOK_URL": f"https://user:{MARK}-url@127.0.0.1/x?key={MARK}-query",
        "BUSCTL_ALERT_WEBHOOK_SECRET": f"{MARK}-webhook",
        "BUSCTL_ALERT_APPRISE_URLS": f"json://user:{MARK}-apprise@127.0.0.1/",
        "PGPASSWORD": f"{MARK}-pgpassword", "SOME_API_KEY": f"{MARK}-key",
    }  # fmt: skip
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    await sql(
        database,
        "insert into bus.system_event (at, daemon, kind, detail) values (now(), 'd', 'store_away', "
        f"jsonb_build_object('said', 'connecting with {MARK}-key and password={MARK}-other'))",
    )
    parts = conninfo_to_dict(database)
    dsn = f"postgresql://{parts['user']}:{MARK}%20pass@/{parts['dbname']}?host={parts['host']}"
    bundle = tmp_path / "report.zip"
    done = busctl(dsn, "doctor", *PORT, "--bundle", bundle)
    assert done.code == 0, done.text + done.err
    assert MARK not in done.text + done.err
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    with zipfile.ZipFile(bundle) as archive:
        names = set(archive.namelist())
        texts = {name: archive.read(name).decode() for name in names}
    assert names >= {
        "doctor.json", "doctor.txt", "check.json", "environment.json", "daemons.json",
        "events.json", "partitions.json", "alerts.json",
    }  # fmt: skip
    for name, text in texts.items():
        assert MARK not in text, name
    assert "connecting with ***" in texts["events.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["report.zip"]


def test_a_bundle_that_cannot_be_written_is_named(database: str) -> None:
    done = busctl(database, "doctor", *PORT, "--bundle", "/nowhere/at/all.zip")
    assert done.code == 1 and "/nowhere/at/all.zip cannot be written" in done.err
