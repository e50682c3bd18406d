"""The example of docs/providers.md is a profile, and its table says what the profiles say."""

from __future__ import annotations

import re
from pathlib import Path

from busctl.adapters.provider_profiles import load_profiles

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")


def test_the_example_is_a_profile(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    path = tmp_path / "example.toml"
    path.write_text(found[1])
    profiles = {one.name: one for one in load_profiles(path)}
    assert profiles["example"].context_tokens("example-1") == 128_000


def test_the_table_names_every_variable_and_address() -> None:
    for profile in load_profiles():
        for told in (*profile.key_variables, profile.base_variables[0], profile.base, profile.tool):
            assert told in PAGE
