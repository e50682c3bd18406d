"""tail and watch: real processes on a real store."""

from __future__ import annotations

import json
import signal

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
