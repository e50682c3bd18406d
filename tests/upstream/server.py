"""An MCP server for the tests, written with the SDK: `python -m tests.upstream.server [OPTION…]`.

It answers large and small, fails, hangs, tells how far it is, and changes its own list of tools.
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import (
    AudioContent,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic import FilePath

server = MCPServer("tests", version="1.0", instructions="For tests.")


def text_of(size: int) -> str:
    """A text of that many bytes, of letters of several lengths and of line ends."""
    row = 'a row of text, éß€ "quoted" \\ and its end\n'
    text = (row * (size // len(row.encode()) + 1)).encode()[: size - 4].decode("utf-8", "ignore")
    return text + "." * (size - len(text.encode()))


def image_of(size: int) -> bytes:
    return (b"\x89PNG" + bytes(range(256)) * (size // 256 + 1))[:size]


@server.tool()
def text(size: int) -> str:
    """A text; the SDK doubles it as structured content."""
    return text_of(size)


@server.tool(structured_output=False)
def plain(words: str) -> str:
    """The words, once."""
    return words


@server.tool(structured_output=False)
def size_of(path: FilePath) -> str:
    """The path that came, and how many bytes are there."""
    return f"{path} {path.stat().st_size}"


@server.tool()
def image(size: int) -> CallToolResult:
    """An image and a caption."""
    data = base64.b64encode(image_of(size)).decode()
    return CallToolResult(
        content=[
            TextContent(type="text", text="a caption"),
            ImageContent(type="image", data=data, mime_type="image/png"),
        ]
    )


@server.tool()
def blocks() -> CallToolResult:
    """A block of each kind."""
    return CallToolResult(
        content=[
            TextContent(type="text", text="a text"),
            AudioContent(type="audio", data="UklGRg==", mime_type="audio/wav"),
            EmbeddedResource(
                type="resource",
                resource=TextResourceContents(
                    uri="file:///note", text="embedded", mime_type="text/plain"
                ),
            ),
            ResourceLink(type="resource_link", uri="file:///linked", name="linked"),
        ]
    )


@server.tool()
def weather(city: str) -> dict[str, Any]:
    """Structured content."""
    return {"city": city, "degrees": 21.5, "rain": False}


@server.tool()
def fail(words: str) -> str:
    """An exception of the tool: isError."""
    raise ValueError(words)


@server.tool()
def fail_large(size: int) -> CallToolResult:
    """A long text that is an error."""
    return CallToolResult(content=[TextContent(type="text", text=text_of(size))], is_error=True)


@server.tool()
async def steps(count: int, context: Context) -> str:
    """Tells how far it is."""
    for step in range(count):
        await context.report_progress(step + 1, count, f"step {step + 1}")
        await asyncio.sleep(0.05)
    return "done"


@server.tool()
async def hang(marker: str) -> str:
    """Never answers. Writes to `marker` that it began, and that it was cancelled."""
    Path(marker).write_text("began")
    try:
        await asyncio.sleep(3600)
    except BaseException:
        Path(marker).write_text("cancelled")
        raise
    return "never"


@server.tool()
async def die(status: int = 7) -> str:
    """Ends the server in mid-call."""
    if status < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(status)


@server.tool()
def own_pid() -> str:
    """Which process it is."""
    return str(os.getpid())


@server.tool()
def child(marker: str) -> str:
    """Starts a program that ignores SIGTERM and the end of its input."""
    script = f"trap '' TERM HUP; echo $$ > {marker}; while :; do sleep 1; done"
    subprocess.Popen(["sh", "-c", script], stdin=subprocess.DEVNULL)
    while not Path(marker).exists() or not Path(marker).read_text().strip():
        pass
    return Path(marker).read_text().strip()


@server.tool()
async def learn(name: str, context: Context) -> str:
    """Offers one more tool from now on."""

    def learnt() -> str:
        return f"I am {name}"

    server.add_tool(learnt, name=name)
    await context.notify_tools_changed()  # those of the stateless era
    await context.session.send_tool_list_changed()
    return name


@server.tool()
def speak(words: str) -> str:
    """Says something on standard error."""
    print(words, file=sys.stderr, flush=True)
    return "said"


@server.tool()
def variable(name: str) -> str:
    """A variable of its environment, or "unset"."""
    return os.environ.get(name, "unset")


@server.tool(structured_output=False)
def beside(context: Context) -> str:
    """What came beside the arguments as `traceparent`."""
    return str(dict(context.request_context.meta or {}).get("traceparent"))


@server.tool(structured_output=False)
def header(context: Context) -> str:
    """What came as the HTTP header `traceparent`."""
    request: Any = context.request_context.request
    return str(request.headers.get("traceparent")) if request else "None"


@server.resource("memo://welcome", mime_type="text/plain")
def welcome() -> str:
    """A text to read."""
    return "welcome to the tests"


@server.resource("memo://numbered/{number}", mime_type="text/plain")
def numbered(number: str) -> str:
    """One of many."""
    return f"this is {number}"


@server.resource("memo://picture", mime_type="image/png")
def picture() -> bytes:
    """Bytes to read."""
    return image_of(1000)


@server.prompt()
def greet(name: str) -> str:
    """How to greet somebody."""
    return f"Greet {name}."


def many(count: int) -> None:
    """That many tools more."""
    for number in range(count):

        def tool(value: str = "", at: int = number) -> str:
            return f"{at} {value}"

        server.add_tool(tool, name=f"tool_{number:03}", description=f"Tool {number}. " * 5)


def main() -> None:
    arguments = sys.argv[1:]
    if "--slow" in arguments:
        import time

        time.sleep(float(arguments[arguments.index("--slow") + 1]))
    if "--many" in arguments:
        many(int(arguments[arguments.index("--many") + 1]))
    if "--http" in arguments:
        port = int(arguments[arguments.index("--http") + 1])
        server.run("streamable-http", host="127.0.0.1", port=port)
    else:
        server.run("stdio")


if __name__ == "__main__":
    main()
