"""Texts that let cron, systemd or pg_cron run busctl. Pure: told every path and value."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from busctl.core.errors import ConfigurationError

HOURLY = "17 * * * *"
"""Not on the hour, when everything else runs."""
OFTEN = "*/5 * * * *"
STATE = Path("/var/lib/busctl")
_FIELD = re.compile(r"[0-9A-Za-z*/,\-]+")
_NICKNAMES = frozenset({"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@reboot"})
_PG_CRON = """\
-- Run once, as the role that ran the migrations. On Supabase: enable pg_cron in the dashboard.
create extension if not exists pg_cron with schema pg_catalog;

-- Read write: a project over its quota is read-only by default and must still be cleaned.
select cron.schedule('busctl-cleanup', '{schedule}', $job$
    set transaction read write;
    select * from bus.cleanup(keep_events => interval '{days:g} days')
$job$);

-- Failures show only in this table, and nothing else empties it.
select cron.schedule('busctl-cron-history', '41 3 * * *', $job$
    delete from cron.job_run_details where end_time < now() - interval '7 days'
$job$);

-- What failed:  select start_time, command, return_message from cron.job_run_details
--               where status = 'failed' order by start_time desc;
-- To undo:      select cron.unschedule('busctl-cleanup'), cron.unschedule('busctl-cron-history');
"""


@dataclass(frozen=True, slots=True)
class Service:
    """What the units need: `command` starts busctl, `user` runs it; `environment` is set for it,
    `writable` are folders outside /var/lib/busctl that it writes to."""

    command: Sequence[str]
    env_file: Path | None
    user: str
    stop_seconds: float
    cleanup_calendar: str = "*-*-* *:17:00"
    environment: Mapping[str, str] = field(default_factory=dict)
    writable: Sequence[Path] = ()


def crontab_line(command: Sequence[str], env_file: Path | None, schedule: str) -> str:
    """One line for `crontab -e`. `command` begins with an absolute path: cron's PATH is short, and
    systemd owns a /usr/bin/busctl. Raises ConfigurationError for what cron cannot hold."""
    return _line(schedule, [*command, "cleanup", "--quiet"], env_file)


def alert_line(command: Sequence[str], env_file: Path | None, schedule: str) -> str:
    """As `crontab_line`, of what raises and clears alerts. Findings go nowhere: cron would mail
    them at each run, where stderr tells of an alert once."""
    return _line(schedule, [*command, "check", "--quiet", "--alert"], env_file) + " >/dev/null"


def _line(schedule: str, words: list[str], env_file: Path | None) -> str:
    check_schedule(schedule)
    # cron turns an unescaped % into a newline, quoted or not.
    return f"{schedule} {shlex.join(_with_env_file(words, env_file))}".replace("%", "\\%")


def check_schedule(schedule: str) -> None:
    """Raises ConfigurationError unless it is five cron fields or a name such as @daily."""
    fields = schedule.split(" ")
    if schedule in _NICKNAMES or (len(fields) == 5 and all(map(_FIELD.fullmatch, fields))):
        return
    raise ConfigurationError(
        f"{schedule!r} is not a cron schedule.",
        remedy=f'Give five fields, such as "{HOURLY}", or one of {", ".join(sorted(_NICKNAMES))}.',
    )


def systemd_units(service: Service) -> dict[str, str]:
    """The units by file name: the daemon, the cleanup and its timer."""
    return {
        "busctl-serve.service": _serve_unit(service),
        "busctl-cleanup.service": _cleanup_unit(service),
        "busctl-cleanup.timer": _timer_unit(service),
    }


def pg_cron_sql(schedule: str, keep_events_days: float) -> str:
    """SQL that has the database itself clean up, and purge pg_cron's own history."""
    check_schedule(schedule)
    return _PG_CRON.format(schedule=schedule, days=keep_events_days)


def _with_env_file(command: list[str], env_file: Path | None) -> list[str]:
    words = [*command, "--env-file", str(env_file)] if env_file else command
    for word in words:
        if not word.isprintable():
            raise ConfigurationError(
                f"{word!r} holds a character that no crontab or unit can hold.",
                remedy="Use a path without control characters.",
            )
    return words


def _serve_unit(service: Service) -> str:
    return f"""\
[Unit]
Description=busctl message bus daemon
After=network-online.target postgresql.service
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={_exec(service, "serve")}
Restart=on-failure
RestartSec=2
# Running calls are drained first; only then is what is left of the group stopped.
KillMode=mixed
TimeoutStopSec={service.stop_seconds:g}
{_common(service)}
[Install]
WantedBy=multi-user.target
"""


def _cleanup_unit(service: Service) -> str:
    return f"""\
[Unit]
Description=Remove what has expired from the busctl message bus

[Service]
Type=oneshot
ExecStart={_exec(service, "cleanup", "--quiet")}
# 75: another cleanup is running, which is as good.
SuccessExitStatus=75
# An embedded store that others have begun to use stays up.
KillMode=process
Nice=10
{_common(service)}"""


def _timer_unit(service: Service) -> str:
    return f"""\
[Unit]
Description=Remove what has expired from the busctl message bus, regularly

[Timer]
OnCalendar={service.cleanup_calendar}
RandomizedDelaySec=60
Persistent=true

[Install]
WantedBy=timers.target
"""


def _common(service: Service) -> str:
    lines = [
        f"User={service.user}",
        f"WorkingDirectory={STATE}",
        f"StateDirectory={STATE.name}",
        "StateDirectoryMode=0755",
        *(
            f"Environment={_quoted(f'{name}={value}')}"
            for name, value in service.environment.items()
        ),
        *(f"ReadWritePaths={_quoted(f'-{path}')}" for path in service.writable),
        "NoNewPrivileges=yes",
        "PrivateTmp=yes",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        "ProtectControlGroups=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
        "SystemCallArchitectures=native",
    ]
    return "\n".join(lines) + "\n"


def _exec(service: Service, *words: str) -> str:
    command = _with_env_file([*service.command, *words], service.env_file)
    return " ".join(_quoted(word.replace("$", "$$")) for word in command)


def _quoted(word: str) -> str:
    """A word of a unit file: specifiers escaped, quoted where it must be."""
    text = word.replace("%", "%%")
    if re.fullmatch(r"[\w@%+=:,./$-]+", text, re.ASCII):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
