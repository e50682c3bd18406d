"""The `mcpServers` JSON by which desktop clients name their MCP servers, read without side effects:
JSON, with comments and commas behind the last value as editors allow them.

Every fault is told at once, and none repeats a value: `env`, `headers`, `args` and URLs may hold
secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from busctl.core.mcp.jsonc import plain_json
from busctl.core.mcp.upstream import Command, Endpoint, Upstream
from busctl.core.tools import bounds as bounds_of
from busctl.core.tools.bounds import Bounds

ROOTS = ("mcpServers", "servers")
"""Where the servers are: the common name, and the one of VS Code."""
OURS = "busctl"
"""The key of a server under which our own settings for it are."""
_VARIABLE = re.compile(r"\$\{(?:env:)?(?P<name>[^}]*?)(?::-(?P<default>[^}]*))?\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STDIO = {"stdio", "command", "local"}
_HTTP = {"http", "https", "streamable-http", "streamable_http", "streamablehttp", "remote"}
_KNOWN = {
    "command", "args", "env", "cwd", "url", "serverUrl", "httpUrl", "headers", "type", "transport",
    "disabled", "enabled", OURS,
}  # fmt: skip
_NO_MATTER = {"name", "description", "icon", "autoApprove", "alwaysAllow", "trust", "gallery"}
"""What says nothing about how a server is reached, and is passed over without a word."""


@dataclass(slots=True)
class UpstreamConfig:
    """What a file names, what is wrong with it, and what is only odd. `disabled` are the names of
    those that are switched off."""

    upstreams: list[Upstream] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_config(text: str | bytes, environ: Mapping[str, str]) -> UpstreamConfig:
    """The servers that a file names; `environ` is what ${VAR} stands for. Never raises."""
    config = UpstreamConfig()
    try:
        # Some editors begin a file with a byte order mark, which JSON does not have.
        plain = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        shape = json.loads(plain_json(plain), object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as error:
        config.faults.append(f"it is not JSON: {error}")
        return config
    found = [root for root in ROOTS if isinstance(shape, dict) and root in shape]
    if not found:
        config.faults.append(f"it has no object {ROOTS[0]!r}")
    names: set[str] = set()
    for root in found:
        servers = shape[root]
        if not isinstance(servers, dict):
            config.faults.append(f"{root} is no object")
            continue
        for name, server in servers.items():
            if name in names:
                config.faults.append(f"{root}.{name} is named in {ROOTS[0]} too")
            names.add(name)
            _Server(config, f"{root}.{name}", name, environ).take(server)
    return config


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twins = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"the key {twins[0]!r} is there twice in one object")
    return made


class _Server:
    """One server of a file on its way into the configuration."""

    def __init__(
        self, config: UpstreamConfig, where: str, name: str, environ: Mapping[str, str]
    ) -> None:
        self._config = config
        self._where = where
        self._name = name
        self._environ = environ
        self._sound = True

    def take(self, server: Any) -> None:
        if not isinstance(server, dict):
            return self._fault("", "is no object")
        if not self._name.strip() or not self._name.isprintable() or len(self._name) > 64:
            self._fault("", "needs a name of 1 to 64 characters that can be printed")
        if self._is_off(server):
            self._config.disabled.append(self._name)
            return None
        for key in sorted(server.keys() - _KNOWN - _NO_MATTER):
            self._config.warnings.append(f"{self._where}.{key} is not known and does nothing")
        via = self._via(server)
        made = self._ours(server.get(OURS, {}), via)
        if self._sound and made is not None:
            self._config.upstreams.append(made)
        return None

    def _fault(self, key: str, why: str) -> None:
        self._sound = False
        self._config.faults.append(f"{self._where}{key and '.'}{key} {why}")

    def _is_off(self, server: Mapping[str, Any]) -> bool:
        for key in ("disabled", "enabled"):
            if not isinstance(server.get(key, False), bool):
                self._fault(key, "must be true or false")
        return server.get("disabled") is True or server.get("enabled") is False

    # --- how it is reached -----------------------------------------------------------------

    def _via(self, server: Mapping[str, Any]) -> Command | Endpoint | None:
        urls = [key for key in ("url", "serverUrl", "httpUrl") if key in server]
        kind = self._kind(server)
        if kind is None:
            return None
        if "command" in server and urls:
            self._fault("", f"has both a command and {urls[0]}: which of the two is it?")
        elif urls and kind != "stdio":
            return self._endpoint(server, urls[0])
        elif "command" in server and kind != "http":
            return self._command(server)
        else:
            needs = {"http": "url", "stdio": "command"}.get(kind, "command or url")
            self._fault("", f"needs a {needs}")
        return None

    def _kind(self, server: Mapping[str, Any]) -> str | None:
        """ "stdio", "http", "" where it is not said, None where it is said wrongly."""
        for key in ("type", "transport"):
            said = server.get(key)
            if said is None:
                continue
            plain = said.lower() if isinstance(said, str) else ""
            if plain in _STDIO:
                return "stdio"
            if plain in _HTTP:
                return "http"
            if plain == "sse":
                self._fault(key, "is 'sse', an old transport that is not spoken here: use 'http'")
            else:
                self._fault(key, f"is {str(said)[:40]!r}, not 'stdio' or 'http'")
            return None
        return ""

    def _command(self, server: Mapping[str, Any]) -> Command:
        args = server.get("args", [])
        if not isinstance(args, list):
            self._fault("args", "is no list")
            args = []
        cwd = server.get("cwd")
        return Command(
            self._text("command", server["command"], wanted=True),
            tuple(self._text(f"args[{at}]", each) for at, each in enumerate(args)),
            self._texts("env", server.get("env")),
            None if cwd is None else self._text("cwd", cwd),
        )

    def _endpoint(self, server: Mapping[str, Any], key: str) -> Endpoint:
        url = self._text(key, server[key], wanted=True)
        if url and not _is_http(url):
            self._fault(key, "is no http or https URL")
        headers = self._texts("headers", server.get("headers"))
        for name, value in headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                self._fault("headers", f"has {name!r}, which is no name of a header")
            elif not (value.isascii() and value.isprintable()):
                self._fault(f"headers.{name}", "must be printable ASCII in one line")
        return Endpoint(url, headers)

    # --- our own settings ------------------------------------------------------------------

    def _ours(self, ours: Any, via: Command | Endpoint | None) -> Upstream | None:
        if not isinstance(ours, dict):
            self._fault(OURS, "is no object")
            return None
        known = {*bounds_of.NAMES, "start_timeout_secs", "tools"}
        all_tools = self._bounds(OURS, ours, known)
        start = ours.get("start_timeout_secs")
        if bounds_of.faults_of({"timeout_secs": start}):
            self._fault(f"{OURS}.start_timeout_secs", "must be a number of seconds")
        tools = ours.get("tools", {})
        if not isinstance(tools, dict):
            self._fault(f"{OURS}.tools", "is no object")
            tools = {}
        by_tool = {
            name: self._bounds(f"{OURS}.tools.{name}", each, set(bounds_of.NAMES))
            for name, each in tools.items()
        }
        return None if via is None else Upstream(self._name, via, all_tools, by_tool, start)

    def _bounds(self, key: str, given: Any, known: set[str]) -> Bounds:
        if not isinstance(given, dict):
            self._fault(key, "is no object")
            return Bounds()
        for name in sorted(given.keys() - known):
            self._fault(f"{key}.{name}", f"is not known; there are {', '.join(sorted(known))}")
        faults = bounds_of.faults_of(given)
        for fault in faults:
            self._fault(f"{key}:", fault)
        return Bounds() if faults else Bounds(*(given.get(name) for name in bounds_of.NAMES))

    # --- texts, with their variables -------------------------------------------------------

    def _texts(self, key: str, given: Any) -> dict[str, str]:
        if given is None:
            return {}
        if not isinstance(given, dict):
            self._fault(key, "is no object")
            return {}
        return {name: self._text(f"{key}.{name}", value) for name, value in given.items()}

    def _text(self, key: str, given: Any, *, wanted: bool = False) -> str:
        if isinstance(given, int | float) and not isinstance(given, bool):
            given = str(given)  # clients take numbers in args and env
        if not isinstance(given, str) or "\0" in given:
            self._fault(key, "is no text")
            return ""
        text = "".join(self._expanded(key, given))
        if wanted and not text.strip():
            self._fault(key, "is empty")
        return text

    def _expanded(self, key: str, text: str) -> Iterator[str]:
        at = 0
        for found in _VARIABLE.finditer(text):
            yield text[at : found.start()]
            at = found.end()
            yield self._value(key, found)
        yield text[at:]

    def _value(self, key: str, found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        if not _NAME.fullmatch(name):
            self._fault(key, f"has ${{{name[:40]}…}}, which names no variable of the environment")
            return ""
        value = self._environ.get(name, "")
        if value or (name in self._environ and default is None):
            return value
        if default is None:
            self._fault(
                key, f"needs ${{{name}}}, which is not set: set it, or ${{{name}:-default}}"
            )
        return default or ""


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
