"""CF001: an address that requests go to, fixed in the source."""

from __future__ import annotations

from audits.config.hardcoded_rule import HardcodedRule, where
from audits.config.literals import Hardcoded
from audits.config.words import Kind
from busctl.audit import Example, Severity, Source


class HardcodedUrl(HardcodedRule):
    code = "CF001"
    name = "hardcoded-url"
    severity = Severity.WARNING
    kind = Kind.URL
    summary = "Requests go to an address that only an edit of the source can change"
    why = (
        "A mirror, a proxy, another region, a local model or a test server cannot be used, and "
        "who moves the service finds out when requests fail."
    )
    remedy = "Take the base address from a setting, an environment variable or a parameter."

    def told(self, source: Source, found: Hardcoded) -> str:
        value = source.segment(found.place.node)
        return (
            f"Requests go to {value[:80]} {where(source, found)}: who runs this elsewhere, through "
            "a proxy or against another region cannot say so."
        )

    GOOD = (
        """
import os

BASE_URL = os.environ.get("MODEL_BASE_URL", "https://api.model-vendor.ai/v1")

async def complete(http, body):
    return await http.post(f"{BASE_URL}/chat/completions", json=body)
""",
        """
DOCS_URL = "https://project.readthedocs.io/en/latest/errors.html"
SCHEMA_URL = "https://json-schema.org/draft/2020-12/schema"

def explain(error: str) -> str:
    return f"{error}: see {DOCS_URL}"
""",
        """
class Client:
    def __init__(self, http, base_url: str = "http://localhost:8000") -> None:
        self.http = http
        self.base_url = base_url or "http://localhost:8000"
""",
        """
def rewritten(url: str) -> str:
    if url.startswith("postgres://"):
        return url.replace("postgres://", "postgresql+psycopg://", 1)
    return url
""",
        """
def protected(security, SecuritySettings):
    if security is None:
        security = SecuritySettings(allowed_origins=["http://127.0.0.1:8000"])
    return security
""",
        """
def endpoint(given: str | None) -> str:
    if given:
        url = given.rstrip("/")
    else:
        url = "http://localhost:11434"
    return url
""",
    )
    BAD = (
        """
def protect(app, CORSMiddleware):
    app.add_middleware(CORSMiddleware, allow_origins=["http://localhost:8081"])
""",
        """
API = "https://api.example-corp.com/v1"

def call(client, query):
    return client.get(API + "/q", params={"q": query})
""",
        """
BASE_URL = "https://api.model-vendor.ai/v1"

async def complete(http, body):
    return await http.post(f"{BASE_URL}/chat/completions", json=body)
""",
        """
import httpx

def health() -> bool:
    return httpx.get("http://localhost:8765/health").status_code == 200
""",
        """
from openai import AsyncOpenAI

class Assistant:
    def client(self, key: str) -> AsyncOpenAI:
        return AsyncOpenAI(api_key=key, base_url="https://api.model-vendor.cn/v1")
""",
        """
def complete_url(api_base: str | None, region: str) -> str:
    return f"https://vectors.{region}.api.cloud"
""",
        """
class Uploader:
    def __init__(self, http):
        self.http = http
        self.base_url = "https://files.model-vendor.ai/v1"

    def upload(self, body):
        return self.http.post(f"{self.base_url}/files", content=body)
""",
        Example(
            'FILES_ENDPOINT = "https://files.model-vendor.ai/v1"\n',
            path="app/constants.py",
            others={
                "app/files.py": """
from app import constants

def upload(http, body):
    return http.post(f"{constants.FILES_ENDPOINT}/files", content=body)
"""
            },
        ),
    )
