"""How many calls run at once: altogether, per provider of tools, per session."""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

from busctl.core.configuration.settings import Settings
from busctl.core.errors import OverCapacity
from busctl.ports import ToolInfo

RETRY_AFTER_SECS = 1.0

Key = TypeVar("Key")


class Limits:
    """Counts the calls in flight. `take` and `release` come in pairs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._providers: Counter[str] = Counter()
        self._sessions: Counter[tuple[str, str]] = Counter()
        self._tools: Counter[str] = Counter()
        self.inflight = 0

    def take(self, tool: ToolInfo, session: tuple[str, str]) -> None:
        """Raises OverCapacity, which names the limit that is reached. `session` is the principal
        and its session id."""
        settings, provider = self._settings, tool.provider
        self._check("in all", "BUSCTL_MAX_INFLIGHT", self.inflight, settings.max_inflight)
        self._check(
            f"for provider {provider!r}", "BUSCTL_MAX_INFLIGHT_PER_PROVIDER",
            self._providers[provider], settings.max_inflight_per_provider,
        )  # fmt: skip
        self._check(
            "for this session", "BUSCTL_MAX_INFLIGHT_PER_SESSION",
            self._sessions[session], settings.max_inflight_per_session,
        )  # fmt: skip
        if tool.bounds.concurrency is not None:
            self._check(
                f"of {tool.name!r}", "its concurrency", self._tools[tool.name],
                tool.bounds.concurrency,
            )  # fmt: skip
        self.inflight += 1
        self._tools[tool.name] += 1
        self._providers[provider] += 1
        self._sessions[session] += 1

    def release(self, tool: ToolInfo, session: tuple[str, str]) -> None:
        self.inflight -= 1
        _one_less(self._tools, tool.name)
        _one_less(self._providers, tool.provider)
        _one_less(self._sessions, session)

    @staticmethod
    def _check(scope: str, name: str, running: int, most: int) -> None:
        if running >= most:
            raise OverCapacity(
                f"{running} calls are running {scope}, as many as {name} allows.",
                retry_after=RETRY_AFTER_SECS,
            )


def _one_less(counter: Counter[Key], key: Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]  # session ids are the clients' own text: they must not pile up
