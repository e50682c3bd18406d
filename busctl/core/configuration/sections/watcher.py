"""What the watcher may spend, and on what."""

from __future__ import annotations

from functools import partial

from busctl.core.configuration.kinds import Number, Section, Token, setting

_setting = partial(setting, "Watcher")


class WatcherSection(Section):
    """The fields under "Watcher"."""

    llm_api_key: Token = _setting(
        None,
        "BUSCTL_LLM_API_KEY",
        "Key of the language model that `busctl watch --llm` asks.",
        "printable ASCII without spaces",
    )
    llm_url: str = _setting(
        "https://open.bigmodel.cn/api/paas/v4",
        "BUSCTL_LLM_URL",
        "Where its OpenAI-compatible API is: GLM's by default, Kimi's is "
        "https://api.moonshot.ai/v1.",
        "an http or https address",
    )
    llm_model: str = _setting(
        "glm-4.6",
        "BUSCTL_LLM_MODEL",
        "Which model is asked.",
        "a name",
    )
    llm_part_bytes: int = _setting(
        200_000,
        "BUSCTL_LLM_PART_BYTES",
        "Bytes of a payload it is given at once; larger ones are analysed in parts.",
        ge=1000,
        le=4_000_000,
    )
    llm_per_minute: int = _setting(
        30,
        "BUSCTL_LLM_PER_MINUTE",
        "Questions a minute; more wait.",
        ge=1,
        le=10_000,
    )
    llm_tokens_per_day: int = _setting(
        1_000_000,
        "BUSCTL_LLM_TOKENS_PER_DAY",
        "Tokens a day (UTC) after which nothing is analysed until the next.",
        ge=0,
        le=1_000_000_000,
    )
    llm_timeout_secs: Number = _setting(
        120.0,
        "BUSCTL_LLM_TIMEOUT_SECS",
        "Seconds that one answer may take.",
        ge=1,
        le=3600,
    )
