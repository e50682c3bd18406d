"""Language models: keys and addresses."""

from __future__ import annotations

from functools import partial

from busctl.core.configuration.kinds import (
    Base,
    Number,
    OptionalInt,
    OptionalPath,
    Section,
    Token,
    setting,
)

_setting = partial(setting, "Providers")


class ProvidersSection(Section):
    """The fields under "Providers"."""

    kimi_api_key: Token = _setting(
        None,
        "KIMI_API_KEY MOONSHOT_API_KEY",
        "Key of Kimi (Moonshot AI); with it the daemon offers the tool kimi_chat.",
        "printable ASCII without spaces",
    )
    kimi_base_url: Base = _setting(
        None,
        "KIMI_BASE_URL MOONSHOT_BASE_URL",
        "Where its API is, such as https://api.moonshot.cn/v1; https://api.moonshot.ai/v1 if not"
        " set.",
        "an http or https address",
    )
    glm_api_key: Token = _setting(
        None,
        "GLM_API_KEY ZHIPUAI_API_KEY BIGMODEL_API_KEY",
        "Key of GLM at bigmodel.cn; with it the daemon offers the tool glm_chat.",
        "printable ASCII without spaces",
    )
    glm_base_url: Base = _setting(
        None,
        "GLM_BASE_URL ZHIPUAI_BASE_URL",
        "Where its API is; https://open.bigmodel.cn/api/paas/v4 if not set.",
        "an http or https address",
    )
    zai_api_key: Token = _setting(
        None,
        "ZAI_API_KEY Z_AI_API_KEY",
        "Key of GLM at z.ai; with it the daemon offers glm_chat there, or zai_chat beside another.",
        "printable ASCII without spaces",
    )
    zai_base_url: Base = _setting(
        None,
        "ZAI_BASE_URL",
        "Where its API is; https://api.z.ai/api/paas/v4 if not set.",
        "an http or https address",
    )
    providers: OptionalPath = _setting(
        None,
        "BUSCTL_PROVIDERS",
        "Profile of another provider (a TOML file), or a folder of them: docs/providers.md.",
    )
    provider_concurrency: OptionalInt = _setting(
        None,
        "BUSCTL_PROVIDER_CONCURRENCY",
        "Most requests at once to one provider, in place of what its profile says.",
        "a whole number, at least 1, at most 1000",
        ge=1,
        le=1000,
    )
    provider_stall_secs: Number = _setting(
        120.0,
        "BUSCTL_PROVIDER_STALL_SECS",
        "Seconds a provider may send nothing before its answer counts as cut.",
        gt=0,
        le=3600,
    )
