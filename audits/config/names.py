"""What the name of an environment variable says: whose it is, whether its value is a secret."""

from __future__ import annotations

import re

_PLATFORM = {
    "PATH", "HOME", "USER", "USERNAME", "USERPROFILE", "LOGNAME", "SHELL", "PWD", "OLDPWD", "TMP",
    "TEMP", "TMPDIR", "TERM", "TERM_PROGRAM", "COLORTERM", "COLUMNS", "LINES", "LANG", "LANGUAGE",
    "TZ", "CI", "EDITOR", "VISUAL", "PAGER", "BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "HOSTNAME",
    "COMPUTERNAME", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)",
    "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "OS", "PROCESSOR_ARCHITECTURE", "NO_COLOR",
    "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "NO_PROXY", "HTTP_PROXY",
    "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE", "SSLKEYLOGFILE", "VIRTUAL_ENV", "MANPATH", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "DYLD_LIBRARY_PATH", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
    "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM", "SUDO_USER", "SUDO_UID",
    "SUDO_GID", "DBUS_SESSION_BUS_ADDRESS", "SOURCE_DATE_EPOCH", "DJANGO_SETTINGS_MODULE",
    "WEB_CONCURRENCY", "CUDA_VISIBLE_DEVICES", "LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR",
    "MASTER_PORT", "WERKZEUG_RUN_MAIN", "DOCKER_HOST", "KUBECONFIG", "CONTAINER", "TMUX", "STY",
    "WSL_DISTRO_NAME", "WSL_INTEROP", "MSYSTEM", "NVIM", "VIM", "DEBUGINFOD_URLS", "NETRC",
    "CODESPACES", "TF_BUILD", "TRAVIS", "APPVEYOR", "BUILDKITE", "TEAMCITY_VERSION",
    "JPY_PARENT_PID",
    "SERVER_SOFTWARE", "GAE_ENV", "K_SERVICE", "DYNO", "SPACE_ID", "UV",
    "DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "ANONYMIZED_TELEMETRY", "FORWARDED_ALLOW_IPS",
    "TOKENIZERS_PARALLELISM", "CLAUDE_PROJECT_DIR", "CLAUDECODE", "WEBSITE_INSTANCE_ID",
}  # fmt: skip
_PLATFORM_PREFIXES = (
    "PYTHON", "PYTEST_", "XDG_", "LC_", "GITHUB_", "GITLAB_CI", "CI_", "RUNNER_", "CIRCLE",
    "JENKINS_", "KUBERNETES_", "AWS_", "PIP_", "UV_", "CONDA", "POETRY_", "SSH_", "GIT_", "GPG_",
    "COVERAGE_", "TOX_", "HATCH_", "PYENV_", "VSCODE_", "JETBRAINS_", "PYCHARM_", "OMP_",
    "MKL_", "OPENBLAS_", "NUMEXPR_", "CUDA_", "NVIDIA_", "NCCL_", "SLURM_", "ECS_CONTAINER_",
    "__", "OTEL_", "ITERM_", "KITTY_", "WEZTERM_", "ALACRITTY_", "READTHEDOCS", "NIX_", "SNAP_",
    "MALLOC_", "GLIBC_", "FLY_", "RAILWAY_", "GITPOD_", "CODESPACE_", "KAGGLE_", "COLAB_",
    "VERCEL_", "HEROKU_",
)  # fmt: skip


def is_platform(name: str) -> bool:
    """Whether the operating system, the shell, the CI or the interpreter sets it, not a user of
    the application."""
    upper = name.upper()
    return upper in _PLATFORM or upper.startswith(_PLATFORM_PREFIXES) or name != upper


_SECRET = re.compile(
    r"(?:^|_)(?:SECRET|SECRET_KEY|SECRET_ACCESS_KEY|TOKEN|PASSWORD|PASSWD|PASSPHRASE|API_?KEY"
    r"|PRIVATE_KEY|ENCRYPTION_KEY|SIGNING_KEY|JWT_KEY|MASTER_KEY|ACCESS_KEY|SECRET_TOKEN"
    r"|CLIENT_SECRET|CREDENTIALS?)$"
)
_PUBLIC = re.compile(
    r"(?:^|_)(?:PUBLIC|MAX|MIN|NUM|ENABLE|ENABLED|USE|HAS|REQUIRE|PAD|EOS|BOS|NEXT|DISABLE|ALLOW"
    r"|SKIP|VERIFY|PROMPT|PER|RESET_PASSWORD|CHANGE)(?:_|$)"
)


def is_secret(name: str) -> bool:
    """Whether the value is one that nobody but the operator may know."""
    return bool(_SECRET.search(name)) and not _PUBLIC.search(name)


def is_inward(name: str) -> bool:
    """Whether it guards this application's own door (a password, a signing key), rather than
    being shown at another's (an API key, an access token)."""
    if re.search(r"(?:^|_)(?:SMTP|MAIL|EMAIL|IMAP|PROXY)(?:_|$)", name):
        return False
    return re.search(r"(?:SECRET|SECRET_KEY|PASSWORD|PASSWD|PASSPHRASE|SIGNING_KEY|JWT_KEY"
                     r"|MASTER_KEY|ENCRYPTION_KEY)$", name) is not None  # fmt: skip


_FILLERS = re.compile(
    r"(?:empty|dummy|none|null|na|n/a|not[-_ ]?(?:needed|required|used|set|provided|a[-_ ]real)\w*"
    r"|no[-_ ]?(?:api[-_ ]?)?key\w*|sk-no-key-required|ignored|unused|anonymous|fake\w*|xxx+"
    r"|lm-?studio|ollama|-|\.|\*+|your[-_ ].*|<.*>|\.\.\.|true|false|\d|anything|any|placeholder.*"
    r"|hf_x+|(?:phc|pk)[-_].*|sk-x+|token|key|api[-_]?key)",
    re.IGNORECASE,
)


def is_filler(value: str) -> bool:
    """Whether a default says "no key" to a service that asks for none."""
    return _FILLERS.fullmatch(value.strip()) is not None


def is_well_known(value: str) -> bool:
    """Whether a password is among the first that anybody tries."""
    return re.fullmatch(
        r"(?:change[-_ ]?(?:me|this|it).*|secret.*|password\d*|admin\d*|root|test\w*|default"
        r"|postgres|guest|fill[-_ ]?me[-_ ]?in|default[-_]?password|dev\w*|insecure.*"
        r"|your[-_ ].*|supersecret.*|123\w*)",
        value.strip(), re.IGNORECASE,
    ) is not None  # fmt: skip


_SWITCH = re.compile(
    r"(?:^|_)(?:ENABLED?|DISABLED?|DEBUG|USE|VERBOSE|ALLOW|SKIP|DRY_RUN|READ_?ONLY"
    r"|STRICT|INSECURE)(?:_|$)"
)
_OFF = {"false", "0", "no", "off", "f", "n", "disabled"}
_ON = {"true", "1", "yes", "on", "t", "y", "enabled"}


def is_switch(name: str) -> bool:
    """Whether the name is one of something that is on or off."""
    return _SWITCH.search(name) is not None and not is_secret(name)


def says_off(value: object) -> bool:
    """Whether a value is written to mean "off": "false", "0", False."""
    return value is False or (value == 0 and not isinstance(value, bool)) or (
        isinstance(value, str) and value.strip().lower() in _OFF
    )  # fmt: skip


def says_on(value: object) -> bool:
    """Whether a value is written to mean "on"."""
    return value is True or (isinstance(value, str) and value.strip().lower() in _ON)
