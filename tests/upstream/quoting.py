"""A server behind HTTP that quotes what it was shown, in whatever it says: run it in a thread.

`/…/refuses` is a refusal with 401, `/…/fails` an error of the protocol, `/…/moves` a redirect; any
other path greets, lists what is not as the protocol has it, and fails its calls.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing on the test's stderr."""

    def do_GET(self) -> None:
        self._say(405, {})

    def do_DELETE(self) -> None:
        self._say(405, {})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Authorization"].removeprefix("Bearer ")
        fault = {"code": -32000, "message": f"{key} is not known to {self.path}"}
        answer = {"jsonrpc": "2.0", "id": asked.get("id")}
        match self.path.rpartition("/")[2]:
            case "refuses":
                return self._say(401, {"error": key}, {"WWW-Authenticate": f'Bearer error="{key}"'})
            case "fails":
                return self._say(200, {**answer, "error": fault})
            case "moves":
                return self._say(307, {}, {"Location": f"http://127.0.0.1:9/{key}{self.path}"})
        if "id" not in asked:
            return self._say(202, None)
        result = _result(asked, key)
        return self._say(
            200, {**answer, "error": fault} if result is None else {**answer, "result": result}
        )

    def _say(
        self, status: int, shape: Mapping[str, Any] | None, more: Mapping[str, str] | None = None
    ) -> None:
        told = b"" if shape is None else json.dumps(shape).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(told)))
        for name, value in {"Content-Type": "application/json", **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told)


def _result(asked: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    match asked["method"]:
        case "initialize":
            return {
                "protocolVersion": asked["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": key, "version": key},
            }
        case "tools/list":
            return {"tools": [{"name": "sound", "inputSchema": {"type": "object"}}, {"name": key}]}
    return None


@contextmanager
def quoting() -> Iterator[str]:
    """Its URL, without a path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
