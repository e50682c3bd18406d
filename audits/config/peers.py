"""Who a call waits for: a peer across the network, or something within the process."""

from __future__ import annotations

import ast
import re
from typing import Literal as Either

from audits.config.places import last_name
from audits.config.values import is_nowhere
from audits.config.words import listed, words
from busctl.audit import Source

Peer = Either["remote", "process", "local", "unknown"]

_REMOTE_MODULES = listed(
    "requests httpx httpx2 aiohttp urllib urllib3 http websockets websocket socketio smtplib "
    "ftplib imaplib poplib telnetlib redis valkey psycopg psycopg2 asyncpg pymongo motor "
    "aiomysql pymysql MySQLdb aioredis grpc paramiko asyncssh openai anthropic boto3 botocore "
    "elasticsearch opensearchpy kafka confluent_kafka aiokafka pika aio_pika nats ldap3 "
    "playwright selenium docker kubernetes minio qdrant_client pymilvus weaviate chromadb "
    "niquests treq supabase influxdb cassandra clickhouse_driver clickhouse_connect neo4j "
    "stripe slack_sdk twilio"
)
# Methods that talk to somebody else, whatever the client is called.
_REMOTE_METHODS = listed(
    "get post put patch delete head options request stream fetch goto navigate urlopen connect "
    "open_connection create_connection flush publish subscribe lock ping query execute fetchrow "
    "fetchval download upload send_request call_tool urlretrieve create ws_connect settimeout "
    "wait_for_selector wait_for_load_state wait_for_url set_default_timeout send_message "
    "set_default_navigation_timeout xadd completion acompletion transcription embedding login "
    "create_engine create_async_engine create_pool"
)
_LOCAL_METHODS = listed(
    "join wait result acquire poll select readline readlines read recv_nowait shutdown "
    "exception wait_closed as_completed is_alive set notify after prompt clear stop terminate "
    "kill wait_until lock_file FileLock stop_after_delay Timer call_later schedule singleShot"
)
_PROCESSES = frozenset(
    ["subprocess.run", "subprocess.check_output", "subprocess.check_call", "subprocess.call"]
)
_CLIENT = re.compile(
    r"^(?:[A-Z]\w*)?(?:Client|Session|Connection|Pool|Transport|Redis|Connector|Adapter|Options"
    r"|OpenAI|Anthropic|Configuration|Server)$"
)
_SENT = frozenset({"data", "json", "headers", "content", "files", "params", "url"})
# Programs and their words that wait for the network.
_FETCHING = listed(
    "gh curl wget ssh scp rsync clone fetch push pull pip pip3 npm npx uv uvx install download "
    "docker-compose kubectl helm gcloud aws az"
)
_FILE_DATABASES = frozenset({"sqlite3", "aiosqlite", "apsw", "dbm", "shelve"})
_QUEUES = frozenset({"queue", "q", "inbox", "outbox", "event", "mailbox"})


def peer_of(source: Source, call: ast.Call) -> Peer:
    """Who a call waits for."""
    called, callee = source.called(call), last_name(call)
    if called in _PROCESSES or callee == "communicate":
        return "process"
    if _is_local(call, callee):
        return "local"
    if called.partition(".")[0] in _FILE_DATABASES or _opens_file(call):
        return "unknown"
    if called.partition(".")[0] in _REMOTE_MODULES and _is_imported(source, call):
        return "remote"
    if callee in _REMOTE_METHODS:
        return "remote"
    return "remote" if _CLIENT.match(callee) else "unknown"


def _opens_file(call: ast.Call) -> bool:
    """Whether a file is opened as a database, by options that only such a one has."""
    given = {each.arg for each in call.keywords}
    return bool(given & {"check_same_thread", "isolation_level", "cached_statements"})


def _is_local(call: ast.Call, callee: str) -> bool:
    if callee in _LOCAL_METHODS or callee.endswith("FileLock"):
        return True
    if not isinstance(call.func, ast.Attribute):
        return False
    if callee == "put" and not {each.arg for each in call.keywords} & _SENT:
        return True  # to a queue
    receiver = set(words(last_name(call.func.value)))
    if receiver & _QUEUES:
        return True
    # queue.get(timeout=1) names nothing to get; session.get(url, timeout=1) does.
    return callee == "get" and not (call.args or any(_names(each) for each in call.keywords))


def _names(keyword: ast.keyword) -> bool:
    return keyword.arg in (None, "url", "path", "params", "key")


def _is_imported(source: Source, call: ast.Call) -> bool:
    node: ast.AST = call.func
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return isinstance(node, ast.Name) and node.id in source.imports


def awaits_remote(source: Source, call: ast.Call) -> bool:
    """Whether `wait_for(…)` waits for a call that is not merely an event, a task or a queue."""
    awaited = call.args[0] if call.args else None
    if not isinstance(awaited, ast.Call):
        return False
    return peer_of(source, awaited) != "local" and last_name(awaited) not in (
        "gather", "shield", "drain", "get", "put", "ensure_future", "create_task", "to_thread",
        "aclose", "close", "__anext__", "anext",
    )  # fmt: skip


def is_probe(source: Source, call: ast.Call) -> bool:
    """Whether a call is one try of many within a deadline: `while time() < deadline: …`, or asks
    an address of which nothing is wanted but whether there is a network."""
    return any(
        isinstance(each, ast.Constant) and isinstance(each.value, str) and is_nowhere(each.value)
        for given in call.args
        for each in ast.walk(given)
    ) or any(
        isinstance(around, ast.While) and any(_is_clock(each) for each in ast.walk(around.test))
        for around in source.parents(call)
    )


def _is_clock(node: ast.AST) -> bool:
    name = last_name(node) if isinstance(node, (ast.Name, ast.Attribute, ast.Call)) else ""
    return "deadline" in name or name in ("monotonic", "time", "perf_counter")


def command_of(call: ast.Call) -> ast.List | ast.Tuple | None:
    """The command line written out as the first argument: `run(["git", "status"])`."""
    command = call.args[0] if call.args else None
    if isinstance(command, (ast.List, ast.Tuple)) and len(command.elts) > 1:
        return command
    return None


def fetches(command: ast.List | ast.Tuple) -> bool:
    """Whether a command line waits for the network, as far as its words show."""
    return any(isinstance(each, ast.Constant) and each.value in _FETCHING for each in command.elts)
