"""Kimi, GLM and z.ai played by a real HTTP server on loopback, by their public documents.

What is not of the documented form is answered with an error and noted in `faults`, which the
fixture `play` looks at when the test ends. What is answered to the next chat is in `plan`, else
`speak` says it: the last word of the user.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.providers.chat_rules import chat_faults
from tests.providers.shelf import Refused, Shelf
from tests.providers.site import Site
from tests.providers.speaking import Reply, chunks, whole

KEY = "sk-canary-7f3a9c51e8d24b60-never-to-be-seen"
"""The key that is taken, and that must show up nowhere."""


@dataclass(frozen=True)
class Refusal:
    """What the next request of any kind gets in place of an answer. `pause` in seconds before it;
    `hang_up`: the connection ends without a word."""

    status: int = 429
    code: str = ""
    message: str = "refused by the plan"
    headers: Mapping[str, str] = field(default_factory=dict)
    pause: float = 0.0
    hang_up: bool = False


@dataclass(frozen=True)
class Seen:
    """A request that came; `body` is that of a chat."""

    method: str
    path: str
    headers: Message
    body: Mapping[str, Any] | None = None


class Played:
    """One provider. `base` is what stands before /chat/completions."""

    def __init__(self, site: Site, key: str = KEY) -> None:
        self.site = site
        self.key = key
        self.plan: deque[Reply] = deque()
        self.refusals: deque[Refusal] = deque()
        self.speak: Callable[[Mapping[str, Any]], Reply] = _echo
        self.faults: list[str] = []
        self.seen: list[Seen] = []
        self.shelf = Shelf(site)
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(_Handler):
            played = outer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}{site.path}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def chats(self) -> list[Mapping[str, Any]]:
        """The bodies of the chat requests, in order."""
        return [one.body for one in self.seen if one.body is not None]

    def count(self, method: str, path: str = "/files") -> int:
        """How many requests of a method came for a path, or for what is below it."""
        return sum(
            one.method == method and (one.path == path or one.path.startswith(f"{path}/"))
            for one in self.seen
        )

    def begins(self) -> None:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)

    def ends(self) -> None:
        with self._lock:
            self.at_once -= 1

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Cut(Exception):
    """The connection is to end here, without its proper end."""


class _Handler(BaseHTTPRequestHandler):
    played: Played
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing on the test's stderr."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        played = self.played
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        played.begins()
        try:
            self._turn(method, body)
        except Refused as refused:
            if refused.fault:
                played.faults.append(f"{method} {self.path}: {refused.fault}")
            self._refuse(refused.status, refused.code, refused.message)
        except (_Cut, ConnectionError):
            self.close_connection = True
        finally:
            played.ends()

    def _turn(self, method: str, body: bytes) -> None:
        played, site = self.played, self.played.site
        path, _, query = self.path.partition("?")
        if not path.startswith(site.path + "/"):
            raise Refused(404, "resource_not_found_error", f"no path {path}", fault="no such path")
        path = path.removeprefix(site.path)
        chat = json.loads(body) if path == "/chat/completions" and body else None
        played.seen.append(Seen(method, path, self.headers, chat))
        if played.refusals:
            self._planned(played.refusals.popleft())
            return
        if self.headers.get("Authorization") != f"Bearer {played.key}":
            said = self.headers.get("Authorization")
            raise Refused(
                401, "1000" if site.coded_errors else "invalid_authentication_error",
                "Invalid Authentication", fault="" if said else "no Authorization header",
            )  # fmt: skip
        if path == "/chat/completions":
            self._chat(method, chat)
        elif path == "/models" and site.lists_models and method == "GET":
            data = [{"id": name, "object": "model"} for name in site.models]
            self._json(200, {"object": "list", "data": data})
        else:
            status, kind, told = played.shelf.answer(method, path, query, self.headers, body)
            self._send(status, kind, told)

    def _planned(self, refusal: Refusal) -> None:
        time.sleep(refusal.pause)
        if refusal.hang_up:
            raise _Cut
        self._refuse(refusal.status, refusal.code, refusal.message, refusal.headers)

    def _chat(self, method: str, body: Mapping[str, Any] | None) -> None:
        site = self.played.site
        if method != "POST" or body is None:
            raise Refused(405, "invalid_request_error", "POST it", fault="a chat is a POST")
        if self.headers.get_content_type() != "application/json":
            raise Refused(400, "invalid_request_error", "not JSON", fault="no JSON content type")
        found = list(chat_faults(site, body))
        if found:
            code = "1210" if site.coded_errors else "invalid_request_error"
            raise Refused(400, code, "; ".join(found), fault="; ".join(found))
        if body["model"] not in site.models:
            code = "1211" if site.coded_errors else "resource_not_found_error"
            raise Refused(404, code, f"no model {body['model']}")
        plan = self.played.plan
        reply = plan.popleft() if plan else self.played.speak(body)
        if not body.get("stream"):
            time.sleep(reply.pause)
            self._json(200, whole(site, body, reply), self._request_id())
            return
        self._stream(chunks(site, body, reply), reply)

    def _stream(self, lines: Iterable[bytes | None], reply: Reply) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in self._request_id().items():
            self.send_header(name, value)
        self.end_headers()
        for line in lines:
            if line is None:
                raise _Cut
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
            if reply.pause:
                time.sleep(reply.pause)
        self.wfile.write(b"0\r\n\r\n")

    def _request_id(self) -> dict[str, str]:
        # Seen in answers of api.moonshot.ai; z.ai tells it in the body.
        return {} if self.played.site.coded_errors else {"Msh-Request-Id": "req-played"}

    def _refuse(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        coded = self.played.site.coded_errors
        named = {"code": code, "message": message} if coded else {"message": message, "type": code}
        self._json(status, {"error": named}, headers)

    def _json(
        self, status: int, shape: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        self._send(status, "application/json", json.dumps(shape).encode(), headers)

    def _send(
        self, status: int, kind: str, told: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(told)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told)


def _echo(body: Mapping[str, Any]) -> Reply:
    of_user = (one["content"] for one in reversed(body["messages"]) if one["role"] == "user")
    return Reply(f"You said: {next(of_user, '')}")
