"""A real Prometheus that scrapes a daemon every second."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROMETHEUS = "/usr/bin/prometheus"
CONFIG = """
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: busctl
    static_configs: [{targets: ['127.0.0.1:%d']}]
"""


@dataclass(frozen=True)
class Prometheus:
    url: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The vector that an instant query gives: each with `metric` and `value`."""
        asked = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=30) as response:
            told = json.load(response)
        assert told["status"] == "success", told
        found: list[dict[str, Any]] = told["data"]["result"]
        return found

    def sum(self, expression: str) -> float:
        return sum(float(one["value"][1]) for one in self.ask(expression))


@contextmanager
def scraping(port: int, folder: Path) -> Iterator[Prometheus]:
    """It has looked at that port of this machine at least twice."""
    assert shutil.which(PROMETHEUS), "install Debian's prometheus (as .ci/run does)"
    folder.mkdir()
    (folder / "prometheus.yml").write_text(CONFIG % port)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROMETHEUS, f"--config.file={folder / 'prometheus.yml'}",
             f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={place}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        found = Prometheus(f"http://{place}")
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                if found.sum("count_over_time(busctl_build_info[1m])") >= 2:
                    break
            except OSError:
                pass  # not up yet
            time.sleep(0.2)
        yield found
    finally:
        process.terminate()
        process.wait(30)
