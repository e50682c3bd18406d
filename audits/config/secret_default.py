"""CF016: a secret has a default in the code."""

from __future__ import annotations

import re
from collections.abc import Iterable

from audits.config.accesses import Access, at
from audits.config.environment import EnvironmentFacts
from audits.config.names import is_filler, is_inward, is_secret, is_well_known
from audits.config.variables import variables_of
from busctl.audit import Confidence, Finding, Project, Rule, Severity

_NO_SECRET = re.compile(
    r"(?:https?|postgres\w*|redis|mysql)://|[/~.]|.*\s|[xX]-|Bearer$|Authorization$"
)
_KEY = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w+/=.-]{16,}")


class SecretDefault(Rule):
    """The value is never shown. Spared: empty defaults, and words that say "no key" to a service
    that asks for none."""

    code = "CF016"
    name = "secret-with-default"
    family = "config"
    severity = Severity.ERROR
    summary = "A secret that comes from the environment has a default in the code."
    why = (
        "Where the variable is forgotten, the application runs with a secret that everybody can "
        "read in its source: logins and signatures can be forged, and nothing warns of it."
    )
    remedy = "Have no default: stop with the variable's name, or make a random one and say so."
    needs = (EnvironmentFacts,)
    GOOD = (
        'import os\n\nSECRET = os.environ["APP_SECRET_KEY"]\nKEY = os.getenv("LLM_API_KEY", "")\n'
        'LOCAL = os.getenv("VLLM_API_KEY", "EMPTY")\nLIMIT = os.getenv("MAX_TOKEN", "4096")\n',
        'import os\nimport secrets\n\nSECRET = os.getenv("APP_SECRET") or secrets.token_hex()\n',
    )
    BAD = (
        'import os\n\nSECRET = os.getenv("JWT_SECRET", "changeme")\n',
        'import os\n\n\ndef connect():\n    return os.environ.get("DB_PASSWORD") or "s3cr3t-db"\n',
        "from pydantic_settings import BaseSettings\n\n\n"
        'class Settings(BaseSettings):\n    secret_key: str = "kd83hfnvu3847fjd"\n',
    )

    def check_project(self, project: Project) -> Iterable[Finding]:
        for name, places in sorted(variables_of(project).read().items()):
            if not is_secret(name):
                continue
            for one in places:
                found = self._judge(name, one)
                if found is not None:
                    yield found
                    break

    def _judge(self, name: str, one: Access) -> Finding | None:
        value = one.default[1] if one.default and one.default[0] == "v" else None
        if not isinstance(value, str) or not value.strip() or _NO_SECRET.match(value):
            return None
        inward = is_inward(name)
        known = is_well_known(value)
        if is_filler(value) and not (inward and known):
            return None
        if not inward and (known or not _KEY.fullmatch(value)):
            return None  # "test" as a key for another's service opens nothing
        what = "a password that anybody tries first" if known else "a value that the source shows"
        return at(
            self, one, one.call,
            f"Where {name} is not set, the application runs with {what}: whoever reads the code "
            "holds the secret, and nothing tells the operator that it was never set.",
            confidence=Confidence.HIGH, evidence=["the default is a literal"],
        )  # fmt: skip
