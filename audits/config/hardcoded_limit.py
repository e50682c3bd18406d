"""CF004: a size, count or number of attempts that bounds somebody's data, fixed in the source."""

from __future__ import annotations

from audits.config.hardcoded_rule import HardcodedRule, where
from audits.config.literals import Hardcoded
from audits.config.words import Kind
from busctl.audit import Example, Severity, Source


class HardcodedLimit(HardcodedRule):
    code = "CF004"
    name = "hardcoded-limit"
    severity = Severity.WARNING
    kind = Kind.LIMIT
    summary = "What is refused or given up beyond a number is decided by a number in the source"
    why = (
        "A bound decides whose message, upload or answer is refused and after how many attempts "
        "one is lost. Whoever runs the program meets the bound first, and cannot move it."
    )
    remedy = "Read the bound from a setting, an environment variable or a parameter."

    def told(self, source: Source, found: Hardcoded) -> str:
        value = source.segment(found.place.node)
        called = found.place.name.removeprefix("len_") or "the bound"
        return (
            f"{called} is fixed at {value} {where(source, found)}: what goes beyond it is refused, "
            "cut or given up, and nobody who runs this can raise it."
        )

    GOOD = (
        """
import os

MAX_UPLOAD_BYTES = int(os.getenv("MAX_UPLOAD_BYTES", 20 * 1024 * 1024))

def accept(body: bytes) -> bytes:
    if len(body) > MAX_UPLOAD_BYTES:
        raise ValueError("too large")
    return body
""",
        """
from functools import lru_cache

MAX_CACHED_ENTRIES = 1024
CHUNK_SIZE = 64 * 1024

@lru_cache(maxsize=128)
def network(text: str) -> str:
    return text.strip()

def copied(source, sink) -> None:
    for part in source.iter_content(chunk_size=8192):
        sink.write(part)
""",
        Example(
            """
MAX_ENTITY_TYPES = 12

def cards(types):
    if len(types) > MAX_ENTITY_TYPES:
        return [*types[: MAX_ENTITY_TYPES - 1], "others, past the limit"]
    return types
""",
            path="app/visualization/cards.py",
        ),
        """
MODELS = {"small": Model(context=128_000, max_output_tokens=8192, price=0.1)}
CHAT = ModelConfig(max_tokens=4096)
""",
        """
from logging.handlers import RotatingFileHandler

MIN_MAX_ROUNDS = 20_000

def logged(path, rounds):
    if rounds < MIN_MAX_ROUNDS:
        raise ValueError("too few rounds to exceed")
    return RotatingFileHandler(path, maxBytes=1_000_000)
""",
        """
MAX_BINS = 100_000

def binned(bins):
    if bins > MAX_BINS:
        raise ValueError("too many bins")
    return bins
""",
        """
def retried(call, max_retries=3):
    for attempt in range(max_retries):
        if call(attempt):
            return True
    return False
""",
        """
MAX_WORKERS = 4

def workers(wanted: int) -> int:
    return max(1, min(wanted, MAX_WORKERS))
""",
        """
LABEL_SIZE = 64

def label(data: bytes) -> bytes:
    if data[0] >= 64:
        raise ValueError("label too long")
    return data[1 : data[0] + 1]
""",
    )
    BAD = (
        """
MAX_SQL_BYTES = 2 * 1024

def admitted(sql):
    if len(sql.encode()) > MAX_SQL_BYTES:
        raise ValueError("statement too long")
    return sql
""",
        """
from botocore.config import Config

def options(region):
    retries = {"max_attempts": 5, "mode": "adaptive"}
    return Config(region_name=region, retries=retries)
""",
        """
import websockets

MAX_MESSAGE_BYTES = 1024 * 1024

async def listen(url, heard):
    async with websockets.connect(url, max_size=MAX_MESSAGE_BYTES) as socket:
        async for message in socket:
            heard(message)
""",
        """
MAX_ENTRY_BYTES = 50 * 1024 * 1024

def unpacked(entries, warnings):
    for entry in entries:
        if entry.file_size > MAX_ENTRY_BYTES:
            warnings.append(f"{entry.name} exceeds {MAX_ENTRY_BYTES} bytes")
            continue
        yield entry.read()
""",
        """
async def poll(updater):
    await updater.start_polling(bootstrap_retries=10)
""",
        """
QUEUE_LIMIT = 1000

class Events:
    def push(self, event):
        self.queue.append(event)
        while len(self.queue) > QUEUE_LIMIT:
            self.queue.pop(0)
""",
        """
import websockets

async def serve(handler, settings):
    async with websockets.serve(handler, settings.host, settings.port, max_size=32 * 1024 * 1024):
        await handler.closed()
""",
        """
MAX_UPLOAD_BYTES = 20 * 1024 * 1024

def accept(body: bytes) -> bytes:
    if len(body) > MAX_UPLOAD_BYTES:
        raise ValueError("too large")
    return body
""",
        """
MAX_RETRIES = 3

def fetched(fetch, url):
    for attempt in range(MAX_RETRIES):
        try:
            return fetch(url)
        except OSError:
            if attempt == 2:
                raise
""",
        """
async def accept(request, refused):
    body = await request.body()
    if len(body) > 10_000_000:
        return refused(413)
    return body
""",
        """
async def complete(client, messages, settings):
    return await client.chat.completions.create(
        model=settings.model, messages=messages, max_tokens=4096
    )
""",
        """
from openai import AsyncOpenAI

def client(settings):
    return AsyncOpenAI(api_key=settings.key, base_url=settings.url, max_retries=5)
""",
        """
def delivered(send, message):
    max_attempts = 5
    for attempt in range(max_attempts):
        if send(message):
            return True
    return False
""",
        """
def registered(tools, handler):
    tools.register(name="read_file", handler=handler, max_result_chars=100_000)
""",
    )
