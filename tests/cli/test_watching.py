"""tail and watch: real processes on a real store."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import datetime

from tests.cli.commands import busctl, put, start


def lines(text: str, key: str) -> list[str]:
    return [json.loads(line)[key] for line in text.splitlines()]


def test_tail(database: str) -> None:
    ids = [put(database, b"%d" % n) for n in range(3)]
    assert lines(busctl(database, "tail", "-n", "2", "--json").text, "transaction_id") == ids[1:]
    named = busctl(database, "tail", "--name", "n")
    assert [line.split("\t")[0] for line in named.text.splitlines()] == ids
    assert not busctl(database, "tail", "--name", "n").text
    last = put(database, b"more")
    assert busctl(database, "tail", "--name", "n").text.startswith(last)
    assert busctl(database, "tail", "--tool", "none").text == ""


def test_tail_follows(database: str) -> None:
    first = put(database, b"before")
    process = start(database, "tail", "-f", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["transaction_id"] == first
    behind = os.getpriority(os.PRIO_PROCESS, process.pid)
    assert behind == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    second = put(database, b"after")
    assert json.loads(process.stdout.readline())["transaction_id"] == second
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate()
    assert process.returncode == 143
    assert b"woken by NOTIFY (direct)" in told


def test_watch_once(database: str) -> None:
    whole = put(database, b'{"a": 1}')
    cut = put(database, b'{"a": "b')
    done = busctl(database, "watch", "--once", "--json")
    assert done.code == 1
    seen = [json.loads(line) for line in done.text.splitlines()]
    assert [one["observed"] for one in seen] == [whole, cut]
    assert [[each["rule"] for each in one["findings"]] for one in seen] == [[], ["truncation"]]
    assert "2 messages observed, 16 bytes read, 1 finding." in done.err
    again = busctl(database, "watch", "--once")
    assert (again.code, again.text) == (0, "")
    told = busctl(database, "watch", "--once", "--name", "other")
    assert told.text.startswith(f"warning truncation {cut} -: ")
    assert busctl(database, "watch", "--rules", "none", "--once").code == 2
    for name in ("", " x", "x" * 101, "x\x1b[2J"):
        for words in (("watch", "--once"), ("tail",)):
            refused = busctl(database, *words, "--name", name)
            assert refused.code == 2 and "--name takes 1 to 100" in refused.err


def test_what_was_found_can_be_listed(database: str) -> None:
    nothing = busctl(database, "watch", "--list")
    assert (nothing.code, nothing.text.splitlines()[0]) == (0, "Nobody follows.")
    cut = put(database, b'{"a": "b', "--tool", "search\x1b[2J")
    put(database, b"plain")
    busctl(database, "watch", "--once", "--name", "eye")
    put(database, b"not seen yet")
    shown = busctl(database, "watch", "--list").text
    assert shown.startswith("follower eye: 1 waiting, ") and "\x1b" not in shown
    assert f"warning truncation {cut} " in shown
    found = busctl(database, "watch", "--list", "--json").json
    (follower,), (finding,) = found["followers"], found["findings"]
    assert (follower["name"], follower["waiting"]) == ("eye", 1) and follower["lag"] > 0
    assert (finding["observed"], finding["severity"]) == (cut, "warning")
    assert [one["ok"] for one in found["observations"]].count(False) == 1
    assert len(found["observations"]) == 2


def test_lines_that_the_store_makes_are_those_of_ls(database: str) -> None:
    """`tail --json --name` has the store write them: the fields and values of `ls --json`."""
    texts = 'a"b\\c\n\x1b\x7f/é\U0001f600'
    first = put(
        database, b"{}", "--tool", texts, "--session", texts, "--request", texts,
        "--metadata", json.dumps({"a": [1, 2.5, None, True, texts], "b": {}}),
    )  # fmt: skip
    put(database, b"x" * 2_000_000)
    put(database, b"text " * 9999, "--type", "error", "--ttl", "1s")
    busctl(database, "get", first)
    assert busctl(database, "pin", first).code == 0
    time.sleep(1.2)
    listed = json.loads(busctl(database, "ls", "--json", "--oldest").text)["messages"]
    followed = [
        json.loads(line)
        for line in busctl(database, "tail", "--json", "--name", "n").text.splitlines()
    ]
    assert [one.pop("version") for one in followed] == [1, 1, 1]
    for one in (*listed, *followed):
        for name in ("created_at", "expires_at", "retrieved_at"):
            one[name] = one[name] and datetime.fromisoformat(one[name])
    assert followed == listed
    assert [list(one) for one in followed] == [list(one) for one in listed]
    assert {one["status"] for one in listed} == {"delivered", "pending", "expired"}
