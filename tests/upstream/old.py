"""An MCP server of the era before, by hand: `python -m tests.upstream.old`.

It writes its responses as servers in other languages do, and what no SDK would write: noise, half
of a surrogate pair, blocks of kinds to come, answers without end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

PROTOCOL = "2025-11-25"
UNKNOWN_METHOD = -32601
LONE = "half a pair \ud83d, and on"

tools = ["say", "learn", "noise", "lone", "to_come", "endless", "wait", "refuse", "answer", "leave"]
waiting: dict[Any, Any] = {}


def write(message: str) -> None:
    sys.stdout.write(message + "\n")
    sys.stdout.flush()


def respond(id: Any, result: str) -> None:
    """The result first, as the SDK in TypeScript has it."""
    write(f'{{"result":{result},"jsonrpc":"2.0","id":{json.dumps(id)}}}')


def text(words: str) -> str:
    return json.dumps({"content": [{"type": "text", "text": words}]})


def call(id: Any, name: str, arguments: dict[str, Any]) -> None:
    match name:
        case "learn":
            tools.append(arguments["name"])
            write('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}')
        case "noise":
            write("Listening on standard input!")
            write('{"jsonrpc":"2.0","id":4711,"result":{}}')
        case "lone":
            return respond(id, text(LONE))
        case "to_come":
            kind = {"type": "hologram", "layers": [1.0, 1e400]}
            return respond(id, json.dumps({"content": [kind]}).replace("Infinity", "1e400"))
        case "endless":
            return respond(id, text("x" * arguments["size"]))
        case "wait":
            waiting[id] = arguments
            return None
        case "answer":
            return write(arguments["line"].replace("$ID", json.dumps(id)))
        case "leave":
            subprocess.Popen(["sleep", "60"])  # holds all that is open here
            os._exit(3)
        case "refuse":
            error = {"code": -32000, "message": "not today"}
            return write(json.dumps({"jsonrpc": "2.0", "id": id, "error": error}))
    return respond(id, text(f"{name}: {arguments.get('words', '')}"))


def listed() -> str:
    schema = {"type": "object", "properties": {}}
    shapes: list[object] = [{"name": name, "inputSchema": schema} for name in tools]
    if "--odd" in sys.argv:
        shapes[1:1] = [
            {"name": "no_schema"}, {"name": "bad_schema", "inputSchema": {"type": "string"}},
            {"name": "list_schema", "inputSchema": []}, {"inputSchema": schema}, 7,
        ]  # fmt: skip
    return json.dumps({"tools": shapes})


def answer(message: dict[str, Any]) -> None:
    asked, params = message.get("id"), message.get("params") or {}
    match message["method"]:
        case "initialize":
            greeting = {
                "protocolVersion": PROTOCOL, "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "old", "version": "1"},
            }  # fmt: skip
            respond(asked, json.dumps(greeting))
        case "tools/list" if "--mute" in sys.argv:
            pass
        case "tools/list":
            respond(asked, listed())
        case "tools/call":
            call(asked, params["name"], params.get("arguments") or {})
        case "notifications/cancelled":
            for held, arguments in waiting.items():
                if held == params["requestId"]:
                    with open(arguments["marker"], "w") as file:  # noqa: PTH123  # the one file it writes
                        file.write("cancelled")
        case method if asked is not None:
            error = {"code": UNKNOWN_METHOD, "message": f"no {method} here"}
            write(json.dumps({"jsonrpc": "2.0", "id": asked, "error": error}))


if __name__ == "__main__":
    for at, line in enumerate(sys.stdin):
        message = json.loads(line)
        if "--strict" in sys.argv and at == 0 and message["method"] != "initialize":
            sys.exit("the first message must be initialize")
        answer(message)
