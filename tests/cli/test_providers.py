"""`busctl providers` as a process: what is known, and whether keys are taken; never a key."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import Ran
from tests.core.test_provider import THIRD
from tests.forks.client import run
from tests.providers.played import KEY, Played, Refusal

Play = Callable[[str], Played]


def busctl(*arguments: str, **environment: str) -> Ran:
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = run(arguments, env={**plain, **environment}, timeout=60)
    err = done.stderr.decode()
    assert "Traceback" not in err, err
    assert KEY.encode() not in done.stdout + done.stderr
    return Ran(done.returncode, done.stdout, err)


def keys(*played: Played) -> dict[str, str]:
    given: dict[str, str] = {}
    for one in played:
        name = one.site.name.upper()
        given |= {f"{name}_API_KEY": KEY, f"{name}_BASE_URL": one.base}
    return given


def test_the_list() -> None:
    done = busctl("providers", MOONSHOT_API_KEY=KEY)
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in done.text.splitlines()}
    assert list(rows) == ["kimi", "glm", "zai"]
    assert rows["kimi"][:3] == ["kimi_chat", "key in KIMI_API_KEY", "https://api.moonshot.ai/v1"]
    assert "kimi-k2.6" in rows["kimi"][3]
    assert rows["zai"][:2] == ["-", "no key (ZAI_API_KEY or Z_AI_API_KEY)"]


def test_the_list_as_json(tmp_path: Path) -> None:
    (tmp_path / "third.toml").write_text(THIRD)
    done = busctl("providers", "--json", BUSCTL_PROVIDERS=str(tmp_path), THIRD_API_KEY=KEY)
    providers = {one["name"]: one for one in done.json["providers"]}
    assert providers["third"]["key"] == {
        "set": True, "variable": "THIRD_API_KEY", "variables": ["THIRD_API_KEY"],
    }  # fmt: skip
    assert providers["third"]["tool"] == "third_chat"
    assert providers["kimi"]["key"]["set"] is False
    assert providers["zai"]["files"]["content"] is False
    assert providers["zai"]["files"]["keep_days"] == 180
    models = {one["name"]: one for one in providers["kimi"]["models"]}
    assert models["kimi-k3"]["context_tokens"] == 1_048_576
    for one in providers.values():
        assert all(each["url"].startswith("https://") for each in one["sources"])


def test_what_is_known_of_one() -> None:
    done = busctl("providers", "show", "kimi")
    assert "kimi-k3: 1,048,576 tokens, always thinking, effort low|high|max" in done.text
    assert "file-extract: 100,000,000 bytes, pdf txt" in done.text
    assert "https://platform.kimi.ai/docs/api/files-upload, 2026-11-27" in done.text
    assert "glm" not in done.text
    assert busctl("providers", "show", "nobody").code == 2
    assert busctl("providers", "--json", "show", "kimi").code == 2


def test_keys_that_are_taken(play: Play) -> None:
    kimi, glm, zai = play("kimi"), play("glm"), play("zai")
    done = busctl("providers", "check", "--json", **keys(kimi, glm, zai))
    assert done.code == 0
    assert [(one["provider"], one["ok"]) for one in done.json["checked"]] == [
        ("kimi", True), ("glm", True), ("zai", True),
    ]  # fmt: skip
    assert not kimi.chats and not glm.chats
    assert zai.chats[0]["max_tokens"] == 1
    done = busctl("providers", "check", "kimi", **keys(kimi))
    assert done.text.startswith("kimi: takes the key (GET /models, ")


@pytest.mark.parametrize(
    ("refusal", "code", "said"),
    [
        (Refusal(401, "invalid_authentication_error", KEY), 1, "KIMI_API_KEY"),
        (Refusal(429, "exceeded_current_quota_error", "recharge"), 1, "recharge"),
        (Refusal(503, "", "down"), 3, "could not be told"),
        (Refusal(hang_up=True), 3, "could not be told"),
    ],
    ids=["unauthorized", "quota", "down", "hung up"],
)
def test_keys_that_are_not(play: Play, refusal: Refusal, code: int, said: str) -> None:
    played = play("kimi")
    played.refusals.append(refusal)
    done = busctl("providers", "check", **keys(played))
    assert done.code == code
    assert said in done.text


def test_no_key_is_nothing_to_check(play: Play) -> None:
    assert busctl("providers", "check").code == 2
    done = busctl("providers", "check", "kimi", "glm", **keys(play("kimi")))
    assert done.code == 2
    assert "GLM_API_KEY" in done.err


def test_a_profile_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(THIRD.replace("default_context_tokens = 64000", ""))
    done = busctl("providers", BUSCTL_PROVIDERS=str(path))
    assert done.code == 2
    assert "default_context_tokens" in done.err


def test_doctor_says_which_keys_are_set() -> None:
    done = busctl(
        "doctor", "--json", KIMI_API_KEY=KEY, DATABASE_URL="postgresql://127.0.0.1:1/none"
    )
    sections = done.json["sections"]
    assert "doctor.key_in_clear" not in done.text
    assert sections["providers"]["kimi"].endswith("key in KIMI_API_KEY")
    assert sections["providers"]["glm"].startswith("no key")


def test_a_key_in_clear_is_told() -> None:
    clear = {"KIMI_API_KEY": KEY, "KIMI_BASE_URL": "http://models.example/v1"}
    assert "not encrypted" in busctl("providers", "show", "kimi", **clear).text
    done = busctl("doctor", "--json", DATABASE_URL="postgresql://127.0.0.1:1/none", **clear)
    assert "doctor.key_in_clear" in done.text


def test_the_library_is_not_loaded_before_a_provider_is_asked() -> None:
    code = (
        "import sys, busctl.cli.app, busctl.cli.providers, busctl.cli.serve_run;"
        "print([name for name in ('openai', 'jiter') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
