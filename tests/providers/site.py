"""What the public documents of each provider say a request may be. Each rule has its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

KIMI_CHAT = frozenset({
    # https://platform.kimi.ai/docs/api/chat
    "model", "messages", "max_tokens", "max_completion_tokens", "response_format", "stop",
    "stream", "stream_options", "tools", "tool_choice", "prompt_cache_key", "safety_identifier",
    "thinking", "reasoning_effort", "temperature", "top_p", "n", "presence_penalty",
    "frequency_penalty",
})  # fmt: skip
GLM_CHAT = frozenset({
    # https://docs.z.ai/api-reference/llm/chat-completion, and bigmodel.cn's page of the same
    "model", "messages", "request_id", "do_sample", "stream", "thinking", "reasoning_effort",
    "temperature", "top_p", "max_tokens", "tool_stream", "tools", "tool_choice", "stop",
    "response_format", "user_id",
})  # fmt: skip

IMAGES = frozenset({"png", "jpg", "jpeg"})
GLM_DOCUMENTS = frozenset({"pdf", "docx", "doc", "xls", "xlsx", "txt", "png", "jpg", "jpeg", "csv"})


@dataclass(frozen=True)
class Rules:
    """Of one purpose of files: bytes of one, how many, suffixes (empty: any)."""

    max_bytes: int
    max_files: int
    suffixes: frozenset[str] = frozenset()
    max_image_bytes: int | None = None


@dataclass(frozen=True)
class Site:
    """One provider's API as it is documented."""

    name: str
    path: str
    """What is before /chat/completions."""
    chat_fields: frozenset[str]
    max_tokens_field: str
    models: Mapping[str, str]
    """Model by name: whether it thinks (never, optional, always)."""
    efforts: Mapping[str, frozenset[str]]
    fixed_temperature: bool
    purposes: Mapping[str, Rules]
    content: frozenset[str] = frozenset()
    """The purposes whose text GET /files/{id}/content gives back; empty: there is no such path."""
    lists_models: bool = False
    usage_on_request: bool = False
    coded_errors: bool = False
    """Errors have a code of digits, not a type of words."""
    search_engines: frozenset[str] = field(default_factory=frozenset)
    max_total_bytes: int | None = None
    listed_by: frozenset[str] = field(default_factory=frozenset)
    """The purposes of which GET /files wants one; then there is no GET /files/{id}."""


GLM_MODELS = {
    "glm-5.3": "always", "glm-5.2": "optional", "glm-5.1": "optional", "glm-5": "optional",
    "glm-4.7": "optional", "glm-4.6": "optional", "glm-4.5": "optional", "glm-4.5-air": "optional",
}  # fmt: skip
GLM_EFFORTS = {
    # https://docs.anyfast.ai/api-reference/model-api/zhipu/glm-5.2; 5.3: the text of error 1210
    "glm-5.2": frozenset({"max", "xhigh", "high", "medium", "low", "minimal", "none"}),
    "glm-5.3": frozenset({"low", "high", "max"}),
}

KIMI = Site(
    "kimi",
    "/v1",
    KIMI_CHAT,
    "max_completion_tokens",
    # https://platform.kimi.com/docs/api/models-overview
    {
        "kimi-k3": "always",
        "kimi-k2.7-code": "always",
        "kimi-k2.7-code-highspeed": "always",
        "kimi-k2.6": "optional",
    },
    {"kimi-k3": frozenset({"low", "high", "max"})},
    fixed_temperature=True,
    # https://platform.kimi.ai/docs/api/files-upload: 1,000 files, 100 MB each, 10 GB
    purposes={
        purpose: Rules(100_000_000, 1000) for purpose in ("file-extract", "image", "video", "batch")
    },
    content=frozenset({"file-extract"}),
    lists_models=True,
    usage_on_request=True,
    max_total_bytes=10_000_000_000,
)
GLM = Site(
    "glm",
    "/api/paas/v4",
    GLM_CHAT,
    "max_tokens",
    GLM_MODELS,
    GLM_EFFORTS,
    fixed_temperature=False,
    purposes={
        # https://docs.bigmodel.cn/cn/guide/tools/file-extract
        "file-extract": Rules(
            50_000_000, 100,
            frozenset({"pdf", "docx", "doc", "xls", "xlsx", "ppt", "pptx", "png", "jpg", "jpeg",
                       "csv"}), 5_000_000,
        ),
        # https://docs.bigmodel.cn/api-reference/文件-api/上传文件
        "agent": Rules(20_000_000, 1000, GLM_DOCUMENTS, 5_000_000),
        "code-interpreter": Rules(20_000_000, 100, GLM_DOCUMENTS, 5_000_000),
        "batch": Rules(100_000_000, 1000, frozenset({"jsonl"})),
        "voice-clone-input": Rules(100_000_000, 1000, frozenset({"mp3", "wav"})),
    },
    content=frozenset({"file-extract"}),
    # https://docs.bigmodel.cn/api-reference/文件-api/文件列表: purpose is required
    listed_by=frozenset({"batch", "file-extract", "code-interpreter", "agent"}),
    coded_errors=True,
    # https://docs.bigmodel.cn/cn/guide/tools/web-search
    search_engines=frozenset({"search_std", "search_pro", "search_pro_sogou", "search_pro_quark"}),
)  # fmt: skip
ZAI = Site(
    "zai",
    "/api/paas/v4",
    GLM_CHAT,
    "max_tokens",
    GLM_MODELS,
    GLM_EFFORTS,
    fixed_temperature=False,
    # https://docs.z.ai/api-reference/agents/file-upload: 100 files, 100 MB, 180 days
    purposes={
        "agent": Rules(
            100_000_000, 100, frozenset({"pdf", "doc", "xlsx", "ppt", "txt", "jpg", "png"})
        )
    },
    coded_errors=True,
    # https://docs.z.ai/api-reference/llm/chat-completion, WebSearchObject: no other is listed
    search_engines=frozenset({"search_pro_jina"}),
)
SITES = {site.name: site for site in (KIMI, GLM, ZAI)}
