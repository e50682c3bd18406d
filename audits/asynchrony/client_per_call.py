"""A client, session or engine made anew for every request or round."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.clients import ASYNC, SYNC
from audits.names import calls_of, is_test
from busctl.audit import FUNCTIONS, Confidence, Finding, Rule, Severity, Source

_POOLS = {
    "sqlalchemy.create_engine", "sqlalchemy.ext.asyncio.create_async_engine",
    "asyncpg.create_pool", "aiomysql.create_pool", "psycopg_pool.ConnectionPool",
    "psycopg_pool.AsyncConnectionPool", "redis.Redis", "redis.from_url", "redis.asyncio.Redis",
    "redis.asyncio.from_url", "pymongo.MongoClient", "motor.motor_asyncio.AsyncIOMotorClient",
    "boto3.client", "boto3.resource", "openai.OpenAI", "openai.AsyncOpenAI",
    "anthropic.Anthropic", "anthropic.AsyncAnthropic",
}  # fmt: skip
_LASTS = frozenset(name.rpartition(".")[2] for name in (*_POOLS, *ASYNC, *SYNC))
_ROUTES = {"get", "post", "put", "patch", "delete", "route", "api_route", "head", "view"}
_SERVERS = {"fastapi", "starlette", "flask", "quart", "sanic", "aiohttp", "litestar", "falcon",
            "tornado", "blacksheep", "robyn"}  # fmt: skip


class ClientPerCall(Rule):
    code = "AS004"
    name = "client-per-call"
    family = "async"
    severity = Severity.NOTE
    summary = "An HTTP client, session or database engine is made for every request or round."
    why = (
        "Each one opens connections of its own, with DNS, TCP and TLS, and throws its pool away:"
        " requests take several round trips longer, and under load sockets and database slots run"
        " out for everyone."
    )
    remedy = (
        "Make one when the service starts (lifespan, application state), share it, close it at the"
        " end."
    )
    GOOD = (
        "import httpx\n\nclient = httpx.AsyncClient()\n\n@app.get('/rows')\nasync def rows():\n"
        "    return (await client.get(URL)).json()\n",
        "import httpx\n\nasync def every(urls):\n    async with httpx.AsyncClient() as client:\n"
        "        for url in urls:\n            await client.get(url)\n",
        "import httpx\n\nasync def once(url):\n    async with httpx.AsyncClient() as client:\n"
        "        return await client.get(url)\n",
        "import aiohttp\n\nasync def retry(url):\n    for attempt in range(3):\n"
        "        async with aiohttp.ClientSession() as session:\n"
        "            return await session.get(url)\n",
        "import httpx\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n@app.post('/proxy')\n"
        "async def proxy(key):\n    if key not in CLIENTS:\n"
        "        CLIENTS[key] = httpx.AsyncClient(base_url=key)\n"
        "    return await CLIENTS[key].post('/')\n",
    )
    BAD = (
        "import httpx\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n@app.get('/rows')\n"
        "async def rows():\n    async with httpx.AsyncClient() as client:\n"
        "        return (await client.get(URL)).json()\n",
        "import aiohttp\n\nasync def every(urls):\n    for url in urls:\n"
        "        async with aiohttp.ClientSession() as session:\n"
        "            await session.get(url)\n",
        "from fastapi import APIRouter\nfrom sqlalchemy import create_engine\n\n"
        "router = APIRouter()\n\n@router.post('/rows')\nasync def add(row):\n"
        "    engine = create_engine(DSN)\n    with engine.begin() as connection:\n"
        "        connection.execute(INSERT, row)\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source) or source.is_shown:
            return
        serves = bool(_SERVERS & {one.partition(".")[0] for one in source.imports.values()})
        for call in calls_of(source, _LASTS):
            name = source.called(call)
            if (name in ASYNC or name in SYNC or name in _POOLS) and (
                often := _often(source, call, serves)
            ):
                yield self._found(source, call, name, often)

    def _found(self, source: Source, call: ast.Call, name: str, often: str) -> Finding:
        pool = name in _POOLS
        return self.finding(
            source, call,
            f"`{name}` is made {often} in {source.symbol(call)}: its connections are opened and"
            " thrown away each time, and whoever waits pays for the handshakes.",
            confidence=Confidence.MEDIUM, severity=Severity.WARNING if pool else Severity.NOTE,
            evidence=(f"made {often}",),
        )  # fmt: skip


def _often(source: Source, call: ast.Call, serves: bool) -> str:
    """ "for every request", "in every round", or "" where it may be made once."""
    if _is_kept(source, call):
        return ""
    inner: ast.AST = call
    for around in source.parents(call):
        if isinstance(around, (ast.For, ast.AsyncFor)) and inner in around.body:
            return "" if _is_retry(source, around, call) else "in every round of the loop"
        if isinstance(around, FUNCTIONS):
            return "for every request" if serves and _is_route(around) else ""
        if isinstance(around, ast.ClassDef):
            return ""
        inner = around
    return ""


def _is_kept(source: Source, call: ast.Call) -> bool:
    """Assigned to an attribute, an item or a global: kept for the next time. With arguments that
    differ each time (a proxy, a certificate), it cannot be shared."""
    holder = source.parent(call)
    if isinstance(holder, (ast.Return, ast.Lambda, ast.keyword, ast.Yield)):
        return True
    if isinstance(holder, ast.Assign):
        return any(not isinstance(one, ast.Name) for one in holder.targets)
    return isinstance(holder, ast.Call) and getattr(holder.func, "attr", "") in ("append", "add")


def _is_retry(source: Source, loop: ast.For | ast.AsyncFor, call: ast.Call) -> bool:
    """`for attempt in range(3)`, or one that leaves when it has answered; or a client that is
    made from the round's own value."""
    if isinstance(loop.iter, ast.Call) and source.called(loop.iter) == "range":
        return True
    if any(
        isinstance(one, (ast.Return, ast.Break)) for inner in loop.body for one in ast.walk(inner)
    ):
        return True
    names = {one.id for one in ast.walk(loop.target) if isinstance(one, ast.Name)}
    return any(isinstance(one, ast.Name) and one.id in names for one in ast.walk(call))


def _is_route(function: ast.AST) -> bool:
    for decorator in getattr(function, "decorator_list", []):
        inner = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(inner, ast.Attribute) and inner.attr in _ROUTES:
            return True
    return False
