"""CF007: a password, key or token in the source."""

from __future__ import annotations

from collections.abc import Sequence

from audits.config.hardcoded_rule import HardcodedRule, where
from audits.config.literals import Hardcoded
from audits.config.words import Kind
from busctl.audit import Finding, Severity, Source, Span


class CredentialInSource(HardcodedRule):
    code = "CF007"
    name = "credential-in-source"
    severity = Severity.ERROR
    kind = Kind.CREDENTIAL
    summary = "A password, key or token stands in the source"
    why = (
        "Everybody who can read the source, its history, the package or a traceback has the "
        "credential, it cannot be changed without a release, and its owner cannot learn who uses "
        "it."
    )
    remedy = (
        "Withdraw it at its issuer, then read the new one from the environment or a secret store."
    )

    def variable(self, source: Source, found: Hardcoded) -> str:
        return ""  # a secret has no default to keep

    def fix(self, source: Source, finding: Finding) -> Sequence[tuple[Span, str]]:
        return ()

    def told(self, source: Source, found: Hardcoded) -> str:
        address = "://" in source.segment(found.place.node)
        called = found.place.name or ("An address with a password" if address else "A text")
        return (
            f"{called} has its secret in the source {where(source, found)}: whoever reads the code "
            "has it, and the owner cannot learn who."
        )

    GOOD = (
        """
import os

API_KEY = os.environ["MODEL_API_KEY"]
TOKEN_ENV = "MODEL_AUTH_TOKEN"
PASSWORD_FIELD = "user_password_2"

def client(connect, password: str):
    return connect(password=password, api_key=API_KEY, token="<your token>")
""",
        """
START_TOKEN = "│BEGIN-1│"
""",
        """
def base_placeholders(link):
    return {"url": link, "secret": "6zzjnumtsx136ddy"}
""",
        """
def counted(send, event):
    return send({"api_key": "phc_6cmXy4MEbLfNGezqGjuUTY8abLu0sAwt", "event": event})
""",
        """
KEYS = {"api_key": "audio.tts.openai.api_key", "token": "auth.token"}
GRANT = {"grant_type": "password", "secret": "changeme-please"}
HEADERS = {"Authorization": "Bearer <token>"}
""",
        """
import os

DSN = os.environ.get("DSN") or "postgresql://localhost/bus"

def shown(user: str, password: str, host: str) -> str:
    return f"postgresql://{user}:{password}@{host}/bus"
""",
    )
    BAD = (
        """
PASSWORD = "hunter2-s3cret"

def login(connect):
    return connect("bus", PASSWORD)
""",
        """
API_KEY = "sk-proj-Zk83hWq1LmC0pT7vXy2RbN5d"

def client(connect):
    return connect(api_key=API_KEY)
""",
        """
import psycopg

def connected():
    return psycopg.connect(host="db.internal", user="bus", password="hunter2!9")
""",
        """
AUTH_TOKEN = "3f9a1c77b2e84d0a9c5e6f1022ab4d7e"

def allowed(given: str) -> bool:
    return given == AUTH_TOKEN
""",
        """
from sqlalchemy import create_engine

engine = create_engine("postgresql://bus:w8Tz-41qP@db.internal/bus")
""",
        """
KEY = "sk-proj-" + "Zk83hWq1LmC0pT7vXy2RbN5d"

def client(connect):
    return connect(api_key=KEY)
""",
        """
def asked(http, url):
    return http.get(url, headers={"Authorization": "Bearer 4f9a1c77b2e84d0a9c5e6f1022ab4d7e"})
""",
    )
