"""CF006: the name of a model that is asked, fixed in the source."""

from __future__ import annotations

from audits.config.hardcoded_rule import HardcodedRule, where
from audits.config.literals import Hardcoded
from audits.config.words import Kind
from busctl.audit import Severity, Source


class HardcodedModel(HardcodedRule):
    code = "CF006"
    name = "hardcoded-model"
    severity = Severity.WARNING
    kind = Kind.MODEL
    summary = "Which model is asked is decided by a name in the source"
    why = (
        "Vendors withdraw models within months, and users have others: every request then fails "
        "until the source is edited, and a cheaper or better model cannot be chosen."
    )
    remedy = "Take the model's name from a setting, an environment variable or a parameter."

    def told(self, source: Source, found: Hardcoded) -> str:
        value = source.segment(found.place.node)
        return (
            f"The model {value} is fixed {where(source, found)}: when it is withdrawn every "
            "request fails, and no operator can name another."
        )

    GOOD = (
        """
import os

MODEL = os.getenv("CHAT_MODEL", "gpt-4o-mini")

def complete(client, messages):
    return client.chat.completions.create(model=MODEL, messages=messages)
""",
        """
class Chunker:
    def __init__(self, embedder=None):
        self.embedder = embedder or OpenAIEmbedder(model="text-embedding-3-small")

class DriversConfig:
    @lazy_property
    def driver(self):
        return PromptDriver(model="gpt-4.1")
""",
        """
def route(router, Body):
    @router.post("/completion")
    def complete(body=Body(example={"model": "gpt-4o-mini", "messages": [], "temperature": 0})):
        return body
""",
        """
CONTEXT = {"gpt-4o": 128_000, "claude-3-5-sonnet": 200_000}

def takes_images(model: str) -> bool:
    return model.startswith("gpt-4o") or model in ("gemini-1.5-pro", "claude-3-opus")
""",
        """
def complete(client, messages, model: str = "gpt-4o-mini"):
    return client.chat.completions.create(model=model or "gpt-4o", messages=messages)
""",
    )
    BAD = (
        """
def transcribed(client, file):
    return client.audio.transcriptions.create(model="whisper-1", file=file)
""",
        """
async def complete(http, url, messages):
    body = {"model": "kimi-k2-0711-preview", "messages": messages, "stream": True}
    return await http.post(url, json=body)
""",
        """
EMBEDDING_MODEL = "text-embedding-3-small"

def embedded(client, texts):
    return client.embeddings.create(model=EMBEDDING_MODEL, input=texts)
""",
        """
class Assistant:
    def __init__(self, client):
        self.client = client
        self.model = "glm-4-plus"

    def complete(self, messages):
        return self.client.chat.completions.create(model=self.model, messages=messages)
""",
    )
