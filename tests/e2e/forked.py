"""Many runs of `busctl` for the price of one start: a process that has everything loaded forks for
each. Started as `python -m tests.e2e.forked`; talks in lines of JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

SECONDS = 30


@dataclass
class Runner:
    """Runs commands, one after another."""

    process: subprocess.Popen[str]

    def run(self, words: Sequence[str], env: dict[str, str], folder: Path) -> tuple[int, str]:
        """The exit code (negative: the signal that ended it), and stdout and stderr together."""
        asked = {"words": list(words), "env": env, "folder": str(folder)}
        into, out = _pipes(self.process)
        print(json.dumps(asked), file=into, flush=True)
        told = json.loads(out.readline())
        return told["code"], told["text"]


@contextmanager
def runner() -> Iterator[Runner]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.forked"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        yield Runner(process)
        _pipes(process)[0].close()


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _serve() -> None:
    import busctl.adapters.environment
    import busctl.adapters.websocket
    import busctl.cli.app
    import busctl.connect  # noqa: F401  # loaded once for all

    for line in sys.stdin:
        asked = json.loads(line)
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.close(reading)
            _become(asked, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read().decode(errors="replace")
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"code": code, "text": text}), flush=True)


def _become(asked: dict[str, Any], writing: int) -> None:
    """This process is that command from now on."""
    import busctl.cli.app

    os.setpgrp()
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  # a device
        os.dup2(nothing.fileno(), 0)
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["busctl", *asked["words"]]
    signal.alarm(SECONDS)
    code: object = 1
    try:
        busctl.cli.app.main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:  # noqa: BLE001  # whatever it is, the test is to see it
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    _serve()
