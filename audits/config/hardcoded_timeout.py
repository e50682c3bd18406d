"""CF003: a timeout, delay or lifetime that only an edit of the source can change."""

from __future__ import annotations

from audits.config.hardcoded_rule import HardcodedRule, where
from audits.config.literals import Hardcoded
from audits.config.words import Kind
from busctl.audit import Example, Severity, Source


class HardcodedTimeout(HardcodedRule):
    code = "CF003"
    name = "hardcoded-timeout"
    severity = Severity.WARNING
    kind = Kind.TIMEOUT
    summary = "How long a peer is waited for is a number in the source"
    why = (
        "How long an answer takes is known where the program runs, not where it was written. "
        "Behind a slow line, a loaded model or a large answer the wait ends too early, the answer "
        "is lost, and the operator who sees it can change nothing without editing the source."
    )
    remedy = "Read it from a setting, an environment variable or a parameter; keep this default."

    def told(self, source: Source, found: Hardcoded) -> str:
        value = source.segment(found.place.node)
        called = found.place.name or "the wait"
        return (
            f"{called} is fixed at {value} {where(source, found)}: an answer that takes longer is "
            "given up, and nobody who runs this can allow it more time."
        )

    GOOD = (
        """
def sign_in(page, stop):
    page.fill("#name", "guest", timeout=10_000)
    page.click("text=Join", timeout=15_000)
    stop.close(timeout=30)
""",
        """
import os
import requests

TIMEOUT = float(os.environ.get("CATALOGUE_TIMEOUT", "30"))

def catalogue(url):
    return requests.get(url, timeout=TIMEOUT).json()
""",
        """
import httpx

class Client:
    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self.http = httpx.AsyncClient(base_url=url, timeout=timeout)

    async def fetch(self, path: str, timeout: float | None = None) -> bytes:
        answer = await self.http.get(path, timeout=timeout or 60)
        return answer.content
""",
        """
import threading
import time

POLL_INTERVAL = 0.05

def wait_for(child: threading.Thread, stop: threading.Event) -> None:
    while child.is_alive():
        time.sleep(POLL_INTERVAL)
        stop.wait(timeout=0.5)
    child.join(timeout=5)
""",
        """
from pydantic_settings import BaseSettings

class Limits(BaseSettings):
    request_timeout: float = 120.0
    heartbeat_interval: int = 20
""",
        Example(
            "DEFAULT_TIMEOUT = 30\n",
            path="app/constants.py",
            others={
                "app/client.py": """
import requests
from app.constants import DEFAULT_TIMEOUT

def fetch(url, timeout=DEFAULT_TIMEOUT):
    return requests.get(url, timeout=timeout)
"""
            },
        ),
        """
import time

SCREEN_DELAY = 2.0
CACHE_TTL_CANDLES = 2

def shot(screen, cache, candle):
    time.sleep(SCREEN_DELAY)
    return cache.kept(screen.read(), ttl=CACHE_TTL_CANDLES * candle.period)
""",
        """
import socket
import threading

FLUSH_INTERVAL_SECONDS = 30 * 60

def is_online():
    socket.create_connection(("8.8.8.8", 53), timeout=3).close()
    return True

def flushing(flush):
    threading.Timer(FLUSH_INTERVAL_SECONDS, flush).start()
""",
        """
import threading

STATS_INTERVAL = 30
RETRY_DELAY = 2

def run(stop: threading.Event, settings, report):
    settings.register_global(answer_timeout=30)
    while not stop.wait(STATS_INTERVAL):
        report()
        stop.wait(RETRY_DELAY)
""",
        """
import httpx

def documents(client: httpx.Client | None = None):
    if client is None:
        client = httpx.Client(timeout=30)
    return client.get("/documents").json()
""",
        """
import asyncio

async def next_job(jobs: asyncio.Queue, every_minutes: int):
    await asyncio.sleep(every_minutes * 60)
    return await asyncio.wait_for(jobs.get(), timeout=30)
""",
        """
import requests

request_timeout = 600

def configure(options):
    global request_timeout
    request_timeout = options.timeout

def fetch(url):
    return requests.get(url, timeout=request_timeout)
""",
    )
    BAD = (
        """
class Client:
    def stop(self, cluster):
        return self.send_request("POST", "/stop", json={"name": cluster}, timeout=5)
""",
        """
import requests

def queue(settings):
    return requests.get(f"{settings.url}/queue", timeout=(5, None)).json()
""",
        """
def answered(event, hooks):
    if hooks:
        return event.wait_response(timeout=60)
    return None
""",
        """
class Login:
    def finish(self):
        self.signed_in.wait(timeout=300)
        return self.token
""",
        """
import time

RATE_LIMIT_SECONDS = 600

def may_ask(last):
    return time.time() - last >= RATE_LIMIT_SECONDS
""",
        """
class Sandbox:
    _snapshot_timeout = 60

    def start(self, client):
        return client.snapshot(timeout=self._snapshot_timeout)
""",
        """
import requests

def notices(settings):
    answer = requests.get(settings.notices_url, timeout=3.05)
    answer.raise_for_status()
    return answer.json()
""",
        """
import httpx

class ModelClient:
    def __init__(self, settings):
        self.settings = settings

    async def complete(self, body):
        async with httpx.AsyncClient(timeout=120) as http:
            return await http.post(self.settings.url, json=body)
""",
        """
import aiohttp

TOOL_TIMEOUT = 60 * 5

async def call(session: aiohttp.ClientSession, url: str, body: dict):
    async with session.post(url, json=body, timeout=TOOL_TIMEOUT) as answer:
        return await answer.read()
""",
        """
import asyncio

async def run_tool(tool, arguments):
    return await asyncio.wait_for(tool.execute(arguments), timeout=300)
""",
        """
def lock_of(redis, key):
    return redis.lock(key + ":lock", timeout=10)
""",
        """
import asyncio

HEARTBEAT_INTERVAL = 15

async def beat(socket):
    while True:
        await socket.ping()
        await asyncio.sleep(HEARTBEAT_INTERVAL)
""",
        """
import websockets

async def listen(url):
    async with websockets.connect(
        url,
        ping_timeout=20,
    ) as socket:
        return await socket.recv()
""",
        Example(
            "CONNECT_TIMEOUT = 10\n",
            path="app/constants.py",
            others={
                "app/client.py": """
import socket
from app import constants

def open_to(host, port):
    return socket.create_connection((host, port), timeout=constants.CONNECT_TIMEOUT)
"""
            },
        ),
        """
import asyncio

USER_NAME_LOOKUP_TIMEOUT = 5

async def user(client, name):
    return await asyncio.wait_for(client.users.get(name), timeout=USER_NAME_LOOKUP_TIMEOUT)
""",
    )
