"""Puts the diagnosis together: this installation, its configuration, the store, the checks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from busctl import __version__
from busctl.adapters import installation, tokenfile
from busctl.adapters.environment import Loaded
from busctl.adapters.postgres.facts import PostgresFacts
from busctl.adapters.postgres.modes import prove_mode
from busctl.adapters.provider_profiles import load_accounts
from busctl.adapters.sqlfiles import migrations
from busctl.cli import alert_run, check_formats
from busctl.cli.check_run import surroundings
from busctl.core.configuration.dsn import MASK
from busctl.core.configuration.settings import PREFIXES, Settings, canonical_name, shown
from busctl.core.errors import BusctlError, ConfigurationError, Unauthorized
from busctl.core.operating.alert_json import notice_shape
from busctl.core.operating.diagnosis import Diagnosis
from busctl.core.operating.health import Grade, Graded
from busctl.core.redaction import Redactor
from busctl.ops import check as op
from busctl.ops import migrate
from busctl.ops.check.registry import configured

FOREIGN = "doctor.foreign_command"
CONFIGURATION = "doctor.configuration"
RIGHTS = "doctor.rights"
IN_CLEAR = "doctor.key_in_clear"
SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "KEY", "DSN", "DATABASE_URL", "DB_URL")
"""In the name of an environment variable, they say that its value is secret."""
DSN_SECRETS = frozenset({"password", "sslpassword", "oauth_client_secret"})


def installed() -> tuple[dict[str, Any], list[Graded]]:
    """Versions, and which busctl a shell finds."""
    path, is_ours = installation.on_path("busctl")
    facts = {
        "busctl": __version__,
        "busctl on PATH": path or "none",
        "is this one": is_ours,
        "mbusctl on PATH": installation.on_path("mbusctl")[0] or "none",
        **installation.versions(),
    }
    if path is None or is_ours:
        return facts, []
    remedy = "Call `mbusctl` or `python -m busctl`, or put this one's folder first in PATH."
    said = f"PATH finds {path}, which is another program (systemd has a busctl too)."
    return facts, [Graded(FOREIGN, "PATH", said, remedy, Grade.WARNING)]


def faults(found: list[str]) -> list[Graded]:
    """The faults of a configuration as findings."""
    remedy = "Correct it; `busctl config check` looks again."
    return [Graded(CONFIGURATION, "configuration", one, remedy, Grade.CRITICAL) for one in found]


def configuration(loaded: Loaded) -> dict[str, Any]:
    """What is not as by default: value, masked, and where it comes from."""
    return {
        canonical_name(field): f"{shown(loaded.settings, field)} ({origin})"
        for field, origin in loaded.origins.items()
        if origin.kind.value != "default"
    } | {f"warning {number}": one for number, one in enumerate(loaded.warnings, 1)}


def providers(settings: Settings) -> tuple[dict[str, Any], list[Graded]]:
    """Who serves language models, and in which variable its key is; never a key."""
    try:
        accounts = load_accounts(settings)
    except ConfigurationError as error:
        return {}, faults([str(error)])
    remedy = "Use an https address."
    clear = [
        Graded(IN_CLEAR, one.profile.name, f"{one.base} gets the key unencrypted.", remedy,
               Grade.WARNING)
        for one in accounts if one.usable and one.in_clear
    ]  # fmt: skip
    return {
        one.profile.name: f"{one.tool} at {one.base}, key in {one.key_variable}"
        if one.usable else f"no key ({one.variables})"
        for one in accounts
    }, clear  # fmt: skip


async def diagnose(loaded: Loaded) -> Diagnosis:
    """The whole of it. A store that cannot be asked is told, not raised."""
    settings = loaded.settings
    sections: dict[str, Mapping[str, Any]] = {}
    sections["installation"], findings = installed()
    sections["configuration"] = configuration(loaded)
    sections["providers"], wrong = providers(settings)
    findings += wrong
    texts: dict[str, Any] = {}
    async with surroundings(settings) as (around, store):
        if around.facts is not None and store is not None:
            facts = PostgresFacts.of(store.pool, settings.read_timeout_secs)
            for name, ask in _of_store(facts).items():
                sections[name] = await _told(ask)
            findings += _rights(sections["login"])
            for name in ("doctor_daemons", "doctor_events", "doctor_partitions"):
                texts[f"{name.removeprefix('doctor_')}.json"] = await _told(_rows(facts, name))
            texts["alerts.json"] = await _told(lambda: _notices(settings, store))
        kinds = configured(op.kinds_of(op.CHECKS), settings)
        health = await op.check(op.CHECKS, around, kinds)
    texts["check.json"] = check_formats.shape(health)
    return Diagnosis(sections, findings, health, texts)


Asked = Callable[[], Any]


def _of_store(facts: PostgresFacts) -> dict[str, Asked]:
    async def connection() -> dict[str, Any]:
        return {
            "mode": (await prove_mode(facts.pool)).value,
            "encrypted": facts.line.encrypted,
            "stays on this machine": facts.line.is_local,
            "left open": facts.line.unverified or "nothing",
            "connect_ms": round(facts.line.connect_ms, 1),
        }

    async def extensions() -> dict[str, Any]:
        return {row["name"]: row["version"] for row in await facts.ask("doctor_extensions")}

    async def schema() -> dict[str, Any]:
        found = await migrate.status(facts, migrations())
        return {f"{one.version}_{one.name}": one.state.value for one in found}

    return {
        "connection": connection, "server": _row(facts, "doctor_server"),
        "login": _row(facts, "doctor_login"), "extensions": extensions, "migrations": schema,
    }  # fmt: skip


def _row(facts: PostgresFacts, name: str) -> Asked:
    async def ask() -> dict[str, Any]:
        (row,) = await facts.ask(name)
        return dict(row)

    return ask


def _rows(facts: PostgresFacts, name: str) -> Asked:
    async def ask() -> dict[str, Any]:
        return {"rows": [dict(row) for row in await facts.ask(name)]}

    return ask


async def _notices(settings: Settings, store: Any) -> dict[str, Any]:
    found = await alert_run.book_of(settings, store).notices(200)
    return {"notices": [notice_shape(one) for one in found]}


async def _told(ask: Asked) -> dict[str, Any]:
    """What was found, or why it could not be."""
    try:
        found: dict[str, Any] = await ask()
        return found
    except BusctlError as error:
        return {"could not look": error.message}


def _rights(login: Mapping[str, Any]) -> list[Graded]:
    missing = [
        role
        for role in ("bus_writer", "bus_reader", "bus_janitor")
        if login.get(f"is_{role}") is False
    ]
    if not missing:
        return []
    said = f"This login is not a member of {', '.join(missing)}."
    remedy = "Run `busctl migrate up` as it, or `grant` them to it."
    return [Graded(RIGHTS, "login", said, remedy, Grade.WARNING)]


# --- redaction ---------------------------------------------------------------------------------


def redactor(settings: Settings | None) -> Redactor:
    """Knows the secrets of the settings, of the environment and of the token file."""
    secrets = {
        value
        for name, value in os.environ.items()
        if value and any(word in name.upper() for word in SECRET_WORDS)
    }
    if settings is not None:
        for field in Settings.model_fields:
            value = getattr(settings, field)
            if isinstance(value, SecretStr):
                secrets.add(value.get_secret_value())
        try:
            secrets.add(tokenfile.read(settings))
        except Unauthorized as error:
            # There is none that could get out.
            secrets.discard(error.message)
    return Redactor({part for one in secrets for part in (one, *_parts(one))})


def _parts(secret: str) -> list[str]:
    """The passwords inside a connection string or an address."""
    if "://" not in secret:
        pairs = (pair.partition("=") for pair in secret.split())
        return [value.strip("'") for name, _, value in pairs if name.lower() in DSN_SECRETS]
    found = []
    for one in secret.split():
        try:
            place = urlsplit(one)
            found += [value for _, value in parse_qsl(place.query)]
        except ValueError:
            found.append(one)
            continue
        if "@" in place.netloc:
            password = place.netloc.rpartition("@")[0].partition(":")[2]
            found += [password, unquote(password)]
    return found


def environment() -> dict[str, str]:
    """Our variables, their values masked where the name says that they are secret."""
    return {
        name: MASK if any(word in name for word in SECRET_WORDS) else value
        for name, value in sorted(os.environ.items())
        if name.startswith((*PREFIXES, "EXAI_WS_", "SUPABASE_", "DATABASE_URL", "PG"))
    }


def where(bundle: Path) -> Path:
    """The file by its absolute path."""
    return bundle.absolute()
