"""verify, fsck and trace as commands; what they find is tested with their operations."""

from __future__ import annotations

import re

import pytest

from busctl.cli.app import unforeseen
from busctl.core import samples
from tests.cli.commands import busctl, put
from tests.cli.test_messages import UNREACHABLE, sql, unknown_id

MIB = 1 << 20
CHUNK = "update bus.message_chunk set body = set_byte(body, 9, get_byte(body, 9) # 1)"


def test_a_damaged_message_among_whole_ones(database: str) -> None:
    whole = put(database, b"fine")
    damaged = put(database, samples.sample("random", 2 * MIB))
    assert busctl(database, "fsck", "-q").out == b""
    sql(database, f"{CHUNK} where transaction_id = %s and seq = 1", damaged)
    verified = busctl(database, "verify", whole, damaged, unknown_id())
    assert verified.code == 1
    assert f"Message {damaged} is corrupt: chunk 1 (bytes {MIB}-{2 * MIB})" in verified.text
    assert "3 messages of 2.1 MB read, 2 findings." in verified.text
    found = busctl(database, "fsck", "--fix-status", "--json")
    assert (found.code, found.json["marked"], found.json["share"]) == (1, 1, 1.0)
    assert [one["subject"] for one in found.json["findings"]] == [damaged]
    traced = busctl(database, "trace", damaged)
    assert traced.code == 1
    assert "First to differ: store" in traced.text
    assert "as it is now" in traced.text
    assert f"chunk 1 (bytes {MIB}-{2 * MIB})" in traced.text
    assert "wire    not seen" in traced.text
    shown = busctl(database, "trace", whole, "--json").json
    assert (shown["ok"], shown["differs"], shown["not_seen"]) == (
        True, None, ["tool", "daemon", "wire", "client"],
    )  # fmt: skip


def test_nothing_to_look_at_is_no_success(database: str) -> None:
    done = busctl(database, "fsck")
    assert (done.code, "nothing was looked at" in done.err) == (3, True)
    assert busctl(database, "trace", unknown_id()).code == 1


@pytest.mark.parametrize("args", [("verify", "ID"), ("trace", "ID"), ("fsck",)])
def test_exit_codes_and_help(args: tuple[str, ...]) -> None:
    asked = [unknown_id() if each == "ID" else each for each in args]
    assert busctl(UNREACHABLE, *asked).code == 3
    wrong = [*args[:1], "nonsense"] if "ID" in args else ["fsck", "--since", "nonsense"]
    assert busctl(UNREACHABLE, *wrong).code == 2
    if args == ("fsck",):
        assert busctl(UNREACHABLE, "fsck", "--seed", str(2**63)).code == 2
    shown = busctl(None, args[0], "--help").text
    assert f"busctl {args[0]}" in shown.split("Examples:")[1]
    assert max(map(len, shown.splitlines())) <= 80


def test_what_nobody_expected_is_told_without_a_traceback_and_without_secrets() -> None:
    with pytest.raises(ValueError, match="hidden") as caught:
        int("postgresql://me:hidden@db/x password=covert")
    fault = unforeseen(caught.value)
    assert (fault.exit_code, fault.code) == (3, "UNFORESEEN")
    assert "ValueError: invalid literal" in fault.message
    assert "test_inspecting.py:" in fault.message
    assert not {"hidden", "covert"} & set(re.findall(r"\w+", fault.message))
