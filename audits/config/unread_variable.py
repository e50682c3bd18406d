"""CF011: a variable that the .env example documents and that nothing reads."""

from __future__ import annotations

import re
from collections.abc import Iterable

from audits.config.accesses import Variables
from audits.config.envfiles import Entry, Texts, texts_of
from audits.config.environment import EnvironmentFacts
from audits.config.names import is_platform
from audits.config.variables import variables_of
from busctl.audit import Confidence, Example, Finding, Project, Rule, Severity, Span

# Variables of libraries whose name is not that of the package that reads them.
_READERS = {
    "HF": ("huggingface", "transformers", "datasets", "sentence"), "GOOGLE": ("google", "vertexai"),
    "GCP": ("google",), "AZURE": ("azure", "msal", "openai"),
    "LANGSMITH": ("langchain", "langgraph"),
    "OTEL": ("opentelemetry",), "PG": ("psycopg", "psycopg2", "asyncpg"), "S3": ("boto3",),
    "GOTRUE": ("supabase",), "FLASK": ("flask",), "DJANGO": ("django",), "AIRFLOW": ("airflow",),
    "WANDB": ("wandb",), "COMPOSE": ("services:",), "DOCKER": ("services:",), "GRPC": ("grpc",),
    "LANGCHAIN": ("langchain", "langgraph", "langsmith"), "CO": ("cohere",),
    "PYDANTIC": ("logfire",), "OAUTHLIB": ("oauthlib", "sso", "allauth"),
    "TRANSFORMERS": ("transformers",), "PHOENIX": ("phoenix",), "DD": ("ddtrace", "datadog"),
}  # fmt: skip
# An image, or a package that is required: `image: postgres:17`, `"langfuse>=2"`.
_USED = r"image:\s*\S*{0}|[\"'\n]{0}(?:[._-][\w.-]*)?\s*(?:[<>~!=]=|[\[\"'\n]|$)"
_MANY = 8
_FRONT = ("VITE_", "NEXT_", "REACT_APP_", "NUXT_", "PUBLIC_", "EXPO_", "GATSBY_", "NODE_", "NPM_")


