"""What is logged, and how."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from busctl.core.configuration.kinds import LogFormat, LogLevel, Lower, Section, setting

_setting = partial(setting, "Log")


class LogSection(Section):
    """The fields under "Log"."""

    log_level: Annotated[LogLevel, Lower] = _setting(
        "info",
        "BUSCTL_LOG_LEVEL",
        "Least severe level that is logged.",
    )
    log_format: Annotated[LogFormat, Lower] = _setting(
        "auto",
        "BUSCTL_LOG_FORMAT",
        "Form of log lines; auto is text on a terminal and json elsewhere.",
    )
