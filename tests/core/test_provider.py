"""Profiles of providers: data that says what a provider is, and whose faults are all told."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr

from busctl.adapters.provider_profiles import (
    SHIPPED,
    account_at,
    load_accounts,
    load_profiles,
)
from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationError
from busctl.core.providers.profile import Profile, Sourced, Table, Thinks
from tests.providers.site import SITES

THIRD = """
name = "third"
title = "A third provider"
tool = "third_chat"
key_variables = ["THIRD_API_KEY"]
base = "https://api.third.example/v1"
default_model = "third-1"
default_context_tokens = 64000
source = "https://docs.third.example/api"
seen = 2026-11-27
[chat]
source = "https://docs.third.example/api"
seen = 2026-11-27
[errors]
source = "https://docs.third.example/errors"
seen = 2026-11-27
"""


def test_every_fact_that_is_shipped_says_where_it_is_from() -> None:
    def sourced(table: Table) -> list[Sourced]:
        found = [table] if isinstance(table, Sourced) else []
        for name in type(table).model_fields:
            value = getattr(table, name)
            for each in value if isinstance(value, tuple) else [value]:
                found += sourced(each) if isinstance(each, Table) else []
        return found

    profiles = load_profiles()
    assert [one.name for one in profiles] == list(SHIPPED)
    for profile in profiles:
        facts = sourced(profile)
        assert len(facts) >= 6 + len(profile.models)
        for fact in facts:
            assert fact.seen >= date(2026, 11, 1)
        assert profile.model(profile.default_model) is not None


@pytest.mark.parametrize("profile", load_profiles(), ids=lambda one: one.name)
def test_profiles_and_the_played_providers_agree(profile: Profile) -> None:
    """Both are written from the same documents, once for asking and once for judging."""
    site = SITES[profile.name]
    assert {one.name: one.thinking.value for one in profile.models} == dict(site.models)
    for model in profile.models:
        assert set(model.efforts) <= site.efforts.get(model.name, frozenset())
        assert model.fixed_temperature == site.fixed_temperature
    assert profile.chat.max_tokens_field == site.max_tokens_field
    assert profile.chat.stream_options == site.usage_on_request
    assert profile.files is not None
    assert profile.files.content == bool(site.content)
    assert set(profile.files.listed_by) == site.listed_by
    for name, purpose in profile.files.purposes.items():
        rules = site.purposes[name]
        assert purpose.max_bytes == rules.max_bytes
        assert not rules.suffixes or set(purpose.suffixes) == rules.suffixes
        assert purpose.max_image_bytes == rules.max_image_bytes
    if profile.files.extract is not None:
        assert profile.files.extract in site.content


def test_a_third_provider_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "third.toml"
    path.write_text(THIRD)
    for own in (path, tmp_path):
        accounts = load_accounts(
            Settings(providers=own), {"THIRD_API_KEY": "key-of-third", "OTHER": "x"}
        )
        third = accounts[-1]
        assert (third.profile.name, third.tool, third.usable) == ("third", "third_chat", True)
        assert third.key_variable == "THIRD_API_KEY"
        assert third.key is not None and third.key.get_secret_value() == "key-of-third"
        assert not any(one.usable for one in accounts[:-1])
        assert third.profile.model("third-1") is None
        assert third.profile.context_tokens("third-1") == 64000


def test_a_file_of_a_known_name_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(THIRD.replace('"third"', '"kimi"'))
    profiles = {one.name: one for one in load_profiles(path)}
    assert list(profiles) == list(SHIPPED)
    assert profiles["kimi"].title == "A third provider"


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(
        THIRD.replace('base = "https://api.third.example/v1"', 'base = "api.third.example"')
        .replace('key_variables = ["THIRD_API_KEY"]', "key_variables = []")
        .replace("default_context_tokens = 64000", "default_context_tokens = 0\nunknown = 1")
        + '[files]\nextract = "none"\nsource = "https://x.example"\nseen = 2026-11-27\n'
        "purposes = {}\n"
    )
    with pytest.raises(ConfigurationError) as raised:
        load_profiles(path)
    text = str(raised.value)
    assert str(path) in text
    for word in ("base", "key_variables", "default_context_tokens", "unknown", "extract names"):
        assert word in text


@pytest.mark.parametrize("text", ["name = ", "\xff", None])
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "x.toml"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=re.escape(str(path))):
        load_profiles(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"no \.toml file"):
        load_profiles(tmp_path / "empty")


def test_two_sites_of_one_model_family_have_a_tool_each() -> None:
    both = load_accounts(Settings.model_validate({"glm_api_key": "a", "zai_api_key": "b"}), {})
    assert [one.tool for one in both if one.usable] == ["glm_chat", "zai_chat"]
    one = load_accounts(Settings.model_validate({"zai_api_key": "b"}), {})
    assert [each.tool for each in one if each.usable] == ["glm_chat"]
    assert one[2].variables == "ZAI_API_KEY or Z_AI_API_KEY"


def test_the_address_may_be_another() -> None:
    settings = Settings.model_validate({"kimi_base_url": "https://api.moonshot.cn/v1/"})
    assert load_accounts(settings, {})[0].base == "https://api.moonshot.cn/v1"


def test_what_models_do_is_known() -> None:
    kimi, glm, zai = load_profiles()
    k3 = kimi.model("kimi-k3")
    assert k3 is not None and k3.thinking is Thinks.ALWAYS
    assert kimi.files is not None and kimi.files.extract == "file-extract"
    assert zai.files is not None and zai.files.extract is None and not zai.files.content
    assert glm.files is not None and glm.files.purposes["file-extract"].max_bytes == 50_000_000


def test_an_account_at_any_address() -> None:
    def name(base: str, model: str) -> str:
        return account_at(Settings(), base, SecretStr("k"), model).profile.name

    assert name("https://api.moonshot.cn/v1/", "glm-4.6") == "kimi"
    assert name("http://127.0.0.1:1/v1", "glm-4.6") == "glm"
    assert name("http://127.0.0.1:1/v1", "llama") == "compatible"
