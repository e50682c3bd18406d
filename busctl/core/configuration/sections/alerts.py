"""When something is worth an alert, and who is told."""

from __future__ import annotations

from functools import partial

from busctl.core.configuration.kinds import (
    Addresses,
    Command,
    Number,
    Section,
    Token,
    WebAddress,
    setting,
)

_setting = partial(setting, "Alerts")


class AlertsSection(Section):
    """The fields under "Alerts"."""

    alert_webhook_url: WebAddress = _setting(
        None,
        "BUSCTL_ALERT_WEBHOOK_URL",
        "Where alerts are posted as JSON.",
        "an http or https address",
    )
    alert_webhook_secret: Token = _setting(
        None,
        "BUSCTL_ALERT_WEBHOOK_SECRET",
        "Key of the HMAC-SHA256 by which the receiver knows that they are ours.",
        "printable ASCII without spaces",
    )
    alert_command: Command = _setting(
        None,
        "BUSCTL_ALERT_COMMAND",
        "Program, with its arguments, that gets each alert as JSON on its standard input; no shell"
        " runs it.",
        "words as a shell would split them",
    )
    alert_apprise_urls: Addresses = _setting(
        None,
        "BUSCTL_ALERT_APPRISE_URLS",
        "Apprise URLs (mail, chat, pagers) that get each alert; needs busctl[alerts].",
        "URLs with spaces between them",
    )
    alert_interval_secs: Number = _setting(
        60.0,
        "BUSCTL_ALERT_INTERVAL_SECS",
        "Seconds between two looks of the daemon at its deployment; 0 for none.",
        ge=0,
        le=86400,
    )
    alert_raise_looks: int = _setting(
        2,
        "BUSCTL_ALERT_RAISE_LOOKS",
        "Bad looks in a row after which an alert is raised.",
        ge=1,
        le=1000,
    )
    alert_raise_secs: Number = _setting(
        300.0,
        "BUSCTL_ALERT_RAISE_SECS",
        "Seconds of bad looks after which it is raised even if they were fewer.",
        ge=0,
        le=604800,
    )
    alert_clear_looks: int = _setting(
        2,
        "BUSCTL_ALERT_CLEAR_LOOKS",
        "Good looks in a row after which it is cleared.",
        ge=1,
        le=1000,
    )
    alert_clear_secs: Number = _setting(
        300.0,
        "BUSCTL_ALERT_CLEAR_SECS",
        "Seconds of good looks after which it is cleared even if they were fewer.",
        ge=0,
        le=604800,
    )
