"""`busctl call` and `busctl demo` as processes: bytes on stdout, talk on stderr, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from busctl.adapters import embedded
from busctl.core import samples
from busctl.core.errors import ConfigurationError
from busctl.core.sizes import parse_size, show_size
from busctl.core.tools.call_arguments import read_pairs
from tests.e2e.client_daemon import Served, serving
from tests.forks.client import run

BUSCTL = [sys.executable, "-P", "-m", "busctl"]


@pytest.fixture(scope="module")
def served(server: embedded.Server, open_folder: Path) -> Iterator[Served]:
    with serving(server, open_folder / "call", "cli") as daemon:
        yield daemon


def busctl(
    served: Served, *arguments: str, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return run(
        arguments, given=stdin, timeout=60, cwd=served.folder,
        env={**served.environment, **environment},
    )  # fmt: skip


def test_the_answer_is_on_stdout_and_nothing_else(served: Served) -> None:
    done = busctl(served, "call", "generate", "size_bytes=300000", "kind=hostile", "seed=4")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == samples.sample("hostile", 300_000, 4)


def test_text_arguments_are_taken_as_they_stand(served: Served) -> None:
    for text in ("hello", "7", "null", '"quoted"', "a=b", ""):
        assert busctl(served, "call", "echo", f"text={text}").stdout.decode() == text


def test_arguments_from_json_with_one_replaced(served: Served) -> None:
    given = json.dumps({"size_bytes": 5, "kind": "zeros"}).encode()
    done = busctl(served, "call", "generate", "--args-json", "-", "size_bytes=7", stdin=given)
    assert done.stdout == bytes(7)


@pytest.mark.parametrize(("size", "flags", "route"), [
    (100, [], "inline"), (200_000, [], "claim"), (200_000, ["--no-claims"], "inline"),
])  # fmt: skip
def test_json_tells_where_the_answer_is(
    served: Served, size: int, flags: list[str], route: str
) -> None:
    target = served.folder / f"answer-{size}{''.join(flags)}"
    done = busctl(
        served, "call", "generate", f"size_bytes={size}", "-o", str(target), "--json", *flags,
        "--session", "cli", "--request-id", f"{size}{flags}",
    )  # fmt: skip
    shape = json.loads(done.stdout)
    wanted = samples.sample("json", size)
    assert target.read_bytes() == wanted
    assert shape["version"] == 1
    assert shape["path"] == str(target)
    assert (shape["size"], shape["route"]) == (size, route)
    assert shape["checksum"] == sha256(wanted).hexdigest()
    assert (shape["session_id"], shape["request_id"]) == ("cli", f"{size}{flags}")
    again = busctl(served, "get", shape["transaction_id"])
    assert again.stdout == wanted


def test_tools_are_listed(served: Served) -> None:
    text = busctl(served, "call", "--list").stdout.decode()
    assert "generate(size_bytes, [kind], [seed])\n    Answer with exactly size_bytes" in text
    assert "Be \\x1b[2Jout of order." in text, "a description does not steer the terminal"
    assert "\x1b" not in text
    shape = json.loads(busctl(served, "call", "--list", "--json").stdout)
    assert {"echo", "slow"} <= {each["name"] for each in shape["tools"]}


def test_an_url_says_where(served: Served) -> None:
    done = busctl(served, "call", "--url", served.url, "echo", "text=hi", BUSCTL_PORT="1")
    assert done.stdout == b"hi"


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (["broken"], 1, "RuntimeError: out of order"),
    (["nothing"], 1, "nothing"),
    (["echo"], 1, "text: Field required"),
    (["slow", "seconds=9", "--timeout", "0.2"], 3, "not answered within 0.2 s"),
    ([], 2, "No tool is named"),
    (["echo", "text"], 2, "'text' is not key=value"),
    (["echo", "text=a", "text=b"], 2, "given twice"),
    (["echo", "--args-json", "absent.json"], 2, "absent.json: No such file"),
    (["echo", "--args-json", "-"], 2, "standard input is not JSON"),
    (["echo", "text=a", "-o", "absent/answer"], 2, "folder absent does not exist"),
    (["generate", "size_bytes=100000", "-o", "/dev/full"], 1, "was not written to /dev/full: No"),
    (["echo", "text=a", "--url", "nowhere"], 2, "no WebSocket address"),
    (["echo", "text=a", "--url", "ws://127.0.0.1:1"], 3, "No daemon answered"),
])  # fmt: skip
def test_failures_have_exit_codes_and_remedies(
    served: Served, arguments: list[str], code: int, said: str
) -> None:
    done = busctl(served, "call", *arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_a_wrong_token_is_exit_2_and_not_shown(served: Served) -> None:
    done = busctl(served, "call", "echo", "text=a", BUSCTL_TOKEN="a-wrong-token-of-some-length")
    assert done.returncode == 2
    assert b"a-wrong-token" not in done.stderr
    done = busctl(served, "call", "echo", "text=a", "--json", BUSCTL_STATE_DIR="/absent")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["code"] == "UNAUTHORIZED"


def test_a_failed_call_leaves_the_file(served: Served) -> None:
    target = served.folder / "kept"
    target.write_bytes(b"before")
    assert busctl(served, "call", "broken", "-o", str(target)).returncode == 1
    assert target.read_bytes() == b"before"


def test_values_follow_the_schema() -> None:
    schema = {"properties": {
        "text": {"type": "string"},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "number": {"type": "integer"},
    }}  # fmt: skip
    pairs = ["text=1", "maybe=null", "number=1", "other=[1]", "free=x y", "odd=NaN"]
    assert read_pairs(pairs, schema) == {
        "text": "1", "maybe": None, "number": 1, "other": [1], "free": "x y", "odd": "NaN",
    }  # fmt: skip
    assert read_pairs(["maybe=1"], schema) == {"maybe": "1"}


def test_sizes() -> None:
    assert [parse_size(each) for each in ("10MB", "64 KiB", "1,000", "1_000 b", "2gb")] == [
        10_000_000, 65_536, 1_000, 1_000, 2_000_000_000,
    ]  # fmt: skip
    assert [show_size(each) for each in (0, 999, 1_000, 10_000_000, 1_048_576)] == [
        "0 bytes", "999 bytes", "1 KB", "10 MB", "1,048,576 bytes",
    ]  # fmt: skip
    for text in ("", "MB", "1.5MB", "-1", "1ib"):
        with pytest.raises(ConfigurationError):
            parse_size(text)


# --- demo ----------------------------------------------------------------------------------------


@pytest.fixture
def temporary(open_folder: Path) -> Path:
    """A folder for temporary files that PostgreSQL's user can pass through."""
    folder = Path(tempfile.mkdtemp(dir=open_folder))
    folder.chmod(0o755)
    return folder


def test_the_demonstration_proves_every_byte_and_leaves_nothing(temporary: Path) -> None:
    done = subprocess.run(
        [*BUSCTL, "demo", "--size", "1MB"], capture_output=True, timeout=100, cwd=temporary,
        env={**os.environ, "TMPDIR": str(temporary)},
    )  # fmt: skip
    text = done.stdout.decode()
    assert done.returncode == 0, text + done.stderr.decode()
    assert f"sha256      {sha256(samples.sample('json', 1_000_000, 2026)).hexdigest()}" in text
    assert "Identical: every byte" in text
    assert text.count("1,000,000 bytes over") == 2
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_demonstration_that_is_stopped_leaves_nothing(temporary: Path, told: int) -> None:
    with subprocess.Popen(
        [*BUSCTL, "demo", "--size", "90MB"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=temporary, env={**os.environ, "TMPDIR": str(temporary)},
    ) as running:  # fmt: skip
        deadline = time.monotonic() + 60
        while not list(temporary.glob("*/store")) and time.monotonic() < deadline:
            time.sleep(0.02)
        running.send_signal(told)
        _, said = running.communicate(timeout=90)
    assert running.returncode not in (0, None)
    assert b"Traceback" not in said
    assert list(temporary.iterdir()) == []