class UnreadVariable(Rule):
    """Speaks only of an example most of whose names are read: else its reader is out of sight."""

    code = "CF011"
    name = "unread-variable"
    family = "config"
    severity = Severity.WARNING
    summary = "The .env example documents a variable that nothing reads."
    why = (
        "The operator sets it, nothing happens, and nothing says so: a limit, a key or a switch "
        "that is believed to be in force is not."
    )
    remedy = "Read it where it is meant to count, or take it out of the example."
    needs = (EnvironmentFacts,)
    GOOD = (
        Example(
            'import os\n\nURL = os.environ["APP_URL"]\nKINDS = ["fast", "slow"]\n'
            'LIMITS = {kind: os.getenv(f"APP_LIMIT_{kind.upper()}") for kind in KINDS}\n',
            "app/settings.py",
            {".env.example": "APP_URL=\nAPP_LIMIT_FAST=5\n# APP_LIMIT_SLOW=50\n"},
        ),
        Example(
            'import os\n\nURL = os.environ["APP_URL"]\n\n\ndef proxy(service: str) -> str | None:\n'
            '    name = f"{service}_PROXY"\n    return os.getenv(name)\n\n\n'
            'A, B = proxy("MAIL"), proxy("CHAT")\n',
            "app/settings.py", {".env.example": "APP_URL=\nMAIL_PROXY=\n# CHAT_PROXY=\n"},
        ),
        Example(
            'import os\n\nURL = os.environ["APP_URL"]\n', "app/settings.py",
            {
                ".env.example": "APP_URL=\nAPP_PORT=8000\n",
                "compose.yml": 'services:\n  app:\n    ports: ["${APP_PORT}:80"]\n',
            },
        ),
        Example(
            "import os\n\nimport openai\n\nURL = os.environ['APP_URL']\nclient = openai.OpenAI()\n",
            "app/main.py", {".env.example": "APP_URL=\nOPENAI_API_KEY=\n"},
        ),
    )  # fmt: skip
    BAD = (
        Example(
            "import os\n\nimport mail_desk.client\n\n"
            'URL = os.environ["MAIL_DESK_URL"]\nKEY = os.environ["MAIL_DESK_KEY"]\n',
            "mail_desk/settings.py",
            {
                ".env.example": "MAIL_DESK_URL=\nMAIL_DESK_KEY=\n# MAIL_DESK_TELEMETRY=false\n",
            },
        ),
        Example(
            'import os\n\nURL = os.environ["APP_URL"]\n',
            "app/settings.py",
            {
                ".env.example": "APP_URL=\nMAX_ROUNDS=3\n",
                "schema.json": '{"properties": {"labels": {\n"maxItems": 5}}}\n',
            },
        ),
        Example(
            'import os\n\nURL = os.environ["APP_URL"]\nMAX_UPLOAD = 10_000_000\n',
            "app/settings.py",
            {".env.example": "APP_URL=\n# Bytes.\nMAX_UPLOAD=10000000\n"},
        ),
        Example(
            "from pydantic_settings import BaseSettings\n\n\n"
            "class Settings(BaseSettings):\n    url: str\n    timeout_secs: float = 30.0\n",
            "app/settings.py",
            {".env.example": "URL=\nTIMEOUT_SECS=30\nREQUEST_TIMEOUT=30\n"},
        ),
    )

    def check_project(self, project: Project) -> Iterable[Finding]:
        if not project.whole:
            return  # whatever reads it may lie in the part that was not looked at
        variables, texts = variables_of(project), texts_of(project)
        read = {one.name.upper() for one in variables.accesses if one.reads}
        read |= {one.name.upper() for one in variables.accesses if not one.test}
        reported: set[str] = set()
        for _, entries in sorted(texts.examples.items()):
            names = {one.name for one in entries}
            unread = [name for name in names if name.upper() not in read]
            if len(unread) == len(names) or (len(unread) >= _MANY and len(unread) > len(names) / 2):
                continue  # what reads them is out of sight: another program, a part of the code
            for entry in entries:
                if entry.name.upper() in read or entry.name in reported:
                    continue
                reported.add(entry.name)
                found = self._judge(entry, entries, variables, texts)
                if found is not None:
                    yield found

    def _judge(
        self, entry: Entry, entries: list[Entry], variables: Variables, texts: Texts
    ) -> Finding | None:
        name = entry.name
        if (
            name in texts.used or is_platform(name) or name.startswith(_FRONT)
            or variables.mentions.get(name) == 2 or _put_together(name, variables)
            or _read_by_library(name, variables, texts)
        ):  # fmt: skip
            return None
        confidence, evidence = Confidence.HIGH, ["no code, script or container file reads it"]
        if entry.commented:
            confidence = Confidence.MEDIUM
            evidence.append("the entry is commented out")
        if ("", "") in variables.parts:
            confidence = Confidence.MEDIUM
            evidence.append("somewhere names are read that are not written out")
        if name in variables.mentions:
            confidence = Confidence.LOW
            evidence.append("a text in the code names it")
        if variables.composed and ("", "") in variables.parts:
            confidence = Confidence.LOW
            evidence.append("names are put together from pieces")
        near = _near(name, variables)
        if near:
            evidence.append(f"{near} is read")
        return Finding(
            code=self.code, name=self.name, path=entry.path,
            span=Span(entry.line, 1, entry.line, 1 + len(name)),
            message=f"{name} is documented here and nothing reads it: whoever sets it believes "
            "it is in force, and nothing tells them that it is not.",
            severity=self.severity if not entry.commented else Severity.NOTE,
            confidence=confidence, remedy=self.remedy, evidence=tuple(evidence), anchor=name,
        )  # fmt: skip


def _put_together(name: str, variables: Variables) -> bool:
    return any(
        (prefix or suffix) and len(prefix) + len(suffix) > 2
        and name.startswith(prefix) and name.endswith(suffix)
        for prefix, suffix in variables.parts
    )  # fmt: skip


def _read_by_library(name: str, variables: Variables, texts: Texts) -> bool:
    """Whether a package that the code imports, or a container image, may read it itself; of the
    project's own names the code itself would have to."""
    if any(name.startswith(f"{own.upper()}_") for own in variables.packages):
        return False
    first = name.strip("_").partition("_")[0]
    wanted = {first.lower(), *_READERS.get(first, ())}
    if name.startswith("PG") and "_" not in name:
        wanted |= set(_READERS["PG"])
    for package in variables.imports:
        if wanted & set(re.split(r"[._-]", package.lower())):
            return True
    return any(
        len(one) > 2 and re.search(_USED.format(re.escape(one)), texts.images) for one in wanted
    )


def _near(name: str, variables: Variables) -> str:
    """A name that is read and differs by little: the other end of a renaming."""
    pieces = set(name.split("_"))
    if len(pieces) < 3:
        return ""
    known = sorted({one.name for one in variables.accesses if one.reads})
    for other in known:
        theirs = set(other.split("_"))
        if len(pieces ^ theirs) <= 2 and len(pieces & theirs) >= 2:
            return other
    return ""
