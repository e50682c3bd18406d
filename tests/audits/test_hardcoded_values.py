# ruff: noqa: E501  # a program a line reads better than one broken for its width
"""An application server's literals, hardcoded and configured: one finding, and none."""

from __future__ import annotations

import pytest

from busctl.audit.fixing import mend
from busctl.audit.registry import rules
from tests.audits.examples import audited

RULES = [rule for rule in rules() if rule.code in {f"CF00{number}" for number in range(1, 8)}]

PAIRS = {
    "websocket-port": (
        "CF002",
        "async def main(h):\n    await websockets.serve(h, settings.host, 8765)\n",
        "async def main(h):\n    await websockets.serve(h, settings.host, settings.port)\n",
    ),
    "port-constant": (
        "CF002",
        "PORT = 8765\ndef main(app):\n    uvicorn.run(app, host=args.host, port=PORT)\n",
        "PORT = int(os.getenv('PORT', '8765'))\ndef main(app):\n"
        "    uvicorn.run(app, host=args.host, port=PORT)\n",
    ),
    "bind-all": (
        "CF002",
        "def main(app):\n    uvicorn.run(app, host='0.0.0.0', port=args.port)\n",
        "def main(app):\n    uvicorn.run(app, host=args.host or '0.0.0.0', port=args.port)\n",
    ),
    "server-attribute": (
        "CF002",
        "class S:\n    def __init__(self):\n        self.port = 8765\n"
        "    def run(self):\n        return serve(self.h, self.host, self.port)\n",
        "class S:\n    def __init__(self, port=8765):\n        self.port = port\n"
        "    def run(self):\n        return serve(self.h, self.host, self.port)\n",
    ),
    "redis-host": (
        "CF002",
        "import redis\ndef store():\n    return redis.Redis(host='redis.internal', port=cfg.port)\n",
        "import redis\ndef store(host='redis.internal'):\n"
        "    return redis.Redis(host=host, port=cfg.port)\n",
    ),
    "socket": (
        "CF002",
        "def up(s):\n    s.bind(('127.0.0.1', 9000))\n",
        "def up(s):\n    s.bind(('127.0.0.1', 0))\n",
    ),
    "base-url-in-method": (
        "CF001",
        "class C:\n    def client(self):\n"
        "        return AsyncOpenAI(base_url='https://api.vendor.cn/v1', api_key=self.key)\n",
        "class C:\n    def client(self):\n        return AsyncOpenAI(\n"
        "            base_url=self.url or 'https://api.vendor.cn/v1', api_key=self.key)\n",
    ),
    "base-url-constant": (
        "CF001",
        "BASE_URL = 'https://api.vendor.ai/v1'\ndef files(http):\n"
        "    return http.get(f'{BASE_URL}/files')\n",
        "BASE_URL = 'https://api.vendor.ai/v1'\ndef files(http, base=BASE_URL):\n"
        "    return http.get(f'{base}/files')\n",
    ),
    "base-url-variable": (
        "CF001",
        "async def files(http):\n    base_url = 'https://api.vendor.ai/v1'\n"
        "    return await http.get(f'{base_url}/files')\n",
        "async def files(http, base_url=None):\n    if not base_url:\n"
        "        base_url = 'https://api.vendor.ai/v1'\n"
        "    return await http.get(f'{base_url}/files')\n",
    ),
    "local-service": (
        "CF001",
        "import httpx\ndef ask(q):\n    return httpx.post('http://localhost:11434/api/chat', json=q)\n",
        "import httpx\ndef ask(q):\n    return httpx.post(cfg.get('url', 'http://localhost:11434'), json=q)\n",
    ),
    "database-url": (
        "CF001",
        "def engine():\n    return create_engine('postgresql://db.internal:5432/bus')\n",
        "def engine():\n    return create_engine(os.getenv('DB', 'postgresql://db.internal:5432/bus'))\n",
    ),
    "websocket-url": (
        "CF001",
        "async def dial():\n    return await websockets.connect('ws://127.0.0.1:8765')\n",
        "async def dial(url='ws://127.0.0.1:8765'):\n    return await websockets.connect(url)\n",
    ),
    "request-timeout": (
        "CF003",
        "import requests\ndef ask(url):\n    return requests.post(url, timeout=120)\n",
        "import requests\ndef ask(url, timeout=120):\n    return requests.post(url, timeout=timeout)\n",
    ),
    "client-timeout-object": (
        "CF003",
        "import httpx\ndef new():\n    return httpx.AsyncClient(timeout=httpx.Timeout(60.0, connect=5.0))\n",
        "import httpx\ndef new():\n    return httpx.AsyncClient(timeout=httpx.Timeout(cfg.timeout))\n",
    ),
    "session-timeout": (
        "CF003",
        "async def page(s, u):\n    t = aiohttp.ClientTimeout(total=30)\n"
        "    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as s:\n"
        "        return await s.get(u)\n",
        "async def page(s, u):\n"
        "    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=cfg.t)) as s:\n"
        "        return await s.get(u)\n",
    ),
    "timeout-constant": (
        "CF003",
        "TIMEOUT = 120\nasync def ask(http, u):\n    return await http.get(u, timeout=TIMEOUT)\n",
        "TIMEOUT = float(os.environ.get('TIMEOUT', 120))\nasync def ask(http, u):\n"
        "    return await http.get(u, timeout=TIMEOUT)\n",
    ),
    "timeout-class-constant": (
        "CF003",
        "class Tools:\n    CALL_TIMEOUT = 90\n    async def call(self, t):\n"
        "        return await asyncio.wait_for(t.run(), self.CALL_TIMEOUT)\n",
        "class Tools:\n    CALL_TIMEOUT = 90\n    async def call(self, t, limit=None):\n"
        "        return await asyncio.wait_for(t.run(), limit or self.CALL_TIMEOUT)\n",
    ),
    "timeout-attribute": (
        "CF003",
        "class Tools:\n    def __init__(self):\n        self.timeout = 30\n"
        "    def call(self, http, u):\n        return http.get(u, timeout=self.timeout)\n",
        "class Tools:\n    def __init__(self, timeout=30):\n        self.timeout = timeout\n"
        "    def call(self, http, u):\n        return http.get(u, timeout=self.timeout)\n",
    ),
    "timeout-variable": (
        "CF003",
        "def ask(http, u):\n    timeout = 45\n    return http.get(u, timeout=timeout)\n",
        "def ask(http, u, given):\n    timeout = 45\n    if given:\n        timeout = given\n"
        "    return http.get(u, timeout=timeout)\n",
    ),
    "wait-for": (
        "CF003",
        "import asyncio\nasync def run(tool):\n    return await asyncio.wait_for(tool.call(), 60)\n",
        "import asyncio\nasync def run(done):\n    return await asyncio.wait_for(done.wait(), 60)\n",
    ),
    "asyncio-timeout": (
        "CF003",
        "import asyncio\nasync def run(tool):\n    async with asyncio.timeout(30):\n        return await tool()\n",
        "import asyncio\nasync def run(tool):\n    async with asyncio.timeout(cfg.t):\n        return await tool()\n",
    ),
    "ping-interval": (
        "CF003",
        "async def main(h):\n    await websockets.connect(cfg.url, ping_interval=20)\n",
        "async def main(h):\n    await websockets.connect(cfg.url, ping_interval=cfg.ping)\n",
    ),
    "shell-timeout": (
        "CF003",
        "import subprocess\ndef shell(command):\n    return subprocess.run(command, shell=True, timeout=120)\n",
        "import subprocess\ndef version():\n    return subprocess.run(['git', '--version'], timeout=120)\n",
    ),
    "message-size": (
        "CF004",
        "async def main(h):\n    await websockets.serve(h, cfg.host, cfg.port, max_size=32 * 1024 * 1024)\n",
        "async def main(h):\n    await websockets.serve(h, cfg.host, cfg.port, max_size=cfg.max_size)\n",
    ),
    "body-size": (
        "CF004",
        "MAX_BODY = 5_000_000\ndef accept(body):\n    if len(body) > MAX_BODY:\n"
        "        raise TooLarge(body)\n",
        "MAX_BODY = 5_000_000\ndef accept(body, most=MAX_BODY):\n    if len(body) > most:\n"
        "        raise TooLarge(body)\n",
    ),
    "inline-size": (
        "CF004",
        "def accept(data):\n    if len(data) > 1024 * 1024:\n        raise ValueError('too large')\n",
        "def accept(data):\n    if len(data) > cfg.mib * 1024 * 1024:\n        raise ValueError('large')\n",
    ),
    "retries": (
        "CF004",
        "MAX_RETRIES = 3\ndef ask(send):\n    for attempt in range(MAX_RETRIES):\n        send()\n",
        "MAX_RETRIES = cfg.retries\ndef ask(send):\n    for attempt in range(MAX_RETRIES):\n        send()\n",
    ),
    "client-retries": (
        "CF004",
        "from openai import OpenAI\ndef new():\n    return OpenAI(max_retries=5)\n",
        "from openai import OpenAI\ndef new(n=5):\n    return OpenAI(max_retries=n)\n",
    ),
    "decorated-retries": (
        "CF004",
        "@retry(stop=stop_after_attempt(5))\ndef ask():\n    return send()\n",
        "@retry(stop=stop_after_attempt(cfg.attempts))\ndef ask():\n    return send()\n",
    ),
    "answer-tokens": (
        "CF004",
        "def body(messages):\n    return {'model': cfg.model, 'messages': messages, 'max_tokens': 4096}\n",
        "def body(messages):\n    return {'model': cfg.model, 'messages': messages, 'max_tokens': cfg.n}\n",
    ),
    "temporary-file": (
        "CF005",
        "def log(line):\n    with open('/tmp/server.log', 'a') as f:\n        f.write(line)\n",
        "def log(line):\n    with open(cfg.log or '/tmp/server.log', 'a') as f:\n        f.write(line)\n",
    ),
    "data-folder": (
        "CF005",
        "DATA_DIR = '/var/lib/server'\ndef all():\n    return os.listdir(DATA_DIR)\n",
        "DATA_DIR = os.getenv('DATA_DIR', '/var/lib/server')\ndef all():\n    return os.listdir(DATA_DIR)\n",
    ),
    "home-folder": (
        "CF005",
        "from pathlib import Path\ndef uploads():\n    return Path('/home/server/uploads')\n",
        "from pathlib import Path\ndef uploads():\n    return Path.home() / 'uploads'\n",
    ),
    "model-in-body": (
        "CF006",
        "def body(m):\n    return {'model': 'kimi-k2-turbo-preview', 'messages': m}\n",
        "def body(m, model='kimi-k2-turbo-preview'):\n    return {'model': model, 'messages': m}\n",
    ),
    "model-argument": (
        "CF006",
        "def ask(c, m):\n    return c.chat.completions.create(model='glm-4.6', messages=m)\n",
        "def ask(c, m):\n    return c.chat.completions.create(model=cfg.model or 'glm-4.6', messages=m)\n",
    ),
    "model-constant": (
        "CF006",
        "MODEL = 'gpt-4o'\ndef ask(c, m):\n    return c.create(model=MODEL, messages=m)\n",
        "MODEL = 'gpt-4o'\ndef ask(c, m, model=None):\n    return c.create(model=model or MODEL, messages=m)\n",
    ),
    "token": (
        "CF007",
        "AUTH_TOKEN = 'c0ffee11d00d4b1db0a7f00dcafe9912'\ndef ok(t):\n    return t == AUTH_TOKEN\n",
        "AUTH_TOKEN = os.environ['AUTH_TOKEN']\ndef ok(t):\n    return t == AUTH_TOKEN\n",
    ),
    "password-argument": (
        "CF007",
        "def up():\n    return connect(user='bus', password='s3cr3t!pw')\n",
        "def up():\n    return connect(user='bus', password=cfg.password)\n",
    ),
    "key-by-shape": (
        "CF007",
        "def headers():\n    return {'x': 'sk-ant-0a1B2c3D4e5F6g7H8i9J0k'}\n",
        "def headers():\n    return {'x': 'sk-your-key-here'}\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_the_hardcoded_one_is_found_and_the_configured_one_is_not(name: str) -> None:
    code, hardcoded, configured = PAIRS[name]
    assert [one.code for one in audited({"server/app.py": hardcoded}, RULES)] == [code]
    assert audited({"server/app.py": configured}, RULES) == []


@pytest.mark.parametrize(
    "path", ["tests/test_app.py", "examples/app.py", "docs/conf.py", "server/settings.py"]
)
def test_tests_examples_and_settings_are_left_alone(path: str) -> None:
    hardcoded = PAIRS["request-timeout"][1]
    assert audited({path: hardcoded}, RULES) == []


def test_what_runs_only_as_a_script_is_left_alone() -> None:
    text = "import uvicorn\nif __name__ == '__main__':\n    uvicorn.run('app', port=8000)\n"
    assert audited({"server/app.py": text}, RULES) == []


def _mended(text: str) -> str:
    path = "server/app.py"
    by_code = {rule.code: rule for rule in RULES}
    return mend(path, text.encode(), audited({path: text}, RULES), by_code).after.decode()


def test_the_fix_keeps_the_literal_as_the_default_of_an_environment_read() -> None:
    text = '''"""A server."""

from __future__ import annotations

import requests  # the client

MAX_BODY = 32 * 1024 * 1024  # bytes


def ask(url, body):
    if len(body) > MAX_BODY:
        raise ValueError("too large")
    return requests.post(
        url,
        timeout=3.5,  # seconds
    )
'''
    assert (
        _mended(text)
        == '''"""A server."""

from __future__ import annotations

import os
import requests  # the client

MAX_BODY = int(os.environ.get("SERVER_APP_MAX_BODY", 32 * 1024 * 1024))  # bytes


def ask(url, body):
    if len(body) > MAX_BODY:
        raise ValueError("too large")
    return requests.post(
        url,
        timeout=float(os.environ.get("SERVER_APP_ASK_TIMEOUT", 3.5)),  # seconds
    )
'''
    )


@pytest.mark.parametrize("name", [name for name, pair in PAIRS.items() if pair[0] != "CF007"])
def test_what_was_mended_is_not_found_again(name: str) -> None:
    code, hardcoded, _ = PAIRS[name]
    mended = _mended(_mended(hardcoded))  # Timeout(60, connect=5) is told one at a time
    assert code not in {one.code for one in audited({"server/app.py": mended}, RULES)}


def test_different_literals_get_different_variables() -> None:
    text = (
        "import os\nimport requests\n\ndef both(a, b):\n    requests.get(a, timeout=3)\n"
        "    requests.get(b, timeout=5)\n    return requests.get(b, timeout=3)\n"
    )
    assert _mended(text).count('"SERVER_APP_BOTH_TIMEOUT", 3') == 2
    assert _mended(text).count('"SERVER_APP_BOTH_TIMEOUT_2", 5') == 1


def test_a_secret_is_not_moved_into_a_default() -> None:
    text = PAIRS["token"][1]
    assert _mended(text) == text


def test_nothing_is_mended_where_os_is_something_else() -> None:
    text = "import requests\n\ndef ask(os):\n    return requests.get(os, timeout=30)\n"
    assert _mended(text) == text


def test_an_import_of_os_in_one_function_is_none_for_another() -> None:
    text = (
        "import requests\n\n\ndef home():\n    import os\n\n    return os.getcwd()\n\n\n"
        "def ask(url):\n    return requests.get(url, timeout=30)\n"
    )
    mended = _mended(text)
    assert mended.startswith("import os\nimport requests\n")
    assert "os.environ.get" in mended


@pytest.mark.parametrize(
    "text",
    [
        "import requests\n\n\ndef ask(url):\n    answer = requests.get(url, timeout=30)\n"
        "    import os\n\n    return answer, os.getcwd()\n",
        "MAX_BODY = 32 * 1024 * 1024\nimport sys\n\n\ndef ask(body):\n"
        "    if len(body) > MAX_BODY:\n        raise ValueError(sys.argv)\n",
    ],
    ids=["local-later", "before-imports"],
)
def test_nothing_is_mended_where_os_is_not_there_yet(text: str) -> None:
    assert _mended(text) == text
